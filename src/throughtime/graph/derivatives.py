"""The derivative of every operation, as one table of rules.

A rule takes the builder, the node, its position and the adjoint ``g`` of its result,
and gives the adjoint of each argument (None where no error flows).
"""

import math
from collections.abc import Callable

from throughtime.graph.builder import Builder
from throughtime.graph.nodes import Node
from throughtime.graph.operations import ERROR, WATCH

Contributions = tuple[int | None, ...]
DerivativeRule = Callable[[Builder, Node, int, int], Contributions]


def _times(factor: Callable[[Builder, int, int], int]) -> DerivativeRule:
    """Rule ``g * factor(v, y)`` of a function of one argument."""

    def rule(b: Builder, node: Node, y: int, g: int) -> Contributions:
        return (b.emit("multiply", g, factor(b, node.arguments[0], y)),)

    return rule


def _sigmoid(b: Builder, v: int, y: int) -> int:
    return b.emit("multiply", y, b.emit("subtract", b.constant(1), y))


def _tanh(b: Builder, v: int, y: int) -> int:
    return b.emit("subtract", b.constant(1), b.emit("square", y))


def _silu(b: Builder, v: int, y: int) -> int:
    s = b.emit("sigmoid", v)
    rest = b.emit("subtract", b.constant(1), s)
    lifted = b.emit("add", b.constant(1), b.emit("multiply", v, rest))
    return b.emit("multiply", s, lifted)


def _gelu(b: Builder, v: int, y: int) -> int:
    scaled = b.emit("multiply", v, b.constant(math.sqrt(0.5)))
    lifted = b.emit("add", b.emit("erf", scaled), b.constant(1))
    cumulative = b.emit("multiply", b.constant(0.5), lifted)
    bell = b.emit("exp", b.emit("multiply", b.constant(-0.5), b.emit("square", v)))
    density = b.emit("multiply", b.constant(1 / math.sqrt(2 * math.pi)), bell)
    return b.emit("add", cumulative, b.emit("multiply", v, density))


def _erf(b: Builder, v: int, y: int) -> int:
    bell = b.emit("exp", b.emit("negate", b.emit("square", v)))
    return b.emit("multiply", b.constant(2 / math.sqrt(math.pi)), bell)


def _rsqrt(b: Builder, v: int, y: int) -> int:
    cube = b.emit("multiply", y, b.emit("square", y))
    return b.emit("multiply", b.constant(-0.5), cube)


def _relu(b: Builder, node: Node, y: int, g: int) -> Contributions:
    off = b.emit("less_equal", y, b.constant(0))
    return (b.emit("where", off, b.constant(0), g),)


def _softplus(b: Builder, node: Node, y: int, g: int) -> Contributions:
    v = node.arguments[0]
    linear = b.emit("greater", v, b.constant(20))
    return (b.emit("where", linear, g, b.emit("multiply", g, b.emit("sigmoid", v))),)


def _power(b: Builder, node: Node, y: int, g: int) -> Contributions:
    exponent = float(node.attributes[0])
    if exponent == 0:
        return (None,)
    lower = b.emit("power", node.arguments[0], attributes=(exponent - 1,))
    slope = b.emit("multiply", b.constant(exponent), lower)
    return (b.emit("multiply", g, slope),)


def _clip(b: Builder, node: Node, y: int, g: int) -> Contributions:
    v, zero = node.arguments[0], b.constant(0)
    low, high = (b.constant(float(bound)) for bound in node.attributes)
    below = b.emit("where", b.emit("less_equal", v, high), g, zero)
    return (b.emit("where", b.emit("greater_equal", v, low), below, zero),)


def _add(b: Builder, node: Node, y: int, g: int) -> Contributions:
    return g, g


def _subtract(b: Builder, node: Node, y: int, g: int) -> Contributions:
    return g, b.emit("negate", g)


def _multiply(b: Builder, node: Node, y: int, g: int) -> Contributions:
    left, right = node.arguments
    return b.emit("multiply", g, right), b.emit("multiply", g, left)


def _divide(b: Builder, node: Node, y: int, g: int) -> Contributions:
    divisor = node.arguments[1]
    share = b.emit("divide", g, divisor)
    return share, b.emit("negate", b.emit("multiply", share, y))


def _extremum(losing: str) -> DerivativeRule:
    """Rule of ``maximum`` and ``minimum``: the winner takes g, a tie shares it."""

    def rule(b: Builder, node: Node, y: int, g: int) -> Contributions:
        tie = b.emit("equal", *node.arguments)
        half = b.emit("multiply", g, b.constant(0.5))
        shares = []
        for one, other in (node.arguments, node.arguments[::-1]):
            loses = b.emit(losing, one, other)
            won = b.emit("where", loses, b.constant(0), g)
            shares.append(b.emit("where", tie, half, won))
        return tuple(shares)

    return rule


