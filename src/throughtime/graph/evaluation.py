"""A step without chance: every random value at its mean."""

import operator
from collections.abc import Callable
from dataclasses import replace

from throughtime.graph.builder import Builder, prune
from throughtime.graph.nodes import Node, StepGraph, infer
from throughtime.graph.operations import Attribute, Kind
from throughtime.graph.random_values import draw_of, is_random
from throughtime.graph.simplify import ALGEBRA

ARITHMETIC: dict[str, Callable[..., float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negate": operator.neg,
    "expand": float,
}


def evaluated(graph: StepGraph) -> StepGraph:
    """The graph that serves in evaluation; a graph that draws nothing is its own."""
    return _Means(graph).graph() if is_random(graph) else graph


class _Means:
    """Copies a graph; ``numbers`` are the nodes that are one number everywhere."""

    def __init__(self, graph: StepGraph) -> None:
        self.original = graph
        self.builder = Builder(rules=(_unscaled, *ALGEBRA))
        self.numbers: dict[int, float] = {}
        self.positions: dict[int, int] = {}

    def graph(self) -> StepGraph:
        graph = self.original
        for index, node in enumerate(graph.nodes):
            number = self._number(node)
            if number is None:
                self.positions[index] = self._copy(node)
            else:
                self.numbers[index] = number
        output, *states = map(self._end, (graph.output, *graph.new_states))
        named = [(name, self._end(index)) for name, index in graph.names]
        names = [(n, i) for n, i in named if self.builder.nodes[i].family != "leaf"]
        return prune(
            replace(
                graph,
                nodes=tuple(self.builder.nodes),
                output=output,
                new_states=tuple(states),
                names=tuple(names),
            )
        )

    def _number(self, node: Node) -> float | None:
        if node.operation == "constant":
            return float(node.attributes[0])
        if node.operation == "mask":
            return 1.0 - draw_of(node).amount
        if node.operation == "noise":
            return 0.0
        known = [self.numbers.get(argument) for argument in node.arguments]
        if node.operation not in ARITHMETIC or None in known:
            return None
        if node.operation == "divide" and known[1] == 0:
            return None
        return ARITHMETIC[node.operation](*known)

    def _copy(self, node: Node) -> int:
        """A node; numbers are as short as its shape and kind allow."""
        short = [self._position(argument) for argument in node.arguments]
        operands = [self.builder.nodes[position] for position in short]
        found = infer(node.operation, operands, node.attributes)
        if found != (node.shape, node.kind):
            short = [self._end(argument) for argument in node.arguments]
        return self.builder.emit(
            node.operation, *short, attributes=node.attributes, source=node.source
        )

    def _position(self, index: int) -> int:
        if index in self.numbers:
            return self.builder.constant(self.numbers[index])
        return self.positions[index]

    def _end(self, index: int) -> int:
        """Position of a value of the shape and kind that it had."""
        node, b = self.original.nodes[index], self.builder
        if index not in self.numbers or node.operation == "constant":
            return self._position(index)
        one = self._position(index)
        if node.kind is Kind.PARAMETER:
            return b.emit("add", b.leaf("zeros", "", node.shape), one)
        one = b.emit("where", b.emit("equal", one, one), one, one)
        size = (node.size,)
        return one if node.size == 1 else b.emit("expand", one, attributes=size)


def _unscaled(
    b: Builder, op: str, args: tuple[int, ...], _: tuple[Attribute, ...]
) -> int | None:
    """Write ``v * c / c`` as ``v``."""
    if op != "divide" or b.nodes[args[0]].operation != "multiply":
        return None
    factors, divisor = b.nodes[args[0]].arguments, b.constant_of(args[1])
    for kept, dropped in (factors, factors[::-1]):
        if divisor and b.constant_of(dropped) == divisor:
            return kept
    return None
