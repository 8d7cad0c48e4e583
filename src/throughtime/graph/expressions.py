"""Mathematical expressions as text, with as few parentheses as reading allows."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum

Span = tuple[int, int]
SizeText = Callable[[int], str]


class Binding(IntEnum):
    """How tightly the outermost sign of an expression holds its parts together."""

    SUM = 0
    TIMES = 1
    PRODUCT = 2
    SIGNED = 3
    ATOM = 4


@dataclass(frozen=True, slots=True)
class Expression:
    """A tree of an equation's right side.

    ``head`` says how the parts are joined; ``name``, ``shift`` (steps from t) and
    ``span`` (range of units) belong to symbols.
    """

    head: str
    parts: tuple["Expression", ...] = ()
    name: str = ""
    shift: int | None = None
    span: Span | None = None


def value(name: str, shift: int = 0) -> Expression:
    """A value of the step ``t + shift``."""
    return Expression("symbol", name=name, shift=shift)


def parameter(name: str) -> Expression:
    """A parameter, the same at every step."""
    return Expression("symbol", name=name)


def number(amount: float) -> Expression:
    """A constant."""
    return Expression("number", name=repr(float(amount)))


def function(name: str, *parts: Expression) -> Expression:
    """A function with its arguments in parentheses."""
    return Expression("function", parts, name)


def is_number(expression: Expression, amount: float) -> bool:
    """Whether it is this constant."""
    return expression.head == "number" and float(expression.name) == amount


def is_parameter(expression: Expression) -> bool:
    """Whether it is made of parameters, and not of numbers alone."""
    if expression.head == "symbol":
        return expression.shift is None
    if not expression.parts:
        return False
    return all(is_parameter(part) for part in expression.parts)


def restrict(expression: Expression, span: Span | None) -> Expression:
    """A range of an expression's units."""
    if span is None:
        return expression
    if expression.head == "symbol" and expression.span is None:
        return replace(expression, span=span)
    return Expression("range", (expression,), span=span)


def shifted(expression: Expression, steps: int) -> Expression:
    """The same expression some steps later."""
    parts = tuple(shifted(part, steps) for part in expression.parts)
    if expression.shift is None:
        return replace(expression, parts=parts)
    return replace(expression, parts=parts, shift=expression.shift + steps)


def negated(expression: Expression) -> Expression:
    """The expression with the other sign."""
    if expression.head == "negate":
        return expression.parts[0]
    if is_number(expression, 0):
        return expression
    return Expression("negate", (expression,))


def total(*terms: Expression) -> Expression:
    """A sum; parameters stand behind the matrix products."""
    flat: list[Expression] = []
    for term in terms:
        parts = term.parts if term.head == "sum" else (term,)
        flat += [part for part in parts if not is_number(part, 0)]
    if not flat:
        return number(0)
    products = [place for place, term in enumerate(flat) if term.head == "product"]
    if products:
        before = flat[: products[-1] + 1]
        before.sort(key=is_parameter)
        flat = [*before, *flat[products[-1] + 1 :]]
    if len(flat) == 1:
        return flat[0]
    return Expression("sum", tuple(flat))


def factored(expression: Expression) -> Expression:
    """``a ⊙ d − b ⊙ d`` as ``(a − b) ⊙ d``."""
    terms = expression.parts
    inner = [term.parts[0] if term.head == "negate" else term for term in terms]
    if expression.head != "sum" or any(term.head != "times" for term in inner):
        return expression
    last = inner[0].parts[-1]
    if any(term.parts[-1] != last for term in inner):
        return expression
    shorter = [times(*term.parts[:-1]) for term in inner]
    signed = [
        negated(short) if term.head == "negate" else short
        for term, short in zip(terms, shorter, strict=True)
    ]
    return times(total(*signed), last)


def times(*factors: Expression) -> Expression:
    """An elementwise product; numbers stand first, signs in front of all."""
    flat: list[Expression] = []
    negative = False
    for factor in factors:
        if factor.head == "negate":
            negative, factor = not negative, factor.parts[0]
        elif factor.head == "number" and float(factor.name) < 0:
            negative, factor = not negative, number(-float(factor.name))
        flat += factor.parts if factor.head == "times" else (factor,)
    flat = [factor for factor in flat if not is_number(factor, 1)]
    flat.sort(key=lambda factor: factor.head != "number")
    result = flat[0] if len(flat) == 1 else Expression("times", tuple(flat))
    result = result if flat else number(1)
    return negated(result) if negative else result


def text(expression: Expression, size_text: SizeText = str) -> str:
    """The expression on one line."""
    return _written(expression, size_text)[0]


def whole(expression: Expression, size_text: SizeText = str) -> str:
    """The same where something stands before it, such as ``∂L/∂(1 − v)``."""
    written, binding = _written(expression, size_text)
    return written if binding >= Binding.ATOM else f"({written})"


