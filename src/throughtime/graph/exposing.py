"""A step that gives out what it computes inside: its named values behind its output."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from throughtime.graph.builder import Builder
from throughtime.graph.names import value_names
from throughtime.graph.nodes import StepGraph


@dataclass(frozen=True)
class Exposed:
    """A graph whose output is longer, and where in it each value lies."""

    graph: StepGraph
    spans: tuple[tuple[str, int, int], ...]
    """Name, first unit and unit behind the last one of each value."""


def exposed(graph: StepGraph) -> Exposed:
    """The same step with all named values, comparisons excepted, in its output.

    The first units of the output are those of the given graph.
    """
    names = value_names(graph)
    longer, spans = behind_output(graph, names.values())
    named = zip(names, spans, strict=True)
    return Exposed(longer, tuple((name, *span) for name, span in named))


def behind_output(
    graph: StepGraph, values: Iterable[int]
) -> tuple[StepGraph, tuple[tuple[int, int], ...]]:
    """Put values behind the output, each once; and where each lies in it."""
    shown = tuple(values)
    places, end = {graph.output: 0}, graph.output_size
    for index in shown:
        if index not in places:
            places[index] = end
            end += graph.nodes[index].size
    spans = tuple((places[i], places[i] + graph.nodes[i].size) for i in shown)
    if len(places) == 1:
        return graph, spans
    builder = Builder(graph.nodes)
    output = builder.emit("concat", *places)
    return replace(graph, nodes=tuple(builder.nodes), output=output), spans
