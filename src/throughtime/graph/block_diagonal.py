"""Heads: the same step with block-diagonal matrices wherever a state is multiplied.

The units are divided into heads, and a unit sees the units of its own head alone. Of
each matrix only the blocks are kept: the row of a unit holds the weights within its
head, so a matrix of ``(rows, columns)`` becomes one of ``(rows, columns / heads)``.
Matrices that multiply the input stay whole. What is drawn for a divided matrix, such as
the masks of DropConnect, is drawn for its blocks. Everything is written head by head,
and joined where a whole vector is needed: so each head stays in the registers of a
kernel.
"""

from collections.abc import Iterable
from dataclasses import replace

from throughtime.errors import CellError
from throughtime.graph.builder import Builder, prune
from throughtime.graph.nodes import Node, StepGraph, ancestors, dependents, verify
from throughtime.graph.operations import OPERATIONS, Attribute, ShapeError
from throughtime.graph.simplify import SPLITTING

ANOTHER = "give another number of heads, or 1"
NONE_HELPS = "nor is any other number of heads but 1"


def with_heads(graph: StepGraph, heads: int) -> StepGraph:
    """The graph of the same cell with so many heads; one changes nothing.

    Raises
    ------
    CellError
        No state is multiplied by a matrix, or one of these matrices cannot be divided.
    """
    return graph if heads == 1 else _Divider(graph, heads).graph()


class _Divider:
    def __init__(self, graph: StepGraph, heads: int) -> None:
        self.whole = graph
        self.heads = heads
        nodes = graph.nodes
        states = [i for i, node in enumerate(nodes) if node.operation == "state"]
        late = dependents(nodes, states)
        products = [i for i, node in enumerate(nodes) if node.operation == "product"]
        self.recurrent = [i for i in products if nodes[i].arguments[1] in late]
        self.divided = self._matrices_of(self.recurrent)
        others = self._matrices_of(set(products) - set(self.recurrent))
        if not self.recurrent:
            raise self._refusal("it multiplies no state by a matrix")
        for index in sorted(self.divided & others):
            reason = f"{_name(nodes[index])} multiplies a state, and the input as well"
            raise self._refusal(reason)
        self.builder = Builder(rules=(_join_late, *SPLITTING))

    def graph(self) -> StepGraph:
        positions: list[int] = []
        for index, node in enumerate(self.whole.nodes):
            arguments = [positions[argument] for argument in node.arguments]
            positions.append(self._place(index, node, arguments))
        names = {_name(self.whole.nodes[index]) for index in self.divided}
        divided = replace(
            self.whole,
            heads=self.heads,
            parameters=tuple(
                replace(one, shape=(one.shape[0], self._part(one.shape[1])))
                if one.name in names
                else one
                for one in self.whole.parameters
            ),
            nodes=tuple(self.builder.nodes),
            output=positions[self.whole.output],
            new_states=tuple(positions[index] for index in self.whole.new_states),
            names=tuple((name, positions[index]) for name, index in self.whole.names),
        )
        return verify(prune(divided))

    def _place(self, index: int, node: Node, arguments: list[int]) -> int:
        if index in self.recurrent:
            matrix, vector = arguments
            columns = self.whole.nodes[node.arguments[0]].shape[1]
            return self._blocks(matrix, vector, columns, node.source)
        attributes = node.attributes
        if index in self.divided:
            attributes = (*attributes[:-1], self._part(node.shape[1]))
        try:
            return self.builder.emit(
                node.operation, *arguments, attributes=attributes, source=node.source
            )
        except ShapeError:
            reason = f"{node.operation} joins blocks with something else"
            raise self._refusal(reason, node.source, NONE_HELPS) from None

    def _blocks(self, matrix: int, vector: int, columns: int, source: str) -> int:
        """A product of each gate and head, joined in the order of the rows.

        The matrix had so many columns before it was divided.
        """
        width = self._part(columns)
        rows, own = self.builder.nodes[matrix].shape
        if own != width:
            reason = "a state is multiplied by a transpose or by columns"
            raise self._refusal(reason, source, NONE_HELPS)
        gates, rest = divmod(rows, self.whole.hidden_size)
        gate = rows if rest or not gates else self.whole.hidden_size
        height = self._part(gate)
        parts = [
            self.builder.emit(
                "product",
                self._range(matrix, top + head * height, height),
                self._range(vector, head * width, width),
                source=source,
            )
            for top in range(0, rows, gate)
            for head in range(self.heads)
        ]
        return self.builder.emit("concat", *parts, source=source)

    def _range(self, index: int, start: int, size: int) -> int:
        attributes = (start, start + size)
        return self.builder.emit("slice", index, attributes=attributes)

    def _part(self, size: int) -> int:
        if size % self.heads:
            raise self._refusal(f"{size} units cannot be divided into {self.heads}")
        return size // self.heads

    def _matrices_of(self, products: Iterable[int]) -> set[int]:
        """What their matrices are made of: others that are given or drawn.

        Single numbers, which scale a whole matrix, are none.
        """
        nodes = self.whole.nodes
        made_of = ancestors(nodes, [nodes[index].arguments[0] for index in products])
        return {
            i for i in made_of if not nodes[i].arguments and len(nodes[i].shape) == 2
        }

    def _refusal(
        self, reason: str, source: str = "", advice: str = ANOTHER
    ) -> CellError:
        place = f"{source}: " if source else ""
        return CellError(
            cell=self.whole.cell,
            reason=f"{place}heads={self.heads} is not possible, {reason}; {advice}",
        )


def _name(node: Node) -> str:
    """What a leaf is called: a parameter by its name."""
    return str(node.attributes[0]) if node.operation == "parameter" else node.operation


def _join_late(
    builder: Builder,
    operation: str,
    arguments: tuple[int, ...],
    attributes: tuple[Attribute, ...],
) -> int | None:
    """Write ``f(concat(a, b), c)`` as ``concat(f(a, c_a), f(b, c_b))``."""
    nodes = builder.nodes
    joined = [nodes[index] for index in arguments if nodes[index].operation == "concat"]
    if OPERATIONS[operation].family != "pointwise" or not joined:
        return None
    parts: list[int] = []
    start = 0
    for part in joined[0].arguments:
        span = (start, start + builder.size(part))
        own = [
            index
            if builder.size(index) == 1
            else builder.emit("slice", index, attributes=span)
            for index in arguments
        ]
        parts.append(builder.emit(operation, *own, attributes=attributes))
        start = span[1]
    return builder.emit("concat", *parts)
