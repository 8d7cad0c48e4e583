"""How long two threads of this machine take to meet at a barrier."""

import ctypes
import math
import time
from functools import cache

from llvmlite import ir

from throughtime.backends.llvm.barrier import (
    LINE,
    WORD_BYTES,
    declare_barrier,
    write_barrier,
)
from throughtime.backends.llvm.compile import Code, load, object_code
from throughtime.backends.llvm.object_cache import cached, version
from throughtime.backends.llvm.target import Target, host
from throughtime.backends.llvm.threads import give_up, run_in_pool
from throughtime.backends.llvm.writer import INDEX, POINTER, VOID, Writer, index

THREADS = 2
MEETINGS = 500
SAMPLES = 8
"""Of short ones the best: what disturbs makes a sample longer, nothing shorter."""
LONGEST = 5e-7
"""Seconds; who needs more has met other programs on the way, not a distant core."""


@cache
def seconds_to_meet() -> float:
    """Measure it, once in a process; some milliseconds.

    On a machine that is busy at that moment it is `LONGEST`.
    """
    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)
    often = signature(_compiled().address("meet_often"))
    flags = (ctypes.c_int64 * (LINE * (THREADS + 1)))()
    first = ctypes.addressof(flags)
    aligned = -(-first // (LINE * WORD_BYTES)) * LINE * WORD_BYTES
    shortest = math.inf
    for sample in range(SAMPLES):
        seen = [0.0] * THREADS

        # They hold the flags for as long as a thread may look at them.
        def run(
            thread: int,
            sample: int = sample,
            seen: list[float] = seen,
            _: object = flags,
        ) -> None:
            often(aligned, thread, 2 * sample * MEETINGS, give_up())
            start = time.perf_counter()
            often(aligned, thread, (2 * sample + 1) * MEETINGS, give_up())
            seen[thread] = time.perf_counter() - start

        run_in_pool(run, THREADS)
        shortest = min(shortest, *seen)
    return min(shortest / MEETINGS, LONGEST)


@cache
def _compiled() -> Code:
    target = host()

    def make() -> tuple[dict[str, object], bytes]:
        return {}, object_code(str(meeting_module(target)), target)

    _, code = cached(f"meeting {target.key} {version()}", make)
    return load(code, target)


def meeting_module(target: Target) -> ir.Module:
    """``meet_often(flags, thread, first, give_up)``: `MEETINGS` barriers."""
    module = ir.Module("meeting")
    barrier = declare_barrier(module)
    own = Writer(ir.IRBuilder(barrier.append_basic_block()), ir.FloatType(), 1, 4)
    write_barrier(module, own, x86=target.x86)
    kind = ir.FunctionType(VOID, [POINTER, INDEX, INDEX, POINTER])
    function = ir.Function(module, kind, "meet_often")
    w = Writer(ir.IRBuilder(function.append_basic_block()), ir.FloatType(), 1, 4)
    flags, thread, first, other = function.args
    with w.loop(index(0), index(MEETINGS)) as number:
        count = w.builder.add(w.builder.add(first, number), index(1))
        w.builder.call(barrier, [flags, thread, index(THREADS), count, other])
    w.builder.ret_void()
    return module
