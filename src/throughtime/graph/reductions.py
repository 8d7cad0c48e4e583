"""Sums over a vector of which parts are used as well.

A normalised vector is read whole, for its mean, and in parts, for its gates. Kernels
compute part by part; so the sum of the whole is written as that of its parts, else the
vector would be computed twice.
"""

from collections.abc import Sequence
from dataclasses import replace

from throughtime.graph.builder import Builder
from throughtime.graph.nodes import Node, StepGraph
from throughtime.graph.operations import Kind


def split_reductions(graph: StepGraph) -> tuple[StepGraph, list[int]]:
    """The graph with such sums and means in parts, and each node's new position."""
    ends = part_ends(graph.nodes)
    builder = Builder()
    positions: list[int] = []
    for node in graph.nodes:
        arguments = [positions[argument] for argument in node.arguments]
        stops = ends[node.arguments[0]] if node.operation in {"sum", "mean"} else ()
        if len(stops) > 1:
            total = _sum_of_parts(builder, arguments[0], stops)
            if node.operation == "mean":
                total = builder.emit("divide", total, builder.constant(stops[-1]))
            positions.append(total)
        else:
            moved = tuple(arguments)
            positions.append(builder.place(replace(node, arguments=moved)))
    divided = replace(
        graph,
        nodes=tuple(builder.nodes),
        output=positions[graph.output],
        new_states=tuple(positions[index] for index in graph.new_states),
        names=tuple((name, positions[index]) for name, index in graph.names),
    )
    return divided, positions


def part_ends(nodes: Sequence[Node]) -> list[tuple[int, ...]]:
    """Of each value that is taken apart, where its parts end; of others nothing.

    What is computed unit by unit from a vector that is taken apart, or becomes one, is
    taken apart at the same places.
    """
    group = _groups(nodes)
    ends: dict[int, set[int]] = {}
    for node in nodes:
        if node.operation == "slice" and node.kind is Kind.STEP:
            whole = node.arguments[0]
            places = {int(bound) for bound in node.attributes}
            ends.setdefault(group[whole], {nodes[whole].size}).update(places)
    return [
        tuple(sorted(ends.get(group[index], set()) - {0}))
        for index in range(len(nodes))
    ]


def _groups(nodes: Sequence[Node]) -> list[int]:
    """For each node the first of those that it is bound to unit by unit."""
    group = list(range(len(nodes)))

    def first(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    for index, node in enumerate(nodes):
        if node.family in {"pointwise", "comparison"} and node.size > 1:
            for argument in node.arguments:
                same = nodes[argument].shape == node.shape
                if same and nodes[argument].kind is not Kind.PARAMETER:
                    low, high = sorted((first(argument), first(index)))
                    group[high] = low
    return [first(index) for index in range(len(nodes))]


def _sum_of_parts(builder: Builder, whole: int, stops: Sequence[int]) -> int:
    total, start = -1, 0
    for stop in stops:
        part = builder.emit("slice", whole, attributes=(start, stop))
        one = builder.emit("sum", part)
        total = one if total < 0 else builder.emit("add", total, one)
        start = stop
    return total
