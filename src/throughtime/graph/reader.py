"""Nodes of a step read as mathematical expressions."""

from collections.abc import Callable, Mapping, Sequence

from throughtime.graph.expressions import (
    Expression,
    Span,
    factored,
    function,
    is_number,
    negated,
    number,
    parameter,
    restrict,
    times,
    total,
    transposed,
    value,
)
from throughtime.graph.nodes import Node, dependents
from throughtime.graph.operations import COMPARISONS

FUNCTION_NAMES = {"sigmoid": "σ", "maximum": "max", "minimum": "min"}
COMPARISON_SIGNS = {
    "less": "<",
    "less_equal": "≤",
    "greater": ">",
    "greater_equal": "≥",
    "equal": "=",
    "not_equal": "≠",
}
OPPOSITES = {"<": "≥", "≤": ">", ">": "≤", "≥": "<", "=": "≠", "≠": "="}

Parts = Sequence[Expression]


class Reader:
    """Reads nodes; those that have a symbol are written by it.

    Parameters
    ----------
    nodes
        Of a step graph, or of its adjoint.
    letters
        What each parameter is called in print.
    symbols
        Nodes that have a line of their own, and how other lines call them.
    forward
        Number of forward nodes. Behind them, factors are written derivative first
        and δ last, and common factors of a sum are drawn together.
    arriving
        What the adjoints that reach the step from outside are written as.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        letters: Mapping[str, str],
        symbols: Mapping[int, Expression],
        forward: int,
        arriving: Callable[[str], Expression] = value,
    ) -> None:
        self.nodes = nodes
        self.letters = letters
        self.symbols = dict(symbols)
        self.forward = forward
        arrivals = [i for i, node in enumerate(nodes) if node.operation == "gradient"]
        self.error = dependents(nodes, arrivals)
        self.arriving = arriving

    def read(self, index: int, span: Span | None = None) -> Expression:
        """What stands for a node, or a range of it, in another node's line."""
        if span == (0, self.nodes[index].size):
            span = None
        if index in self.symbols:
            return restrict(self.symbols[index], span)
        return self.define(index, span)

    def define(self, index: int, span: Span | None = None) -> Expression:
        """The right side of a node's own line."""
        node = self.nodes[index]
        match node.operation:
            case "slice":
                start, stop = (int(bound) for bound in node.attributes)
                if span is not None:
                    start, stop = start + span[0], start + span[1]
                return self.read(node.arguments[0], (start, stop))
            case "concat":
                return self._concat(node, span)
            case "product":
                matrix, vector = node.arguments
                parts = (self.read(matrix, span), self.read(vector))
                return Expression("product", parts)
            case "transpose" if span is not None:
                whole = self.read(node.arguments[0])
                columns = Expression("columns", (whole,), span=span)
                return Expression("transpose", (columns,))
        if node.family in {"pointwise", "comparison"}:
            parts = [self._unit_by_unit(argument, span) for argument in node.arguments]
            if node.operation == "multiply" and node.arguments[0] in self.error:
                parts.reverse()
            joined = self._joined(node, parts)
            return factored(joined) if index >= self.forward else joined
        parts = [self.read(argument) for argument in node.arguments]
        return restrict(self._whole(node, parts), span)

    def _unit_by_unit(self, argument: int, span: Span | None) -> Expression:
        return self.read(argument, None if self.nodes[argument].size == 1 else span)

    def _concat(self, node: Node, span: Span | None) -> Expression:
        low, high = span or (0, node.size)
        pieces: list[Expression] = []
        offset = 0
        for argument in node.arguments:
            size = self.nodes[argument].size
            start, stop = max(low - offset, 0), min(high - offset, size)
            if start < stop:
                pieces.append(self.read(argument, (start, stop)))
            offset += size
        return pieces[0] if len(pieces) == 1 else Expression("concat", tuple(pieces))

    def _whole(self, node: Node, parts: Parts) -> Expression:
        """Leaves, reductions and what else is not done unit by unit."""
        name = str(node.attributes[0]) if node.attributes else ""
        match node.operation:
            case "constant":
                return number(float(name))
            case "zeros":
                return number(0)
            case "parameter":
                return parameter(self.letters[name])
            case "state":
                return value(name, -1)
            case "gradient":
                return self.arriving(name)
            case "input":
                return value(name)
            case "mask" | "noise":
                return _random(node)
            case "kth_largest":
                # A count, which no letter of a size stands for.
                return function(node.operation, *parts, parameter(name))
            case "transpose":
                return transposed(parts[0])
            case "slice_columns":
                start, stop = (int(bound) for bound in node.attributes)
                return Expression("columns", tuple(parts), span=(start, stop))
        return function(node.operation, *parts)

    def _joined(self, node: Node, parts: Parts) -> Expression:
        known = POINTWISE.get(node.operation)
        if known is not None:
            return known(parts)
        if node.operation in COMPARISONS:
            sign = COMPARISON_SIGNS[node.operation]
            return Expression("compare", tuple(parts), sign)
        if node.operation == "power":
            return Expression("power", (parts[0],), repr(float(node.attributes[0])))
        if node.operation == "clip":
            parts = [*parts, *(number(float(bound)) for bound in node.attributes)]
        name = FUNCTION_NAMES.get(node.operation, node.operation)
        return function(name, *parts)


def _random(node: Node) -> Expression:
    """What was drawn, with what chance or deviation; how often, if not at each step."""
    amount, period, *_ = node.attributes
    parts = [number(float(amount))]
    if period == "sequence":
        parts.append(parameter("per sequence"))
    return function(node.operation, *parts)


def _where(parts: Parts) -> Expression:
    """A choice; one between something and 0 by Iverson's bracket."""
    condition, yes, no = parts
    if yes == no:
        return yes
    if is_number(no, 0):
        return times(Expression("iverson", (condition,)), yes)
    if is_number(yes, 0) and condition.head == "compare":
        other = Expression("compare", condition.parts, OPPOSITES[condition.name])
        return times(Expression("iverson", (other,)), no)
    return function("where", *parts)


def _one_over(part: Expression) -> Expression:
    return Expression("over", (number(1), part))


POINTWISE: dict[str, Callable[[Parts], Expression]] = {
    "add": lambda parts: total(*parts),
    "subtract": lambda parts: total(parts[0], negated(parts[1])),
    "negate": lambda parts: negated(parts[0]),
    "multiply": lambda parts: times(*parts),
    "divide": lambda parts: Expression("over", tuple(parts)),
    "square": lambda parts: Expression("power", tuple(parts), "2.0"),
    "sqrt": lambda parts: Expression("root", tuple(parts)),
    "rsqrt": lambda parts: _one_over(Expression("root", tuple(parts))),
    "reciprocal": lambda parts: _one_over(parts[0]),
    "abs": lambda parts: Expression("absolute", tuple(parts)),
    "where": _where,
    "expand": lambda parts: parts[0],
}
