"""Cutting a program out of a graph: leaves become rows of buffers."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from throughtime.graph.builder import Builder
from throughtime.graph.nodes import Node
from throughtime.graph.operations import Kind
from throughtime.graph.programs import Span
from throughtime.graph.views import VIEWING

PARAMETER_STRUCTURE = VIEWING | {"expand"}


class Operands:
    """The expressions of parameters alone that programs read, in order of the nodes.

    Which program reads one first does not matter: plans of the same nodes agree.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        used = {
            root
            for node in nodes
            if node.kind is not Kind.PARAMETER
            for argument in node.arguments
            for root in _roots(nodes, argument)
        }
        self.positions = {index: place for place, index in enumerate(sorted(used))}

    def position(self, index: int) -> int:
        return self.positions.setdefault(index, len(self.positions))


class Section:
    """A program in the making: copies nodes, stopping at what lies in buffers."""

    def __init__(
        self,
        nodes: Sequence[Node],
        available: Mapping[int, Span],
        leaf: Callable[[Builder, Node], int],
        operands: Operands,
    ) -> None:
        self.nodes = nodes
        self.available = available
        self.builder = Builder()
        self._leaf = leaf
        self._operands = operands
        self._known: dict[int, int] = {}

    def emit(self, wanted: int) -> int:
        """Position in the program of a node of the graph, made if it is new."""
        for index in self._needed(wanted):
            self._known[index] = self._make(index)
        return self._known[wanted]

    def _needed(self, wanted: int) -> list[int]:
        needed: set[int] = set()
        waiting = [wanted]
        while waiting:
            index = waiting.pop()
            if index in needed or index in self._known:
                continue
            needed.add(index)
            if index not in self.available and not _is_operand(self.nodes[index]):
                waiting.extend(self.nodes[index].arguments)
        return sorted(needed)

    def _make(self, index: int) -> int:
        if index in self.available:
            span = self.available[index]
            return self.builder.emit(
                "stream", attributes=(span.buffer, span.start, span.size)
            )
        node = self.nodes[index]
        if _is_operand(self.nodes[index]):
            position = self._operands.position(index)
            return self.builder.emit("operand", attributes=(position, *node.shape))
        if node.family == "leaf" and node.operation != "constant":
            return self._leaf(self.builder, node)
        return self._copy(index)

    def _copy(self, index: int) -> int:
        node = self.nodes[index]
        arguments = (self._known[argument] for argument in node.arguments)
        return self.builder.emit(
            node.operation,
            *arguments,
            attributes=node.attributes,
            source=node.source,
        )


def _is_operand(node: Node) -> bool:
    if node.kind is not Kind.PARAMETER or node.operation == "constant":
        return False
    return node.operation not in PARAMETER_STRUCTURE


def _roots(nodes: Sequence[Node], index: int) -> list[int]:
    """Operands that a view of parameters stands on."""
    node = nodes[index]
    if node.kind is not Kind.PARAMETER or node.operation == "constant":
        return []
    if _is_operand(node):
        return [index]
    return [root for inner in node.arguments for root in _roots(nodes, inner)]


def heavy(nodes: Sequence[Node], stop: Iterable[int] = ()) -> set[int]:
    """Nodes made by way of a product or a reduction, not counting through ``stop``."""
    barred, found = set(stop), set()
    for index, node in enumerate(nodes):
        if index in barred:
            continue
        own = node.operation == "product" or node.family == "reduction"
        if own or any(argument in found for argument in node.arguments):
            found.add(index)
    return found
