"""A step that gives out what it computes inside: its named values behind its output."""

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
    places = {graph.output: 0}
    end = graph.output_size
    names = value_names(graph)
    for index in names.values():
        if index not in places:
            places[index] = end
            end += graph.nodes[index].size
    builder = Builder(graph.nodes)
    output = builder.emit("concat", *places)
    spans = [
        (name, places[index], places[index] + graph.nodes[index].size)
        for name, index in names.items()
    ]
    longer = replace(graph, nodes=tuple(builder.nodes), output=output)
    return Exposed(longer, tuple(spans))
