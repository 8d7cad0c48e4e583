"""Sums over units of what one number of the step goes into.

The error of a mean is a sum of errors, to which the error of a variance has given a
part: a number times a vector. Taken as that number times the vector's sum, it need not
be known before the sum begins, and a kernel reads the vector once less.
"""

from throughtime.graph.builder import Builder
from throughtime.graph.operations import Attribute


def linear_sum(
    b: Builder, op: str, args: tuple[int, ...], _: tuple[Attribute, ...]
) -> int | None:
    """Take numbers out of a sum: ``Σ -v``, ``Σ s v``, ``Σ (v ± s w)``."""
    if op != "sum" or b.size(args[0]) == 1:
        return None
    node = b.nodes[args[0]]
    match node.operation:
        case "negate":
            return b.emit("negate", b.emit("sum", *node.arguments))
        case "expand":
            return b.emit("multiply", *node.arguments, b.constant(node.size))
        case "multiply":
            return _scaled(b, *node.arguments)
        case "add" | "subtract":
            if any(
                _number(b, a) is not None or _is_scaled(b, a) for a in node.arguments
            ):
                return b.emit(
                    node.operation, *(_sum(b, a, node.size) for a in node.arguments)
                )
    return None


def _number(b: Builder, index: int) -> int | None:
    """The one number that a value has for all its units, if it has one."""
    node = b.nodes[index]
    if node.operation == "expand":
        return node.arguments[0]
    return index if node.size == 1 else None


def _is_scaled(b: Builder, index: int) -> bool:
    node = b.nodes[index]
    numbers = [_number(b, argument) for argument in node.arguments]
    return node.operation == "multiply" and any(n is not None for n in numbers)


def _scaled(b: Builder, left: int, right: int) -> int | None:
    for vector, other in ((left, right), (right, left)):
        number = _number(b, other)
        if number is not None and b.size(vector) > 1:
            return b.emit("multiply", b.emit("sum", vector), number)
    return None


def _sum(b: Builder, index: int, size: int) -> int:
    if b.size(index) == 1:
        return b.emit("multiply", index, b.constant(size))
    return b.emit("sum", index)
