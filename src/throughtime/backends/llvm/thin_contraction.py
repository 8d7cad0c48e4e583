"""Weight gradients by pattern: of δ that are 0 in many units, only the others count.

For a block of rows each unit of the left side has a list of the rows in which it is not
0, and the right side is packed, so that the rows a list names lie close together. Sums
run in the order of all rows, so bits are those of whole products. A right side that is
not finite takes all rows, for 0 times it is no number.
"""

from dataclasses import dataclass

from llvmlite import ir

from throughtime.backends.llvm.layout import LEAST, LINE
from throughtime.backends.llvm.outer import BLOCK, OuterShape, OuterTiles
from throughtime.backends.llvm.patterns import (
    count_function,
    length_of,
    lengthen_function,
    room_of_list,
    set_length,
    spread_function,
)
from throughtime.backends.llvm.writer import INDEX, Writer, index

SELDOM = 8
"""Zeros are counted in one row of so many."""
SHARES = 1024


@dataclass(frozen=True)
class Thin:
    """Sizes of a product that may leave out zeros.

    Tiles of ``height`` units of the left by ``width`` vectors of the right, ``units``
    of the left at a time, ``columns`` on the right; distances between rows of the left,
    the right and the result.
    """

    height: int
    width: int
    units: int
    columns: int
    left_stride: int
    right_stride: int
    result_stride: int

    @property
    def worthwhile(self) -> bool:
        """Whether there are enough numbers on both sides."""
        return min(self.units, self.columns) >= LEAST

    def strip(self, lanes: int) -> int:
        """Columns that are packed side by side."""
        return self.width * lanes

    def packed(self, lanes: int) -> int:
        """Numbers of a packed block of the right side."""
        strip = self.strip(lanes)
        return -(-self.columns // strip) * strip * BLOCK

    def room(self, lanes: int, item_bytes: int) -> int:
        """Numbers of memory that a thread needs."""
        return self.packed(lanes) + self.units * list_stride(item_bytes)


def list_stride(item_bytes: int) -> int:
    """Numbers from one unit's list to the next: an odd number of lines of a cache."""
    lines = -(-room_of_list(BLOCK) * item_bytes // LINE) | 1
    return lines * LINE // item_bytes


class ThinWriter:
    """Writes one product's way by lists."""

    def __init__(
        self, writer: Writer, tiles: OuterTiles, thin: Thin, memory: ir.Value
    ) -> None:
        self.writer = writer
        self.builder = writer.builder
        self.tiles = tiles
        self.thin = thin
        self.stride = list_stride(writer.item_bytes)
        self.packed = memory
        self.lists = writer.at(memory, thin.packed(writer.lanes))
        with self.builder.goto_entry_block():
            self._number = self.builder.alloca(INDEX)

    def chosen(
        self,
        lefts: ir.Value,
        rights: ir.Value,
        extent: tuple[ir.Value, ir.Value, ir.Value],
        most: float,
    ) -> ir.Value:
        """Whether lists pay for units from a first to a last one; if so, write them."""
        w, builder = self.writer, self.builder
        low, high, count = extent
        units = builder.sub(high, low)
        builder.store(index(0), self._number)
        with w.loop(index(0), count, SELDOM) as row:
            place = w.at(lefts, w.times(row, self.thin.left_stride), low)
            found = builder.call(count_function(w), [place, units])
            total = builder.add(builder.load(self._number), found)
            builder.store(total, self._number)
        rows = builder.sdiv(builder.add(count, index(SELDOM - 1)), index(SELDOM))
        bound = w.times(builder.mul(rows, units), int(SHARES * most))
        found = w.times(builder.load(self._number), SHARES)
        few = builder.icmp_signed("<=", found, bound)
        builder.store(index(0), self._number)
        with builder.if_then(few):
            finite = self._pack(rights, count)
            builder.store(builder.zext(finite, INDEX), self._number)
            with builder.if_then(finite):
                self._list(lefts, extent)
        return builder.icmp_signed("!=", builder.load(self._number), index(0))

    def _pack(self, rights: ir.Value, count: ir.Value) -> ir.Value:
        """Pack a block of the right side; whether all of it is finite."""
        w, builder, thin = self.writer, self.builder, self.thin
        lanes = w.lanes
        strip = thin.strip(lanes)
        total, zero = w.reserve(1), ir.Constant(w.vector, None)
        w.store(zero, total)
        whole = thin.columns // lanes * lanes
        rest = w.mask(index(whole), thin.columns) if whole < thin.columns else None

        def copy(source: ir.Value, row: ir.Value, column: ir.Value, mask: ir.Value | None) -> None:
            value = w.load(w.at(source, column), mask)
            sum_ = builder.fadd(w.load(total), builder.fmul(value, zero))
            w.store(sum_, total)
            first = builder.udiv(column, index(strip))
            inside = builder.urem(column, index(strip))
            start = w.times(first, strip * BLOCK)
            place = w.at(self.packed, start, w.times(row, strip), inside)
            w.store(value, place)

        with w.loop(index(0), count) as row:
            source = w.at(rights, w.times(row, thin.right_stride))
            with w.loop(index(0), index(whole), lanes) as column:
                copy(source, row, column, None)
            if rest is not None:
                copy(source, row, index(whole), rest)
        value = w.load(total)
        kind = ir.IntType(lanes)
        bits = builder.bitcast(builder.fcmp_ordered("==", value, value), kind)
        return builder.icmp_signed("==", bits, ir.Constant(kind, -1))

    def _list(
        self, lefts: ir.Value, extent: tuple[ir.Value, ir.Value, ir.Value]
    ) -> None:
        """Write each unit's list of rows, of one length within a tile."""
        w, builder, thin = self.writer, self.builder, self.thin
        low, high, count = extent
        units = builder.sub(high, low)
        with w.loop(index(0), units) as unit:
            set_length(w, self._list_of(unit), index(0))
        spread = spread_function(w, self.stride)
        with w.loop(index(0), count) as row:
            source = w.at(lefts, w.times(row, thin.left_stride), low)
            distance = w.times(row, thin.strip(w.lanes) * w.item_bytes)
            builder.call(spread, [source, self.lists, units, distance])
        with w.loop(index(0), units, thin.height) as tile:
            end = w.minimum(builder.add(tile, index(thin.height)), units)
            builder.store(index(0), self._number)
            with w.loop(tile, end) as unit:
                length = length_of(w, self._list_of(unit))
                longest = w.maximum(builder.load(self._number), length)
                builder.store(longest, self._number)
            with w.loop(tile, end) as unit:
                arguments = [self._list_of(unit), builder.load(self._number)]
                builder.call(lengthen_function(w), arguments)
        builder.store(index(1), self._number)

    def _list_of(self, unit: ir.Value) -> ir.Value:
        return self.writer.at(self.lists, self.writer.times(unit, self.stride))

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
        strip = self.thin.strip(w.lanes)
        first = builder.udiv(column, index(strip))
        inside = builder.urem(column, index(strip))
        packed = w.at(self.packed, w.times(first, strip * BLOCK), inside)
        tile = self.tiles.listed(shape, self.stride)
        builder.call(tile, [self._list_of(unit), packed, result, columns])
