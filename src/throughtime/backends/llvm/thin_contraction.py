"""Weight gradients by pattern: of δ that are 0 in many units, only the others count.

For a block of rows each unit of the left side has a list of the rows in which it is not
0, and the right side is packed, so that the rows a list names lie close together. Sums
run in the order of all rows, so bits are those of whole products. A right side that is
not finite takes all rows, for 0 times it is no number.
"""

from llvmlite import ir

from throughtime.backends.llvm.outer import BLOCK, OuterShape, OuterTiles
from throughtime.backends.llvm.patterns import (
    SELDOM,
    SHARES,
    all_numbers,
    count_function,
    lengthen_function,
    list_function,
    note_finite,
    turn_function,
    worth,
)
from throughtime.backends.llvm.tiling import Thin, Tiling
from throughtime.backends.llvm.writer import INDEX, Writer, index

SOONER = 1.1
"""Of the share up to which products of a step go by lists: lists of rows pay sooner."""


class ThinWriter:
    """Writes one product's way by lists, in a thread's own memory."""

    def __init__(
        self,
        writer: Writer,
        tiles: OuterTiles,
        tiling: Tiling,
        thin: Thin,
        memory: ir.Value,
    ) -> None:
        self.writer = writer
        self.builder = writer.builder
        self.tiles = tiles
        self.tiling = tiling
        self.thin = thin
        self.packed = memory
        self.turned = writer.at(memory, thin.packed)
        self.lists = writer.at(memory, thin.packed + thin.turned)
        with self.builder.goto_entry_block():
            self._number = self.builder.alloca(INDEX)

    def chosen(
        self,
        left: tuple[ir.Value, ir.Value],
        right: tuple[ir.Value, ir.Value],
        extent: tuple[ir.Value, ir.Value, ir.Value],
        most: float,
    ) -> ir.Value:
        """Whether lists pay for units from a first to a last one; if so, write them.

        A side is its columns of row 0, and a list of where a block's rows lie.
        """
        w, builder = self.writer, self.builder
        low, high, count = extent
        units = builder.sub(high, low)
        (lefts, self._lefts), (rights, self._rights) = left, right
        lefts = w.at(lefts, low)
        few = self._few(lefts, units, count, most)
        builder.store(index(0), self._number)
        with builder.if_then(few):
            finite = self._pack(rights, count)
            with builder.if_then(finite):
                self._list(lefts, units, count)
                builder.store(index(1), self._number)
        return builder.icmp_signed("!=", builder.load(self._number), index(0))

    def _few(
        self, lefts: ir.Value, units: ir.Value, count: ir.Value, most: float
    ) -> ir.Value:
        """Whether few units are not 0, in one row of so many."""
        w, builder = self.writer, self.builder
        builder.store(index(0), self._number)
        with w.loop(index(0), count, SELDOM) as row:
            line = w.times(w.count(self._lefts, row), self.tiling.left_stride)
            place = w.at(lefts, line)
            found = builder.call(count_function(w), [place, units])
            total = builder.add(builder.load(self._number), found)
            builder.store(total, self._number)
        rows = builder.sdiv(builder.add(count, index(SELDOM - 1)), index(SELDOM))
        bound = w.times(
            builder.mul(rows, units),
            int(SHARES * SOONER * worth(most, self.tiling.units)),
        )
        found = w.times(builder.load(self._number), SHARES)
        return builder.icmp_signed("<=", found, bound)

    def _pack(self, rights: ir.Value, count: ir.Value) -> ir.Value:
        """Pack a block of the right side by strips; whether all of it is finite."""
        w, builder, thin = self.writer, self.builder, self.thin
        totals = [w.reserve(1) for _ in range(thin.width)]
        zero = ir.Constant(w.vector, None)
        for total in totals:
            w.store(zero, total)

        def copy(row: ir.Value, source: ir.Value, column: ir.Value, left: int) -> None:
            """Copy a strip of so many columns of a row."""
            start = w.times(column, BLOCK)
            target = w.at(self.packed, start, w.times(row, self.thin.strip))
            for vector in range(-(-left // w.lanes)):
                first = vector * w.lanes
                mask = w.mask(index(first), left) if left - first < w.lanes else None
                value = w.load(w.at(source, column, first), mask)
                note_finite(w, value, totals[vector])
                w.store(value, w.at(target, first))

        columns = self.tiling.columns
        whole = columns // self.thin.strip * self.thin.strip
        with w.loop(index(0), count) as row:
            line = w.times(w.count(self._rights, row), self.tiling.right_stride)
            source = w.at(rights, line)
            with w.loop(index(0), index(whole), self.thin.strip) as column:
                copy(row, source, column, self.thin.strip)
            if whole < columns:
                copy(row, source, index(whole), columns - whole)
        found = zero
        for total in totals:
            found = builder.fadd(found, w.load(total))
        return all_numbers(w, found)

    def _list(self, lefts: ir.Value, units: ir.Value, count: ir.Value) -> None:
        """Write each unit's list of rows, of one length within a tile."""
        w, builder, thin = self.writer, self.builder, self.thin
        turn = turn_function(w, self.tiling.left_stride, BLOCK)
        builder.call(turn, [lefts, self.turned, self._lefts, units, count])
        with w.loop(index(0), units, thin.height) as tile:
            end = w.minimum(builder.add(tile, index(thin.height)), units)
            builder.store(index(0), self._number)
            with w.loop(tile, end) as unit:
                source = w.at(self.turned, w.times(unit, BLOCK))
                arguments = [source, self._list_of(unit), count]
                length = builder.call(list_function(w), arguments)
                longest = w.maximum(builder.load(self._number), length)
                builder.store(longest, self._number)
            with w.loop(tile, end) as unit:
                arguments = [self._list_of(unit), builder.load(self._number)]
                builder.call(lengthen_function(w), arguments)

    def _list_of(self, unit: ir.Value) -> ir.Value:
        return self.writer.at(
            self.lists, self.writer.times(unit, self.thin.list_stride)
        )

    def call_tile(
        self,
        shape: OuterShape,
        unit: ir.Value,
        column: ir.Value,
        result: ir.Value,
        columns: ir.Value,
    ) -> None:
        """Add one tile, from a unit of those that have lists and a column on."""
        w, builder = self.writer, self.builder
        inside = builder.urem(column, index(self.thin.strip))
        start = w.times(builder.sub(column, inside), BLOCK)
        tile = self.tiles.listed(shape, self.thin.list_stride, self.thin.strip)
        packed = w.at(self.packed, start, inside)
        values = w.at(self.turned, w.times(unit, BLOCK))
        places = self._list_of(unit), values, packed, result
        builder.call(tile, [*places, columns])
