"""What a recurrent module may be built with."""

import math
import warnings
from collections.abc import Sequence
from itertools import pairwise

import torch

from throughtime.errors import BadSetting, BadSettingType, CellError, UnevenLayers
from throughtime.graph import Cell, StepGraph, refuse_unused, trace
from throughtime.graph.block_diagonal import with_heads

# Keywords of `forward` that an Input must not take.
RESERVED = ("input", "state", "lengths", "resets", "return_all", "return_layers")


def trace_layers(
    cell: Cell,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    *,
    bias: bool,
    bidirectional: bool,
    heads: int = 1,
) -> tuple[StepGraph, ...]:
    """The graph of every layer; layers of the same input size share theirs."""
    check_flag("bias", bias)
    check_size("heads", heads)
    check_size("input_size", input_size)
    check_size("hidden_size", hidden_size)
    check_size("num_layers", num_layers)
    known: dict[int, StepGraph] = {}
    graphs: list[StepGraph] = []
    size = input_size
    for _ in range(num_layers):
        if size not in known:
            graph = refuse_unused(trace(cell, size, hidden_size, bias=bias))
            known[size] = with_heads(graph, heads)
        graphs.append(known[size])
        size = graphs[-1].output_size * (2 if bidirectional else 1)
    return tuple(graphs)


def check_size(argument: str, value: object) -> None:
    """Refuse what is no whole number above zero."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadSettingType(
            argument=argument,
            expected="int",
            given=type(value).__name__,
            advice="give a whole number",
        )
    if value <= 0:
        raise BadSetting(
            argument=argument,
            expected="must be greater than zero",
            given=value,
            advice="give a larger number",
        )


def check_flag(argument: str, value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool):
        raise BadSettingType(
            argument=argument,
            expected="bool",
            given=type(value).__name__,
            advice="give True or False",
        )


def check_dtype(dtype: torch.dtype | None) -> None:
    """Refuse numbers that no gradient can be of."""
    if dtype is None:
        return
    if not isinstance(dtype, torch.dtype):
        raise BadSettingType(
            argument="dtype",
            expected="torch.dtype",
            given=type(dtype).__name__,
            advice="give torch.float32 or torch.float64",
        )
    if not (dtype.is_floating_point or dtype.is_complex):
        raise BadSetting(
            argument="dtype",
            expected="must be of floating point",
            given=dtype,
            advice="give torch.float32 or torch.float64",
        )


def checked_dropout(dropout: float, num_layers: int) -> float:
    """The probability as a float, if it is one."""
    is_number = isinstance(dropout, (int, float)) and not isinstance(dropout, bool)
    if not is_number or math.isnan(dropout) or not 0 <= dropout <= 1:
        raise BadSetting(
            argument="dropout",
            expected="should be a number in range [0, 1] representing the probability "
            "of an element being zeroed",
            given=repr(dropout),
            advice="give such a number",
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so "
            f"non-zero dropout expects num_layers greater than 1, but got "
            f"dropout={dropout} and num_layers=1",
            stacklevel=4,
        )
    return float(dropout)


def checked_graphs(graphs: Sequence[StepGraph]) -> tuple[StepGraph, ...]:
    """The graphs of all layers, if there is one."""
    if not graphs:
        raise BadSetting(
            argument="graphs",
            expected="must hold one step graph per layer",
            given="none",
            advice="give at least one",
        )
    return tuple(graphs)


def check_stack(graphs: Sequence[StepGraph], directions: int) -> None:
    """Refuse graphs that do not fit onto each other."""
    first = graphs[0]
    for declared in first.inputs:
        if declared.name in RESERVED:
            raise CellError(
                cell=first.cell,
                reason=f"the Input {declared.name} is named like an argument of "
                "forward; rename it",
            )
    for layer, (below, graph) in enumerate(pairwise(graphs), 1):
        width = directions * below.output_size
        _agree(layer, "inputs", graph.input_size, width, "build it for that size")
        _agree(layer, "states", graph.states, first.states, _SAME_STATES)
        _agree(layer, "further inputs", graph.inputs, first.inputs, _SAME_STATES)


def checked_residual(
    residual: bool, graphs: Sequence[StepGraph], directions: int
) -> bool:
    """The flag, if the layers can add what they read to what they give."""
    check_flag("residual", residual)
    if not residual:
        return False
    if len(graphs) == 1:
        raise BadSetting(
            argument="residual",
            expected="needs a second layer, as the first adds nothing",
            given="residual=True with num_layers=1",
            advice="give num_layers=2, or leave residual out",
        )
    for layer, graph in enumerate(graphs[1:], 1):
        gives = directions * graph.output_size
        cure = "leave residual out, or make them equal"
        _agree(layer, "outputs", gives, graph.input_size, cure)
    return True


_SAME_STATES = "give sizes that do not depend on `input`"


def _agree(layer: int, what: str, given: object, expected: object, cure: str) -> None:
    if given != expected:
        raise UnevenLayers(
            layer=layer,
            given=f"{what} {given}",
            expected=f"{expected}",
            advice=cure,
        )
