"""The k-th largest of many numbers: its bits one after the other, by counting.

Whole numbers in the order of the numbers stand for them (keys). From the highest bit
on, a bit of the result is set if at least k keys are as large as what that makes.
"""

from llvmlite import ir

from throughtime.backends.llvm.writer import (
    POINTER,
    Writer,
    index,
    internal_function,
)


class Selection:
    """Makes keys of vectors of numbers, and selects among those of a row."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.bits = 8 * writer.item_bytes
        self.magnitude = (1 << (self.bits - 1)) - 1  # all bits but the sign
        self.integer = ir.IntType(self.bits)
        self.integers = ir.VectorType(self.integer, writer.lanes)

    def keys(self, value: ir.Value) -> ir.Value:
        """Keys of numbers, written as numbers; that of every NaN is the highest."""
        builder = self.writer.builder
        bits = builder.bitcast(value, self.integers)
        ordered = self._turned(builder, bits, self.integers)
        nan = builder.fcmp_unordered("uno", value, value)
        highest = self._constant(self.integers, self.magnitude)
        keys = builder.select(nan, highest, ordered)
        return builder.bitcast(keys, self.writer.vector)

    def select(self, keys: ir.Value, size: int, rank: int, place: ir.Value) -> None:
        """Write the number whose key is the one of this rank from above."""
        builder = self.writer.builder
        name = f"kth_largest_{size}_{rank}"
        function = builder.module.globals.get(name)
        if function is None:
            kinds = [POINTER, POINTER]
            function = internal_function(builder.module, name, kinds, apart=2)
            self._write(function, size, rank)
        builder.call(function, [keys, place])

    def _write(self, function: ir.Function, size: int, rank: int) -> None:
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        given = self.writer
        w = Writer(builder, given.element, given.lanes, given.item_bytes)
        keys, place = function.args
        highest = ir.Constant(self.integer, 1 << (self.bits - 1))
        found = builder.alloca(self.integer)
        builder.store(highest, found)
        counts = w.reserve(1)
        with w.loop(index(0), index(self.bits)) as shift:
            # Of the lowest key all bits but the sign are 0: each changes by exclusive
            # or, the sign too, and no key is the lowest one.
            distance = builder.trunc(shift, self.integer)
            bit = builder.lshr(highest, distance)
            tried = builder.xor(builder.load(found), bit)
            count = self._count(w, keys, size, tried, counts)
            enough = builder.icmp_signed(">=", count, ir.Constant(self.integer, rank))
            builder.store(builder.select(enough, tried, builder.load(found)), found)
        bits = self._turned(builder, builder.load(found), self.integer)
        builder.store(bits, place, align=w.item_bytes)
        builder.ret_void()

    def _count(
        self, w: Writer, keys: ir.Value, size: int, least: ir.Value, counts: ir.Value
    ) -> ir.Value:
        """How many keys are at least so large."""
        builder, whole = w.builder, size // w.lanes * w.lanes
        everywhere = w.splat(builder.bitcast(least, w.element))
        bound = builder.bitcast(everywhere, self.integers)
        builder.store(ir.Constant(self.integers, None), counts, align=64)

        def take(first: ir.Value, mask: ir.Value | None) -> None:
            own = builder.bitcast(w.load(w.at(keys, first), mask), self.integers)
            reached = builder.icmp_signed(">=", own, bound)
            if mask is not None:
                reached = builder.and_(reached, mask)
            before = builder.load(counts, typ=self.integers, align=64)
            after = builder.sub(before, builder.sext(reached, self.integers))
            builder.store(after, counts, align=64)

        if whole:
            with w.loop(index(0), index(whole), w.lanes) as first:
                take(first, None)
        if whole < size:
            take(index(whole), w.mask(index(whole), size))
        return self._total(w, builder.load(counts, typ=self.integers, align=64))

    def _total(self, w: Writer, counts: ir.Value) -> ir.Value:
        module = w.builder.module
        name = f"llvm.vector.reduce.add.v{w.lanes}i{self.bits}"
        function = module.globals.get(name) or ir.Function(
            module, ir.FunctionType(self.integer, [self.integers]), name
        )
        return w.builder.call(function, [counts])

    def _turned(
        self, builder: ir.IRBuilder, value: ir.Value, kind: ir.Type
    ) -> ir.Value:
        """From bits to keys and back: among the negative ones the order is turned."""
        negative = builder.ashr(value, self._constant(kind, self.bits - 1))
        magnitude = self._constant(kind, self.magnitude)
        return builder.xor(value, builder.and_(negative, magnitude))

    def _constant(self, kind: ir.Type, number: int) -> ir.Constant:
        """A whole number, or a vector of it."""
        one = ir.Constant(self.integer, number)
        if kind == self.integers:
            return ir.Constant(kind, [one] * self.writer.lanes)
        return one
