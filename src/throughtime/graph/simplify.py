"""Rules that rewrite a graph into the form that plans are made from.

Three groups: ``ALGEBRA`` drops what does nothing, ``SPLITTING`` pushes ranges of units
to the leaves, ``EXPANSION`` writes composed functions with simpler ones.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from throughtime.graph.builder import Builder, Rule, prune, rebuild
from throughtime.graph.nodes import Node, StepGraph, dependents
from throughtime.graph.operations import WATCH, Attribute, Kind
from throughtime.graph.reductions import split_reductions

Arguments = tuple[int, ...]
Attributes = tuple[Attribute, ...]


def _neutral(b: Builder, op: str, args: Arguments, _: Attributes) -> int | None:
    """Drop ``+ 0``, ``- 0``, ``* 1``, ``/ 1`` and double negation."""
    if op == "negate" and b.nodes[args[0]].operation == "negate":
        return b.nodes[args[0]].arguments[0]
    neutral = {"add": 0.0, "subtract": 0.0, "multiply": 1.0, "divide": 1.0}.get(op)
    if neutral is None:
        return None
    sides = (args, args[::-1]) if op in {"add", "multiply"} else (args,)
    for kept, dropped in sides:
        known = _number(b, dropped)
        fits = b.nodes[dropped].shape in {(1,), b.nodes[kept].shape}
        if known == neutral and fits:
            return kept
    return None


def _number(b: Builder, index: int) -> float | None:
    return 0.0 if b.nodes[index].operation == "zeros" else b.constant_of(index)


def _subtraction(b: Builder, op: str, args: Arguments, _: Attributes) -> int | None:
    """Write ``a + (-b)`` as ``a - b``."""
    if op == "add" and b.nodes[args[1]].operation == "negate":
        return b.emit("subtract", args[0], b.nodes[args[1]].arguments[0])
    return None


def _powers(b: Builder, op: str, args: Arguments, attrs: Attributes) -> int | None:
    """Write the common powers with the functions that they are."""
    if op != "power":
        return None
    if attrs[0] == 1.0:
        return args[0]
    name = {2.0: "square", 0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}
    found = name.get(float(attrs[0]))
    return b.emit(found, *args) if found else None


def _slices(b: Builder, op: str, args: Arguments, attrs: Attributes) -> int | None:
    """Move a range of units towards the leaves."""
    if op != "slice":
        return None
    node = b.nodes[args[0]]
    start, stop = int(attrs[0]), int(attrs[1])
    if (start, stop) == (0, node.size):
        return args[0]
    if node.operation == "slice":
        offset = int(node.attributes[0])
        moved = (start + offset, stop + offset)
        return b.emit("slice", *node.arguments, attributes=moved)
    if node.operation == "concat":
        return _slice_of_concat(b, node, start, stop)
    if node.operation == "zeros":
        return b.leaf("zeros", "", (stop - start, *node.shape[1:]))
    if node.kind is Kind.PARAMETER:
        return None
    if node.family == "random":
        amount, period, stream, first, _ = node.attributes
        moved = (amount, period, stream, int(first) + start, stop - start)
        return b.emit(node.operation, attributes=moved)
    if node.operation == "product":
        matrix, vector = node.arguments
        rows = b.emit("slice", matrix, attributes=attrs)
        return b.emit("product", rows, vector)
    if node.operation == "expand":
        return b.emit("expand", *node.arguments, attributes=(stop - start,))
    if node.family in {"pointwise", "comparison"}:
        parts = [
            a if b.size(a) == 1 else b.emit("slice", a, attributes=attrs)
            for a in node.arguments
        ]
        return b.emit(node.operation, *parts, attributes=node.attributes)
    return None


def _slice_of_concat(b: Builder, node: Node, start: int, stop: int) -> int:
    pieces: list[int] = []
    offset = 0
    for part in node.arguments:
        low, high = max(start, offset), min(stop, offset + b.size(part))
        if low < high:
            span = (low - offset, high - offset)
            pieces.append(b.emit("slice", part, attributes=span))
        offset += b.size(part)
    return pieces[0] if len(pieces) == 1 else b.emit("concat", *pieces)


def product_of_concat(
    b: Builder, op: str, args: Arguments, _: Attributes
) -> int | None:
    """Write ``W @ concat(a, b)`` as ``W_a @ a + W_b @ b``."""
    if op != "product" or b.nodes[args[1]].operation != "concat":
        return None
    total, offset = -1, 0
    for part in b.nodes[args[1]].arguments:
        span = (offset, offset + b.size(part))
        columns = b.emit("slice_columns", args[0], attributes=span)
        term = b.emit("product", columns, part)
        total = term if total < 0 else b.emit("add", total, term)
        offset = span[1]
    return total


def _joined_slices(b: Builder, op: str, args: Arguments, _: Attributes) -> int | None:
    """Add whole parameters rather than their equal ranges: one sum serves all."""
    if op != "add" or not all(b.is_parameter(argument) for argument in args):
        return None
    left, right = (b.nodes[argument] for argument in args)
    if left.operation != "slice" or right.operation != "slice":
        return None
    wholes = (left.arguments[0], right.arguments[0])
    same = b.nodes[wholes[0]].shape == b.nodes[wholes[1]].shape
    if not same or left.attributes != right.attributes:
        return None
    return b.emit("slice", b.emit("add", *wholes), attributes=left.attributes)


def _single_concat(b: Builder, op: str, args: Arguments, _: Attributes) -> int | None:
    return args[0] if op == "concat" and len(args) == 1 else None


def _expand_softmax(b: Builder, op: str, args: Arguments, _: Attributes) -> int | None:
    if op != "softmax":
        return None
    shifted = b.emit("subtract", args[0], b.emit("max", args[0]))
    positive = b.emit("exp", shifted)
    return b.emit("divide", positive, b.emit("sum", positive))


def _expand_mean(b: Builder, op: str, args: Arguments, _: Attributes) -> int | None:
    if op != "mean":
        return None
    return b.emit("divide", b.emit("sum", args[0]), b.constant(b.size(args[0])))


def _expand_gates(b: Builder, op: str, args: Arguments, _: Attributes) -> int | None:
    match op:
        case "silu":
            return b.emit("multiply", args[0], b.emit("sigmoid", args[0]))
        case "gelu":
            scaled = b.emit("multiply", args[0], b.constant(math.sqrt(0.5)))
            lifted = b.emit("add", b.emit("erf", scaled), b.constant(1.0))
            half = b.emit("multiply", args[0], b.constant(0.5))
            return b.emit("multiply", half, lifted)
        case "square":
            return b.emit("multiply", args[0], args[0])
        case "reciprocal":
            return b.emit("divide", b.constant(1.0), args[0])
    return None


LARGEST_EXACT_POWER = 64


def _expand_power(
    b: Builder, op: str, args: Arguments, attrs: Attributes
) -> int | None:
    """Whole powers by repeated products, others as ``exp(p * log(v))``."""
    if op != "power":
        return None
    exponent = float(attrs[0])
    if exponent.is_integer() and abs(exponent) <= LARGEST_EXACT_POWER:
        positive = _whole_power(b, args[0], int(abs(exponent)))
        if exponent >= 0:
            return positive
        return b.emit("divide", b.constant(1.0), positive)
    logarithm = b.emit("log", args[0])
    return b.emit("exp", b.emit("multiply", logarithm, b.constant(exponent)))


def _whole_power(b: Builder, base: int, exponent: int) -> int:
    if exponent == 0:
        # Still a value of the step, which an output or a state has to be; also of NaN.
        one = b.constant(1.0)
        return b.emit("where", b.emit("equal", base, base), one, one)
    result, square = -1, base
    while exponent:
        if exponent & 1:
            result = square if result < 0 else b.emit("multiply", result, square)
        exponent >>= 1
        if exponent:
            square = b.emit("multiply", square, square)
    return result


def unwatched(b: Builder, op: str, args: Arguments, _: Attributes) -> int | None:
    """Leave of a watched value the value: only the adjoint differs."""
    return args[0] if op == WATCH else None


def _on_step(rule: Rule) -> Rule:
    """Apply a rule to values of the step only; parameters stay as written."""

    def guarded(b: Builder, op: str, args: Arguments, attrs: Attributes) -> int | None:
        if args and all(b.is_parameter(argument) for argument in args):
            return None
        return rule(b, op, args, attrs)

    return guarded


ALGEBRA: tuple[Rule, ...] = (_neutral, _subtraction, _powers)
SPLITTING: tuple[Rule, ...] = (
    _slices,
    product_of_concat,
    _single_concat,
    _joined_slices,
)
EXPANSION: tuple[Rule, ...] = tuple(
    _on_step(rule)
    for rule in (_expand_softmax, _expand_mean, _expand_gates, _expand_power, unwatched)
)


def simplify(graph: StepGraph) -> StepGraph:
    """Sums in the order of the kernels, ranges at the leaves, nothing idle.

    Names go: a value that is only named would otherwise be kept and computed.
    """
    divided, _ = split_reductions(replace(graph, names=()))
    ordered = order_sums(divided)
    rules = (*ALGEBRA, *SPLITTING)
    return rebuild(order_sums(rebuild(ordered, rules)), rules)


def order_sums(graph: StepGraph) -> StepGraph:
    """Write every sum in the order of `ordered_nodes`."""
    ends = (graph.output, *graph.new_states, *(index for _, index in graph.names))
    states = [i for i, node in enumerate(graph.nodes) if node.operation == "state"]
    nodes, position = ordered_nodes(graph.nodes, ends, states)
    return prune(
        replace(
            graph,
            nodes=nodes,
            output=position[graph.output],
            new_states=tuple(position[index] for index in graph.new_states),
            names=tuple((name, position[index]) for name, index in graph.names),
        )
    )


def ordered_nodes(
    nodes: Sequence[Node],
    ends: Iterable[int],
    recurrent: Iterable[int],
    first: int = 0,
) -> tuple[tuple[Node, ...], list[int]]:
    """Nodes with every sum reordered, and the new position of each old one.

    First parameters and what else needs no state, then products that need none, then
    products with states, then the rest: a kernel starts from the first, accumulates
    products on top, and adds what it computes unit by unit. So the bits do not depend
    on where the loop takes up. Nodes before ``first`` stay as they are.
    """
    late = dependents(nodes, recurrent)
    uses = [0] * len(nodes)
    for index in (*ends, *(a for node in nodes for a in node.arguments)):
        uses[index] += 1
    builder = Builder()
    positions: list[int] = []
    for index, node in enumerate(nodes):
        if index >= first and node.operation == "add" and node.kind is Kind.STEP:
            terms = _terms(nodes, node, uses)
            terms.sort(key=lambda term: _rank(nodes[term], term in late))
            positions.append(_chain(builder, [positions[term] for term in terms]))
        else:
            moved = tuple(positions[argument] for argument in node.arguments)
            positions.append(builder.place(replace(node, arguments=moved)))
    return tuple(builder.nodes), positions


def _terms(nodes: Sequence[Node], node: Node, uses: Sequence[int]) -> list[int]:
    terms: list[int] = []
    for argument in node.arguments:
        child = nodes[argument]
        same = child.operation == "add" and child.shape == node.shape
        if same and uses[argument] == 1 and child.kind is Kind.STEP:
            terms.extend(_terms(nodes, child, uses))
        else:
            terms.append(argument)
    return terms


def _rank(node: Node, late: bool) -> tuple[bool, bool, bool]:
    step = node.kind is not Kind.PARAMETER
    product = node.operation == "product"
    return step, late, product != late


def _chain(builder: Builder, terms: Sequence[int]) -> int:
    total = terms[0]
    for term in terms[1:]:
        total = builder.emit("add", total, term)
    return total
