"""Lazy and dense updates of one example after the other, called from compiled code.

A call from Python takes longer than a lazy update of some rows: kernels are measured
without it, many examples in one call.
"""

import ctypes
from array import array
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from throughtime.backends.llvm.compile import Code, load, object_code
from throughtime.backends.llvm.row_updates import row_kernels
from throughtime.backends.llvm.target import host
from throughtime.optim.flow import time_of_fobos

EXAMPLE_WORDS = 3
"""Words of an example: addresses of its rows and of their gradient, rows."""
_CATCH_UP = "void (ptr, ptr, ptr, i64, i64, i64, double, double, double)"
_STALE = "i64 (ptr, ptr, i64, i64, double)"
_UPDATE = "void (ptr, ptr, ptr, ptr, i64, i64, double, double, double, double, double)"
_LOOP = f"""
define double @NAME(ptr %catch, ptr %stale, ptr %update, ptr %weight, ptr %stamps,
                    ptr %clock, ptr %examples, i64 %count, i64 %d, i64 %width,
                    double %first, double %time, double %l1, double %l2,
                    double %rate, double %amount, double %scale) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %now = phi double [ %first, %entry ], [ %then, %loop ]
  %word = mul i64 %i, {EXAMPLE_WORDS}
  %place = getelementptr i64, ptr %examples, i64 %word
  %rows = load ptr, ptr %place
  %slope_place = getelementptr i64, ptr %place, i64 1
  %slope = load ptr, ptr %slope_place
  %size_place = getelementptr i64, ptr %place, i64 2
  %size = load i64, ptr %size_place
  %then = fadd double %now, %time
BODY
  %next = add i64 %i, 1
  %on = icmp slt i64 %next, %count
  br i1 %on, label %loop, label %done
done:
  ret double %then
}}
"""
_LAZY = f"""
  call {_CATCH_UP} %catch(ptr %weight, ptr %stamps, ptr %rows, i64 %size, i64 %d,
                          i64 %width, double %now, double %l1, double %l2)
  %behind = call {_STALE} %stale(ptr %stamps, ptr %rows, i64 %size, i64 %d, double %now)
  call {_UPDATE} %update(ptr %weight, ptr %stamps, ptr %rows, ptr %slope, i64 %size,
                         i64 %width, double %then, double 1.0, double %rate,
                         double %amount, double %scale)
"""
# The table as one long row, which has waited for one step.
_DENSE = f"""
  call {_UPDATE} %update(ptr %weight, ptr %stamps, ptr %rows, ptr %slope, i64 %size,
                         i64 %width, double 0.0, double 1.0, double %rate, double 0.0,
                         double 1.0)
  %numbers = mul i64 %d, %width
  call {_CATCH_UP} %catch(ptr %weight, ptr %clock, ptr null, i64 1, i64 1,
                          i64 %numbers, double %then, double %l1, double %l2)
"""
_COUNTS, _NUMBERS = 3, 7


@cache
def _compiled() -> Code:
    bodies = {"lazy": _LAZY, "dense": _DENSE}
    text = "\n".join(
        _LOOP.replace("NAME", name).replace("BODY", body)
        for name, body in bodies.items()
    )
    return load(object_code(text, host()), host())


def fobos(rate: float, l1: float, l2: float) -> tuple[float, ...]:
    """What `update_loop` needs for steps of FOBOS with a constant rate."""
    return time_of_fobos(rate, l2), l1, l2, rate, rate * l1, 1 / (1 + rate * l2)


def update_loop(
    name: str,
    weight: Tensor,
    stamps: Tensor,
    examples: Sequence[tuple[Tensor, Tensor]],
    settings: tuple[float, ...],
) -> Callable[[], float]:
    """Give steps over all examples, ``"lazy"`` or ``"dense"`` ones, in one call.

    Parameters
    ----------
    weight
        The table, ``(d, width)``.
    stamps
        The time up to which each row was decayed, ``(d,)``, float64.
    examples
        The rows of each, sorted and different, and their gradient.
    settings
        What a step adds to the time, l1, l2, and rate, amount and scale of an update.

    Returns
    -------
    run
        Takes the steps and gives the time behind them.
    """
    (d, width), kernels = weight.shape, row_kernels(weight.element_size())
    # A dense update decays the table as one long row, which has a stamp of its own.
    clock = torch.zeros(1, dtype=torch.float64)
    words = array("q")
    for rows, slope in examples:
        words.extend((rows.data_ptr(), slope.data_ptr(), len(rows)))
    addresses = [
        ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[arg-type]
        for function in (kernels.catch_up, kernels.stale, kernels.update)
    ]
    kinds = [*[ctypes.c_void_p] * 7, *[ctypes.c_int64] * _COUNTS]
    kinds += [ctypes.c_double] * _NUMBERS
    loop = ctypes.CFUNCTYPE(ctypes.c_double, *kinds)(_compiled().address(name))
    now, held = 0.0, (kernels, weight, stamps, clock, words, examples)

    def run() -> float:
        nonlocal now
        _, *tables, listed, _ = held
        where = *(table.data_ptr() for table in tables), listed.buffer_info()[0]
        counts = len(examples), d, width
        now = loop(*addresses, *where, *counts, now, *settings)
        return now

    return run
