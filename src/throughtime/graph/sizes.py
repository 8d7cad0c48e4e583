"""Sizes in declarations: numbers, names, sums, products, whole quotients."""

import ast
from collections.abc import Mapping

Size = int | str


class SizeError(Exception):
    """A size that cannot be read or computed; callers add the declaration."""


def resolve(size: Size, known: Mapping[str, object]) -> int:
    """The number that a size such as ``"4*hidden"`` stands for.

    The text is parsed, never evaluated as code.

    Raises
    ------
    SizeError
        A name is unknown, a quotient not whole, the result less than 1.
    """
    value = size if isinstance(size, int) else _compute(_parse(size), size, known)
    if isinstance(value, bool) or value < 1:
        raise SizeError(f"the size `{size}` is {value}, but must be at least 1")
    return value


def _parse(size: Size) -> ast.expr:
    try:
        return ast.parse(str(size), mode="eval").body
    except SyntaxError:
        raise SizeError(f"the size `{size}` cannot be read") from None


def _compute(node: ast.expr, size: Size, known: Mapping[str, object]) -> int:
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name):
            return _named(name, size, known)
        case ast.BinOp(left=left, op=operator, right=right):
            return _join(
                operator,
                _compute(left, size, known),
                _compute(right, size, known),
                size,
            )
    raise SizeError(f"the size `{size}` must be made of numbers, names, +, -, * and /")


def _named(name: str, size: Size, known: Mapping[str, object]) -> int:
    value = known.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise SizeError(
            f"the size `{size}` reads `{name}`, which is "
            + (f"{value!r}, not a whole number" if name in known else "unknown")
        )
    return value


def _join(operator: ast.operator, left: int, right: int, size: Size) -> int:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div() | ast.FloorDiv():
            if right == 0 or left % right:
                raise SizeError(f"the size `{size}` is {left}/{right}, not whole")
            return left // right
    raise SizeError(f"the size `{size}` must be made of +, -, * and /")
