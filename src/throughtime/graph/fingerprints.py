"""Equal values recognised in graphs that write them differently.

Passes over a graph reorder sums, push ranges to the leaves and drop names. A
fingerprint is the same number for the same value all the same.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from throughtime.graph.expressions import Span
from throughtime.graph.nodes import Node

Leaf = Callable[[Node, Span | None], int]


class Fingerprints:
    """Numbers for values; those of several graphs can be compared."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        # A value may be read from a buffer where another graph computes it: what is
        # inside a number is kept, so that a sum of sums is one sum.
        self._insides: dict[tuple[str, int], Counter[int]] = {}

    def number(self, key: Hashable) -> int:
        """A number for this key, the same every time."""
        return self._numbers.setdefault(key, len(self._numbers))

    def bag(self, sign: str, parts: Counter[int]) -> int:
        """The number of a sum or a product, whatever the order of its parts."""
        found = {part: count for part, count in parts.items() if count}
        if sign == "sum":
            found.pop(self.number("zero"), None)
        if list(found.values()) == [1]:
            return next(iter(found))
        result = self.number((sign, frozenset(found.items())))
        self._insides[sign, result] = Counter(found)
        return result

    def inside(self, sign: str, number: int) -> Counter[int]:
        """The parts of a sum or a product; anything else is its own only part."""
        return self._insides.get((sign, number), Counter({number: 1}))

    def of(self, nodes: Sequence[Node], leaf: Leaf) -> "GraphPrints":
        """Fingerprints of one graph's nodes; ``leaf`` says those of its leaves."""
        return GraphPrints(self, nodes, leaf)


class GraphPrints:
    """Fingerprints of the nodes of one graph, or of ranges of them."""

    def __init__(self, shared: Fingerprints, nodes: Sequence[Node], leaf: Leaf) -> None:
        self._shared = shared
        self._nodes = nodes
        self._leaf = leaf
        self._known: dict[tuple[int, Span | None], int] = {}

    def of(self, index: int, span: Span | None = None) -> int:
        """The fingerprint of a range of a node's units, or of all."""
        if span == (0, self._nodes[index].size):
            span = None
        known = self._known.get((index, span))
        if known is None:
            known = self._make(index, span)
            self._known[index, span] = known
        return known

    def _make(self, index: int, span: Span | None) -> int:
        node = self._nodes[index]
        match node.operation:
            case "slice":
                start, stop = (int(bound) for bound in node.attributes)
                low, high = span or (0, stop - start)
                return self.of(node.arguments[0], (start + low, start + high))
            case "add" | "subtract" | "negate":
                return self._shared.bag("sum", self._terms(index, span))
            case "multiply" | "square":
                return self._shared.bag("times", self._factors(index, span))
            case "product":
                matrix, vector = node.arguments
                key = ("product", self.of(matrix, span), self.of(vector))
                return self._shared.number(key)
        if node.family == "leaf":
            return self._leaf(node, span)
        if node.family in {"pointwise", "comparison"}:
            parts = tuple(self._part(argument, span) for argument in node.arguments)
            return self._shared.number((node.operation, node.attributes, parts))
        parts = tuple(self.of(argument) for argument in node.arguments)
        return self._shared.number((node.operation, node.attributes, parts, span))

    def _part(self, argument: int, span: Span | None) -> int:
        return self.of(argument, None if self._nodes[argument].size == 1 else span)

    def _terms(self, index: int, span: Span | None) -> Counter[int]:
        node = self._nodes[index]
        first, *rest = [self._inside("sum", a, span) for a in node.arguments]
        if node.operation == "negate":
            return Counter({term: -count for term, count in first.items()})
        total = Counter(first)
        for term, count in rest[0].items():
            total[term] += count if node.operation == "add" else -count
        return total

    def _factors(self, index: int, span: Span | None) -> Counter[int]:
        node = self._nodes[index]
        arguments = node.arguments * (2 if node.operation == "square" else 1)
        total: Counter[int] = Counter()
        for argument in arguments:
            total.update(self._inside("times", argument, span))
        return total

    def _inside(self, sign: str, argument: int, span: Span | None) -> Counter[int]:
        return self._shared.inside(sign, self._part(argument, span))
