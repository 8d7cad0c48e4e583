"""A step that is given its products with x, and so need not be given x.

Where x has hundreds of thousands of features, of which a step names a few, the rows of
a matrix that belong to these features are looked up and added outside the step. What
is left of the step reads the sums, all of them side by side, as its x.
"""

from dataclasses import dataclass, replace

from throughtime.errors import CellError
from throughtime.graph.builder import Builder, prune
from throughtime.graph.nodes import Node, StepGraph, ancestors, dependents, verify


@dataclass(frozen=True)
class InputProducts:
    """The step behind its products with x, and the matrices of these products."""

    graph: StepGraph
    """Its x is the products, in the order of the matrices."""
    matrices: tuple[str, ...]
    """The parameters that multiply x, in declared order; the graph has them no more."""


def with_products(graph: StepGraph) -> InputProducts:
    """Divide a step into its products with x and what is left.

    Raises
    ------
    CellError
        x is used otherwise than in a product with a parameter, or such a parameter is
        used elsewhere as well.
    """
    return _Divider(graph).divided()


def input_matrices(graph: StepGraph) -> list[str]:
    """Name the parameters with a column for each feature of x, in declared order.

    They are matrices, or in what is made of some, and multiply x or what is made of x
    alone: a masked x, a squared one.
    """
    nodes = graph.nodes
    of_states = dependents(nodes, [i for i, n in enumerate(nodes) if _is_state(n)])
    of_x: set[int] = set()
    for index, node in enumerate(nodes):
        made = node.operation != "product" and not of_x.isdisjoint(node.arguments)
        if _is_x(node) or made:
            of_x.add(index)
    products = [node.arguments for node in nodes if node.operation == "product"]
    factors = [left for left, right in products if right in of_x - of_states]
    inside = {_parameter_of(nodes[i]) for i in ancestors(nodes, factors)}
    wide = [one for one in graph.parameters if one.shape[1:] == (graph.input_size,)]
    return [one.name for one in wide if one.name in inside]


class _Divider:
    def __init__(self, graph: StepGraph) -> None:
        self.whole = graph
        self.nodes = graph.nodes
        self.x = {i for i, node in enumerate(self.nodes) if _is_x(node)}
        used = {name for node in self.nodes for name in self._multiplier(node)}
        sizes = {one.name: one.shape[0] for one in graph.parameters}
        self.matrices = tuple(name for name in sizes if name in used)
        if not self.matrices:
            raise self._refusal("multiplies x by no matrix", "")
        ends = [sum(sizes[n] for n in self.matrices[:k]) for k in range(len(used) + 1)]
        self.starts = dict(zip(self.matrices, ends, strict=False))
        self.width = ends[-1]
        self.builder = Builder()

    def divided(self) -> InputProducts:
        whole = self.whole
        self.given = self.builder.leaf("input", "x", (self.width,))
        positions: list[int] = []
        for index, node in enumerate(self.nodes):
            # What the products alone read has no place.
            positions.append(
                -1 if self._leaves(index) else self._place(node, positions)
            )
        kept = [p for p in whole.parameters if p.name not in self.matrices]
        graph = replace(
            whole,
            input_size=self.width,
            parameters=tuple(kept),
            nodes=tuple(self.builder.nodes),
            output=positions[whole.output],
            new_states=tuple(positions[index] for index in whole.new_states),
            names=tuple((n, positions[i]) for n, i in whole.names if positions[i] >= 0),
        )
        return InputProducts(verify(prune(graph)), self.matrices)

    def _place(self, node: Node, positions: list[int]) -> int:
        if self._multiplies_x(node):
            name, start, stop = self._rows(node.arguments[0], node)
            first = self.starts[name]
            if (start, stop) == (0, self.width):
                return self.given
            span = (first + start, first + stop)
            return self.builder.emit(
                "slice", self.given, attributes=span, source=node.source
            )
        for argument in node.arguments:
            if positions[argument] < 0:
                name = self._matrix(argument)[0]
                reason = f"multiplies x by {name}, which it uses elsewhere as well"
                raise self._refusal(reason, node.source)
        moved = tuple(positions[argument] for argument in node.arguments)
        return self.builder.place(replace(node, arguments=moved))

    def _multiplier(self, node: Node) -> list[str]:
        """The parameter by which a node multiplies x, if it does."""
        if self._multiplies_x(node):
            return [self._rows(node.arguments[0], node)[0]]
        if self.x.intersection(node.arguments):
            raise self._refusal(f"uses x in {node.operation!r}", node.source)
        return []

    def _multiplies_x(self, node: Node) -> bool:
        return node.operation == "product" and node.arguments[1] in self.x

    def _leaves(self, index: int) -> bool:
        return index in self.x or self._matrix(index)[0] in self.matrices

    def _rows(self, index: int, product: Node) -> tuple[str, int, int]:
        found = self._matrix(index)
        if not found[0]:
            operation = self.nodes[index].operation
            reason = f"multiplies x by a {operation!r}, which is no parameter itself"
            raise self._refusal(reason, product.source)
        return found

    def _matrix(self, index: int) -> tuple[str, int, int]:
        """The parameter and its rows that a node is, or no name."""
        node = self.nodes[index]
        if node.operation == "parameter":
            return str(node.attributes[0]), 0, node.size
        if node.operation != "slice":
            return "", 0, 0
        name, first, _ = self._matrix(node.arguments[0])
        start, stop = (int(value) for value in node.attributes)
        return name, first + start, first + stop

    def _refusal(self, reason: str, source: str) -> CellError:
        place = f"{source}: " if source else ""
        return CellError(
            cell=self.whole.cell,
            reason=f"{place}it {reason}; where sparse_input=True, x is in no place but "
            "behind parameters of its own, as in self.weight_ih @ x: write it so, or "
            "give dense inputs",
        )


def _parameter_of(node: Node) -> str:
    return str(node.attributes[0]) if node.operation == "parameter" else ""


def _is_state(node: Node) -> bool:
    return node.operation == "state"


def _is_x(node: Node) -> bool:
    return node.operation == "input" and node.attributes[0] == "x"
