"""A step that reports on the error that comes back to it, as gradients of an input.

Each watched value reads a number of one more input, which changes nothing: the value is
passed on as it is. What the backward pass gives as the gradient of that number is a
report, ``Σ δ²`` over the units of the value, or how many of them are saturated. So
whatever runs a cell forward and backward reports, at the cost of a sum over units.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from throughtime.graph.builder import Builder
from throughtime.graph.names import value_names
from throughtime.graph.nodes import InputDeclaration, StepGraph
from throughtime.graph.operations import ERROR, WATCH, WATCHED, Kind

PROBE = "_probe_of_error"
"""The input that is read."""


class Report(NamedTuple):
    """What one number of the probe's gradient says."""

    kind: str
    """``"error"`` of a state, or ``"sigmoid"`` or ``"tanh"`` for its saturation."""
    name: str
    """Of the state, or of the function's value."""
    units: int


@dataclass(frozen=True)
class Watched:
    """A graph with a probe, and what its gradient reports, number by number."""

    graph: StepGraph
    reports: tuple[Report, ...]


def watched(graph: StepGraph) -> Watched:
    """The same step with every new state, sigmoid and tanh watched.

    Of a state, ``Σ (∂L/∂s_t)²`` by all that it does from step t on; of a sigmoid or
    tanh, how many units have a slope below a tenth of the steepest.
    """
    reports, watches = _reports(graph)
    if not reports:
        return Watched(graph, ())
    builder = Builder()
    probe = builder.leaf("input", PROBE, (len(reports),))
    positions: list[int] = []
    ends: dict[int, int] = {}
    for index, node in enumerate(graph.nodes):
        moved = tuple(positions[argument] for argument in node.arguments)
        position = builder.place(replace(node, arguments=moved))
        seen = position
        for place in watches.get(index, ()):
            number = builder.emit("slice", probe, attributes=(place, place + 1))
            kind = reports[place].kind
            seen = builder.emit(WATCH, seen, number, attributes=(kind,))
        # What a state takes over as it came in has an error of its own before.
        positions.append(position if node.family == "leaf" else seen)
        ends[index] = seen
    longer = replace(
        graph,
        inputs=(*graph.inputs, InputDeclaration(PROBE, len(reports))),
        nodes=tuple(builder.nodes),
        output=ends[graph.output],
        new_states=tuple(ends[index] for index in graph.new_states),
        names=tuple((name, positions[index]) for name, index in graph.names),
    )
    return Watched(longer, tuple(reports))


def _reports(graph: StepGraph) -> tuple[list[Report], dict[int, list[int]]]:
    """What is reported, and for each node the places of its reports."""
    reports: list[Report] = []
    watches: dict[int, list[int]] = {}

    def add(index: int, report: Report) -> None:
        watches.setdefault(index, []).append(len(reports))
        reports.append(report)

    for state, index in zip(graph.states, graph.new_states, strict=True):
        add(index, Report(ERROR, state.name, state.size))
    for name, index in value_names(graph).items():
        node = graph.nodes[index]
        if node.operation in WATCHED and node.kind is Kind.STEP:
            add(index, Report(node.operation, name, node.size))
    return reports, watches
