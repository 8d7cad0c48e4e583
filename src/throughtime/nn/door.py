"""The door to machine code: what enters has the sizes that the code was made for.

Compiled code gets addresses and trusts them; a tensor of another shape, type or device
would be read past its end. Every way to a compiled layer, the registered operators
included, passes here.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from throughtime.errors import LayerMismatch
from throughtime.graph import StepGraph

DTYPES = (torch.float32, torch.float64)


def check_layer(
    graph: StepGraph,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    batch: int,
) -> None:
    """Refuse tensors that do not fit the graph, or each other.

    Parameters
    ----------
    graph
        The step.
    inputs
        ``x`` and each further input, ``(N, n)``.
    initial
        Each state's start, ``(B, n)``.
    parameters
        In the order of the graph.
    batch
        B.

    Raises
    ------
    LayerMismatch
        A tensor has another shape, dtype or device, or there are too few.
    """
    names = ["x", *(declared.name for declared in graph.inputs)]
    sizes = [graph.input_size, *(declared.size for declared in graph.inputs)]
    _check_count(graph, "inputs", inputs, len(names))
    _check_count(graph, "states", initial, len(graph.states))
    _check_count(graph, "parameters", parameters, len(graph.parameters))
    rows, dtype = inputs[0].shape[0], inputs[0].dtype
    if dtype not in DTYPES:
        raise _mismatch(graph, "x", f"of {dtype}", "float32 or float64")
    for name, size, value in zip(names, sizes, inputs, strict=True):
        _check(graph, name, value, (rows, size), dtype)
    for state, value in zip(graph.states, initial, strict=True):
        _check(graph, f"state {state.name}", value, (batch, state.size), dtype)
    for declared, value in zip(graph.parameters, parameters, strict=True):
        _check(graph, declared.name, value, declared.shape, dtype)


def check_rows(graph: StepGraph, rows: int, steps: int, batch: int) -> None:
    """Refuse fewer rows than T·B."""
    if rows < steps * batch:
        expected = f"at least {steps} steps of {batch} sequences"
        raise _mismatch(graph, "x", f"of {rows} rows", expected)


def check_counts(graph: StepGraph, counts: Tensor, rows: int, batch: int) -> None:
    """Refuse numbers of living sequences that the rows cannot have."""
    falling = bool((counts[1:] <= counts[:-1]).all())
    inside = not len(counts) or (int(counts.min()) >= 0 and int(counts[0]) <= batch)
    if not (falling and inside and int(counts.sum()) <= rows):
        expected = f"falling numbers up to {batch}, {rows} rows in all"
        raise _mismatch(graph, "counts", str(counts.tolist()), expected)


def check_stored(
    graph: StepGraph,
    stored: Mapping[str, tuple[Tensor, tuple[int, ...]]],
    dtype: torch.dtype,
) -> None:
    """Refuse what a forward pass stored, or gradients, if their shape is another."""
    for argument, (value, shape) in stored.items():
        _check(graph, argument, value, shape, dtype)


def _check(
    graph: StepGraph,
    argument: str,
    value: Tensor,
    shape: tuple[int, ...],
    dtype: torch.dtype,
) -> None:
    if value.shape != shape:
        raise _mismatch(graph, argument, f"of shape {tuple(value.shape)}", str(shape))
    if value.dtype != dtype:
        raise _mismatch(graph, argument, f"of {value.dtype}", f"{dtype}, as x is")
    if value.device.type != "cpu":
        raise _mismatch(graph, argument, f"on {value.device}", "the CPU, as x is")


def _check_count(
    graph: StepGraph, argument: str, values: Sequence[Tensor], expected: int
) -> None:
    if len(values) != expected:
        raise _mismatch(graph, argument, f"{len(values)} tensors", f"{expected}")


def _mismatch(
    graph: StepGraph, argument: str, given: str, expected: str
) -> LayerMismatch:
    return LayerMismatch(
        cell=graph.cell, argument=argument, given=given, expected=expected
    )
