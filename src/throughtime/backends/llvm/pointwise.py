"""Pointwise operations of a graph as vector instructions, one table."""

from collections.abc import Callable, Sequence

from llvmlite import ir

from throughtime.backends.llvm.vector_math import VectorMath
from throughtime.backends.llvm.writer import Writer
from throughtime.graph.nodes import Node

Lowering = Callable[["Pointwise", Sequence[ir.Value], Node], ir.Value]
COMPARISONS = {
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
}
MATHEMATICS = ("sigmoid tanh exp expm1 log log1p softplus erf sqrt rsqrt").split()


class Pointwise:
    """Instructions for one vector of units of one row."""

    def __init__(self, writer: Writer, math: VectorMath) -> None:
        self.writer = writer
        self.builder = writer.builder
        self.math = math

    def emit(self, node: Node, arguments: Sequence[ir.Value]) -> ir.Value:
        """The value of a node whose arguments are vectors already."""
        return LOWERINGS[node.operation](self, arguments, node)

    def zero(self) -> ir.Value:
        return self.writer.constant(0.0)

    def clip(self, value: ir.Value, low: float, high: float) -> ir.Value:
        lifted = self.math.maximum(self.builder, value, self.writer.constant(low))
        return self.math.minimum(self.builder, lifted, self.writer.constant(high))

    def sign(self, value: ir.Value) -> ir.Value:
        zero, one = self.zero(), self.writer.constant(1.0)
        positive = self.builder.fcmp_ordered(">", value, zero)
        negative = self.builder.fcmp_ordered("<", value, zero)
        below = self.builder.select(negative, self.writer.constant(-1.0), zero)
        return self.builder.select(positive, one, below)


def _function(name: str) -> Lowering:
    return lambda p, values, node: p.math.call(p.builder, name, values[0])


def _comparison(symbol: str) -> Lowering:
    return lambda p, values, node: p.builder.fcmp_ordered(symbol, values[0], values[1])


LOWERINGS: dict[str, Lowering] = {
    **{name: _function(name) for name in MATHEMATICS},
    **{name: _comparison(symbol) for name, symbol in COMPARISONS.items()},
    "not_equal": lambda p, v, node: p.builder.fcmp_unordered("!=", v[0], v[1]),
    "negate": lambda p, v, node: p.builder.fneg(v[0]),
    "relu": lambda p, v, node: p.math.maximum(p.builder, v[0], p.zero()),
    "abs": lambda p, v, node: p.math.absolute(p.builder, v[0]),
    "sign": lambda p, v, node: p.sign(v[0]),
    "clip": lambda p, v, node: p.clip(v[0], *(float(a) for a in node.attributes)),
    "add": lambda p, v, node: p.builder.fadd(v[0], v[1]),
    "subtract": lambda p, v, node: p.builder.fsub(v[0], v[1]),
    "multiply": lambda p, v, node: p.builder.fmul(v[0], v[1]),
    "divide": lambda p, v, node: p.builder.fdiv(v[0], v[1]),
    "maximum": lambda p, v, node: p.math.maximum(p.builder, v[0], v[1]),
    "minimum": lambda p, v, node: p.math.minimum(p.builder, v[0], v[1]),
    "where": lambda p, v, node: p.builder.select(v[0], v[1], v[2]),
    "expand": lambda p, v, node: v[0],
}