def _where(b: Builder, node: Node, y: int, g: int) -> Contributions:
    mask, zero = node.arguments[0], b.constant(0)
    return None, b.emit("where", mask, g, zero), b.emit("where", mask, zero, g)


def _sum(b: Builder, node: Node, y: int, g: int) -> Contributions:
    return (b.emit("expand", g, attributes=(b.size(node.arguments[0]),)),)


def _mean(b: Builder, node: Node, y: int, g: int) -> Contributions:
    size = b.size(node.arguments[0])
    share = b.emit("divide", g, b.constant(size))
    return (b.emit("expand", share, attributes=(size,)),)


def _of_ties(b: Builder, node: Node, y: int, g: int) -> Contributions:
    """Rule of a number that is one of the units: those equal to it share ``g``."""
    tie = b.emit("equal", node.arguments[0], y)
    ones = b.emit("where", tie, b.constant(1), b.constant(0))
    share = b.emit("divide", g, b.emit("sum", ones))
    return (b.emit("where", tie, share, b.constant(0)),)


def _softmax(b: Builder, node: Node, y: int, g: int) -> Contributions:
    mean = b.emit("sum", b.emit("multiply", g, y))
    return (b.emit("multiply", y, b.emit("subtract", g, mean)),)


def _expand(b: Builder, node: Node, y: int, g: int) -> Contributions:
    return (b.emit("sum", g),)


def _concat(b: Builder, node: Node, y: int, g: int) -> Contributions:
    pieces: list[int] = []
    offset = 0
    for argument in node.arguments:
        span = (offset, offset + b.size(argument))
        pieces.append(b.emit("slice", g, attributes=span))
        offset = span[1]
    return tuple(pieces)


def _product(b: Builder, node: Node, y: int, g: int) -> Contributions:
    return None, b.emit("product", b.emit("transpose", node.arguments[0]), g)


def _watch(b: Builder, node: Node, y: int, g: int) -> Contributions:
    """The error as it is, and a report of it or of the value."""
    kind = str(node.attributes[0])
    if kind == ERROR:
        return g, b.emit("sum", b.emit("multiply", g, g))
    centre, most = SLOPES[kind]
    away = b.emit("subtract", node.arguments[0], b.constant(centre))
    flat = b.emit("greater", b.emit("multiply", away, away), b.constant(most))
    return g, b.emit("sum", b.emit("where", flat, b.constant(1), b.constant(0)))


def _nothing(b: Builder, node: Node, y: int, g: int) -> Contributions:
    return (None,) * len(node.arguments)


SLOPES = {"tanh": (0.0, 0.9), "sigmoid": (0.5, 0.225)}
"""The middle of a function's values, and the squared distance from it beyond which its
slope, ``1 - v²`` or ``1/4 - (v - 1/2)²``, is below a tenth of the steepest."""

DERIVATIVES: dict[str, DerivativeRule] = {
    "negate": lambda b, node, y, g: (b.emit("negate", g),),
    "sigmoid": _times(_sigmoid),
    "tanh": _times(_tanh),
    "relu": _relu,
    "softplus": _softplus,
    "silu": _times(_silu),
    "gelu": _times(_gelu),
    "erf": _times(_erf),
    "exp": _times(lambda b, v, y: y),
    "expm1": _times(lambda b, v, y: b.emit("add", y, b.constant(1))),
    "log": lambda b, node, y, g: (b.emit("divide", g, node.arguments[0]),),
    "log1p": lambda b, node, y, g: (
        b.emit("divide", g, b.emit("add", node.arguments[0], b.constant(1))),
    ),
    "sqrt": lambda b, node, y, g: (
        b.emit("divide", g, b.emit("multiply", b.constant(2), y)),
    ),
    "rsqrt": _times(_rsqrt),
    "square": _times(lambda b, v, y: b.emit("multiply", b.constant(2), v)),
    "reciprocal": _times(lambda b, v, y: b.emit("negate", b.emit("square", y))),
    "abs": _times(lambda b, v, y: b.emit("sign", v)),
    "sign": _nothing,
    "power": _power,
    "clip": _clip,
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "maximum": _extremum("less"),
    "minimum": _extremum("greater"),
    "where": _where,
    "sum": _sum,
    "mean": _mean,
    "max": _of_ties,
    "kth_largest": _of_ties,
    "softmax": _softmax,
    "expand": _expand,
    "concat": _concat,
    "product": _product,
    WATCH: _watch,
}