def transposed(expression: Expression) -> Expression:
    """The transpose; twice is the matrix itself."""
    if expression.head == "transpose":
        return expression.parts[0]
    return Expression("transpose", (expression,))


def without_range(expression: Expression) -> tuple[Expression, Span | None]:
    """What `restrict` was given, as far as it is about units."""
    if expression.head == "range":
        return expression.parts[0], expression.span
    if expression.head == "symbol":
        return replace(expression, span=None), expression.span
    return expression, None


# What stands before the part, how tightly the part and the whole are bound.
PREFIXES = {
    "negate": ("−", Binding.TIMES, Binding.SUM),
    "summed": ("Σ_t ", Binding.TIMES, Binding.TIMES),
    "root": ("√", Binding.ATOM, Binding.SIGNED),
}
# What stands between two parts, how tightly they and the whole are bound.
INFIXES = {
    "over": (" / ", Binding.TIMES, Binding.SIGNED, Binding.TIMES),
    "product": (" ", Binding.SIGNED, Binding.PRODUCT, Binding.PRODUCT),
}
# What stands before, between and behind the parts.
BRACKETS = {
    "function": ("(", ", ", ")"),
    "concat": ("[", "; ", "]"),
    "iverson": ("[", "", "]"),
    "absolute": ("|", "", "|"),
}


def _written(expression: Expression, sizes: SizeText) -> tuple[str, Binding]:
    head, parts = expression.head, expression.parts

    def within(part: Expression, least: Binding) -> str:
        inner, binding = _written(part, sizes)
        return inner if binding >= least else f"({inner})"

    def listed(separator: str) -> str:
        return separator.join(within(part, Binding.SUM) for part in parts)

    if head in PREFIXES:
        sign, least, binding = PREFIXES[head]
        return sign + within(parts[0], least), binding
    if head in INFIXES:
        sign, left, right, binding = INFIXES[head]
        return within(parts[0], left) + sign + within(parts[1], right), binding
    if head in BRACKETS:
        opening, separator, closing = BRACKETS[head]
        inner = opening + listed(separator) + closing
        return expression.name + inner, Binding.ATOM
    match head:
        case "symbol":
            return _symbol(expression, sizes), Binding.ATOM
        case "number":
            written = _number(float(expression.name), sizes)
            negative = written.startswith("−")
            return written, Binding.SUM if negative else Binding.ATOM
        case "sum":
            return _sum(parts, within), Binding.SUM
        case "times":
            return _times(parts, within), Binding.TIMES
        case "compare":
            return listed(f" {expression.name} "), Binding.SUM
    base = within(parts[0], Binding.ATOM)
    binding = Binding.ATOM if head in {"columns", "range"} else Binding.SIGNED
    return base + _suffix(expression, sizes), binding


def _sum(
    parts: tuple[Expression, ...], within: Callable[[Expression, Binding], str]
) -> str:
    written = within(parts[0], Binding.SUM)
    for part in parts[1:]:
        sign, term = ("−", part.parts[0]) if part.head == "negate" else ("+", part)
        written += f" {sign} {within(term, Binding.TIMES)}"
    return written


def _times(
    parts: tuple[Expression, ...], within: Callable[[Expression, Binding], str]
) -> str:
    # A matrix product beside ⊙ is put in parentheses: nobody knows which binds first.
    numbers = [within(part, Binding.SIGNED) for part in parts if part.head == "number"]
    others = [within(part, Binding.SIGNED) for part in parts if part.head != "number"]
    return " · ".join([*numbers, " ⊙ ".join(others)] if others else numbers)


def _suffix(expression: Expression, sizes: SizeText) -> str:
    match expression.head:
        case "transpose":
            return "ᵀ"
        case "power":
            amount = float(expression.name)
            known = {2.0: "²", 3.0: "³"}.get(amount)
            return known or f"^{_number(amount, sizes)}"
        case "columns":
            return f"[:, {_span(expression.span, sizes)}]"
    return f"[{_span(expression.span, sizes)}]"


def _symbol(expression: Expression, sizes: SizeText) -> str:
    name = expression.name
    if expression.shift is not None:
        sign = "+" if expression.shift > 0 else "−"
        steps = f"{{t{sign}{abs(expression.shift)}}}" if expression.shift else "t"
        name += f"_{steps}"
    span = _span(expression.span, sizes)
    return f"{name}[{span}]" if span else name


def _span(span: Span | None, sizes: SizeText) -> str:
    return "" if span is None else f"{sizes(span[0])}:{sizes(span[1])}"


def _number(amount: float, sizes: SizeText) -> str:
    sign = "−" if math.copysign(1.0, amount) < 0 else ""
    amount = abs(amount)
    if math.isinf(amount):
        return sign + "∞"
    return sign + (sizes(int(amount)) if amount.is_integer() else f"{amount:.6g}")
