"""Random values in compiled code: a vector of units of one row at a time."""

import math
from collections.abc import Sequence

from llvmlite import ir

from throughtime.backends.llvm.vector_math import VectorMath
from throughtime.backends.llvm.vector_math.lanes import Splat
from throughtime.backends.llvm.writer import Writer, index
from throughtime.graph.nodes import Node
from throughtime.graph.random_values import BITS, Draw, draw_of
from throughtime.graph.threefry import block_key, threefry

WORD = ir.IntType(32)
Words = tuple[ir.Value, ir.Value]
SINE_TERMS = 11
"""Of the series of a sine up to a quarter turn: 1e-18 of the truth."""


class VectorWords:
    """Words of 32 bits in the lanes of a vector."""

    def __init__(self, builder: ir.IRBuilder, lanes: int) -> None:
        self.builder = builder
        self.lanes = lanes
        self.vector = ir.VectorType(WORD, lanes)

    def number(self, value: int) -> ir.Value:
        return Splat(self.vector, value)

    def add(self, left: ir.Value, right: ir.Value) -> ir.Value:
        return self.builder.add(left, right)

    def xor(self, left: ir.Value, right: ir.Value) -> ir.Value:
        return self.builder.xor(left, right)

    def rotate(self, word: ir.Value, bits: int) -> ir.Value:
        module, name = self.builder.module, f"llvm.fshl.v{self.lanes}i32"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        function = module.globals.get(name) or ir.Function(module, kind, name)
        return self.builder.call(function, [word, word, self.number(bits)])

    def spread(self, number: ir.Value) -> ir.Value:
        """A whole number of 64 bits in every lane, as far as it fits."""
        word = self.builder.trunc(number, WORD)
        undefined = ir.Constant(self.vector, ir.Undefined)
        zero = ir.Constant(WORD, 0)
        first = self.builder.insert_element(undefined, word, zero)
        order = ir.Constant(self.vector, None)
        return self.builder.shuffle_vector(first, undefined, order)

    def counting(self) -> ir.Value:
        """0, 1, 2, … in the lanes."""
        lanes = [ir.Constant(WORD, lane) for lane in range(self.lanes)]
        return ir.Constant(self.vector, lanes)


class Draws:
    """What one body draws: the keys of its streams, and numbers made of them.

    Parameters
    ----------
    writer
        At the entry of the body's function.
    math
        Functions of its vectors.
    key
        Address of the call's key, and of the number of its first row.
    nodes
        The random ones of the body's program.
    sequences
        Address of a table with the sequence of each row; None in a loop over time,
        whose rows are the sequences.
    """

    def __init__(
        self,
        writer: Writer,
        math: VectorMath,
        key: ir.Value,
        nodes: Sequence[Node],
        sequences: ir.Value | None,
    ) -> None:
        self.writer = writer
        self.builder = writer.builder
        self.math = math
        self.sequences = sequences
        self.vectors = VectorWords(self.builder, writer.lanes)
        number = writer.count(key, 0)
        self._first = writer.count(key, 1)
        high = self.builder.lshr(number, index(32))
        whole = self.vectors.spread(number), self.vectors.spread(high)
        self.keys = {
            block: block_key(self.vectors, whole, block)
            for block in sorted({draw_of(node).block for node in nodes})
        }

    def begin(self, row: ir.Value, sequence: ir.Value) -> None:
        """Say which row of all steps the next first one is, of which sequence."""
        self._row = self.builder.add(row, self._first)
        self._sequence = sequence

    def words(self, draw: Draw, row: ir.Value, unit: ir.Value) -> Words:
        """Both words for a vector of units of a row, counted from the first one."""
        vectors, builder = self.vectors, self.builder
        units = vectors.spread(builder.add(unit, index(draw.first)))
        units = builder.add(units, vectors.counting())
        rows = vectors.spread(self._counted(draw, row))
        return self._mixed(self.keys[draw.block], (units, rows))

    def _counted(self, draw: Draw, row: ir.Value) -> ir.Value:
        if draw.period == "step":
            return self.builder.add(self._row, row)
        number = self.builder.add(self._sequence, row)
        if self.sequences is None:
            return number
        return self.writer.count(self.sequences, number)

    def _mixed(self, key: Words, counter: Words) -> Words:
        """The generator, as a function that is written once and inlined."""
        module, vector = self.builder.module, self.vectors.vector
        name = f"threefry.v{vector.count}"
        function = module.globals.get(name)
        if function is None:
            result = ir.LiteralStructType([vector, vector])
            function = ir.Function(module, ir.FunctionType(result, [vector] * 4), name)
            function.linkage = "internal"
            function.attributes.add("alwaysinline")
            builder = ir.IRBuilder(function.append_basic_block("entry"))
            own = VectorWords(builder, vector.count)
            k0, k1, c0, c1 = function.args
            first, second = threefry(own, (k0, k1), (c0, c1))
            both = ir.Constant(result, ir.Undefined)
            both = builder.insert_value(both, first, 0)
            builder.ret(builder.insert_value(both, second, 1))
        both = self.builder.call(function, [*key, *counter])
        first, second = (self.builder.extract_value(both, i) for i in (0, 1))
        return first, second

    def value(self, node: Node, words: Words) -> ir.Value:
        """A mask or noise, made of the words of its counter."""
        draw = draw_of(node)
        if node.operation == "mask":
            number = self._whole(words[draw.word])
            threshold = self.vectors.number(draw.threshold)
            zero = self.builder.icmp_unsigned("<", number, threshold)
            constant = self.writer.constant
            return self.builder.select(zero, constant(0.0), constant(1.0))
        return self._normal(draw.amount, *map(self._whole, words))

    def _whole(self, word: ir.Value) -> ir.Value:
        """The leading bits of a word."""
        return self.builder.lshr(word, self.vectors.number(32 - BITS))

    def _normal(self, std: float, first: ir.Value, second: ir.Value) -> ir.Value:
        """A normal number of two uniform ones: a radius and an angle."""
        b, constant, vector = self.builder, self.writer.constant, self.writer.vector
        scale = constant(2.0**-BITS)
        chance = b.sitofp(b.add(first, self.vectors.number(1)), vector)
        logarithm = self.math.call(b, "log", b.fmul(chance, scale))
        squared = b.fmul(logarithm, constant(-2.0))
        radius = self.math.call(b, "sqrt", squared)
        turn = b.fmul(b.sitofp(second, vector), scale)
        return b.fmul(b.fmul(radius, self._cosine(turn)), constant(std))

    def _cosine(self, turn: ir.Value) -> ir.Value:
        """The cosine of a part of a turn, from 0 to 1: a sine within a quarter turn."""
        b, constant = self.builder, self.writer.constant
        half = self.math.absolute(b, b.fsub(turn, constant(0.5)))
        angle = b.fsub(half, constant(0.25))
        square = b.fmul(angle, angle)
        total = constant(_sine_term(SINE_TERMS - 1))
        for term in reversed(range(SINE_TERMS - 1)):
            total = self.math.fma(b, total, square, constant(_sine_term(term)))
        return b.fmul(total, angle)


def _sine_term(number: int) -> float:
    """Coefficient of a term of the series of the sine of turns."""
    power = 2 * number + 1
    return (-1) ** number * (2 * math.pi) ** power / math.factorial(power)
