"""Gradients of parameters: sums over all rows of outer products, in a fixed order.

Rows are taken ``BLOCK`` at a time: each block is summed in registers and added to the
result, so every number is the same sum in the same order however the result is
divided among threads, and long sums lose little accuracy.
"""

from collections.abc import Sequence
from dataclasses import replace

from llvmlite import ir

from throughtime.backends.llvm.layout import (
    COUNT,
    ROWS,
    SEGMENTS,
    STEPS,
    TABLE,
    Arguments,
)
from throughtime.backends.llvm.outer import BLOCK, OuterShape, OuterTiles
from throughtime.backends.llvm.target import Target
from throughtime.backends.llvm.writer import INDEX, POINTER, VOID, Writer, index
from throughtime.graph.programs import OUTPUT, Contraction, Span

PANEL_BYTES = 200_000
"""Of the result, taken through all rows before the next part: it stays in the L2
cache, beside the rows of two blocks."""


def balanced_height(size: int, width: int, most: int) -> int:
    """Rows of a tile so that two threads with whole tiles have the least to do."""

    def cost(height: int) -> tuple[int, int]:
        tiles = -(-size // height)
        own = tiles - tiles // 2
        last = size - (tiles - 1) * height
        several = (tiles // 2) * (height * width + 1)
        rest = (own - 1) * (height * width + 1) + last * width + 1
        return max(several, rest), -height

    return min(range(-(-most // 2), most + 1), key=cost)


class ContractionWriter:
    """Writes ``body(arguments, thread, team)`` for all contractions of a plan."""

    def __init__(
        self,
        tiles: OuterTiles,
        name: str,
        target: Target,
        arguments: Arguments,
        widths: dict[str, int],
        columns: Sequence[int],
    ) -> None:
        self.tiles = tiles
        self.target = target
        self.lanes = tiles.lanes
        self.arguments = arguments
        self.widths = widths
        self.columns = columns
        kind = ir.FunctionType(VOID, [POINTER, INDEX, INDEX])
        self.function = ir.Function(tiles.module, kind, name)
        builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.writer = Writer(builder, tiles.element, tiles.lanes, tiles.item_bytes)

    def write(self, contractions: Sequence[Contraction]) -> ir.Function:
        waiting = [c for c in contractions if c.right is None]
        for product in contractions:
            if product.right is None:
                continue
            self._sums = []
            if product.unitwise:
                self._product(product)
                continue
            # Rows that a product has just read are at hand for a sum as well.
            self._sums = [c for c in waiting if _within(c.left.span, product.left.span)]
            waiting = [c for c in waiting if c not in self._sums]
            self._product(product)
        for contraction in waiting:
            self._column_sums(contraction)
        self.writer.builder.ret_void()
        return self.function

    def _share(self, whole: int, step: int) -> tuple[ir.Value, ir.Value]:
        """Give this thread's part of ``whole`` rows of the result, in whole tiles."""
        builder = self.writer.builder
        _, thread, team = self.function.args
        pieces = index(-(-whole // step))
        low = builder.sdiv(builder.mul(pieces, thread), team)
        high = builder.sdiv(builder.mul(pieces, builder.add(thread, index(1))), team)
        last = self.writer.minimum(self.writer.times(high, step), index(whole))
        return self.writer.times(low, step), last

    def _result(self, contraction: Contraction) -> ir.Value:
        word = self.arguments.position(f"gradient operand {contraction.operand}")
        return self.writer.pointer(self.function.args[0], word)

    def _rows_of(self, span: Span) -> ir.Value:
        word = self.arguments.position(f"buffer {span.buffer}")
        return self.writer.pointer(self.function.args[0], word)

    def _product(self, contraction: Contraction) -> None:
        w, table = self.writer, self.function.args[0]
        result = self._result(contraction)
        lefts = self._rows_of(contraction.left.span)
        rights = self._rows_of(self._right(contraction))
        shifted = (
            contraction.left.state is not None,
            contraction.right is not None and contraction.right.state is not None,
        )
        if not any(shifted):
            zero = index(0)
            rows = w.count(table, ROWS)
            self._segment(contraction, result, lefts, rights, (zero, zero, rows))
            return
        self._first_step(contraction, result, lefts, rights, shifted)
        segments = w.pointer(table, SEGMENTS)
        with w.loop(index(0), w.count(table, COUNT)) as segment:
            place = w.times(segment, 3)
            own, before, rows = (
                w.count(segments, w.builder.add(place, index(i))) for i in range(3)
            )
            left, right = (before if moved else own for moved in shifted)
            self._segment(contraction, result, lefts, rights, (left, right, rows))

    def _first_step(
        self,
        contraction: Contraction,
        result: ir.Value,
        lefts: ir.Value,
        rights: ir.Value,
        shifted: tuple[bool, bool],
    ) -> None:
        """Rows whose step before is the initial state."""
        w, builder = self.writer, self.writer.builder
        table = self.function.args[0]
        numbers = w.pointer(table, TABLE)
        steps = w.count(table, STEPS)
        own = w.count(numbers, index(0))
        before = w.count(numbers, steps)
        rows = w.count(numbers, builder.add(steps, steps))
        bases: list[ir.Value] = []
        starts: list[ir.Value] = []
        sides = (contraction.left, contraction.right)
        for base, side, moved in zip((lefts, rights), sides, shifted, strict=True):
            assert side is not None, "a shifted contraction has two sides"
            outside = moved and side.span.buffer == OUTPUT
            if outside:
                word = self.arguments.position(f"start {side.state}")
                bases.append(w.pointer(table, word))
            else:
                bases.append(base)
            starts.append(index(0) if outside else before if moved else own)
        extent = (starts[0], starts[1], rows)
        self._segment(contraction, result, bases[0], bases[1], extent)

    def _segment(
        self,
        contraction: Contraction,
        result: ir.Value,
        lefts: ir.Value,
        rights: ir.Value,
        rows: tuple[ir.Value, ir.Value, ir.Value],
    ) -> None:
        """Add the rows of one segment, block by block."""
        w, builder = self.writer, self.writer.builder
        left, right = contraction.left.span, self._right(contraction)
        left_stride, right_stride = self.widths[left.buffer], self.widths[right.buffer]
        lefts = w.at(lefts, w.times(rows[0], left_stride), left.start)
        rights = w.at(rights, w.times(rows[1], right_stride), right.start)
        if contraction.unitwise:
            self._unit_sums(contraction, result, lefts, rights, rows[2])
            return
        width = min(self.target.largest_tile, -(-right.size // self.lanes))
        height = balanced_height(left.size, width, self.target.rows(width))
        first, last = self._share(left.size, height)
        panel = PANEL_BYTES // (right.size * self.tiles.item_bytes * height)
        for_cache = height * max(1, panel)
        with (
            w.loop(first, last, for_cache) as low,
            w.loop(index(0), rows[2], BLOCK) as block,
        ):
            high = w.minimum(builder.add(low, index(for_cache)), last)
            count = w.minimum(builder.sub(rows[2], block), index(BLOCK))
            own_left = w.at(lefts, w.times(block, left_stride))
            own_right = w.at(rights, w.times(block, right_stride))
            extent = (low, high, count)
            self._sums_beside(left, own_left, extent)
            own = (own_left, own_right, result)
            self._block(contraction, own, extent, (height, width))

    def _block(
        self,
        contraction: Contraction,
        addresses: tuple[ir.Value, ir.Value, ir.Value],
        extent: tuple[ir.Value, ir.Value, ir.Value],
        tile: tuple[int, int],
    ) -> None:
        """Add one block of rows to a part of the result, tile by tile."""
        w, builder = self.writer, self.writer.builder
        left, right = contraction.left.span, self._right(contraction)
        own_left, own_right, result = addresses
        low, high, count = extent
        height, width = tile
        columns = self.columns[contraction.operand]
        corner = contraction.rows[0] * columns + contraction.columns[0]
        target = w.at(result, corner)
        strides = (self.widths[left.buffer], self.widths[right.buffer], columns)
        for start, vectors, masked in self._columns(right.size, width):
            with w.loop(*start) as column, w.loop(low, high, height) as row:
                self._call_tiles(
                    OuterShape(height, vectors, masked, *strides),
                    left.size,
                    (
                        w.at(own_left, row),
                        w.at(own_right, column),
                        w.at(target, w.times(row, columns), column),
                    ),
                    builder.sub(high, row),
                    count,
                    builder.sub(index(right.size), column),
                )

    @staticmethod
    def _right(contraction: Contraction) -> Span:
        assert contraction.right is not None, "a sum has no right side"
        return contraction.right.span

    def _columns(
        self, size: int, width: int
    ) -> list[tuple[tuple[ir.Constant, ir.Constant, int], int, bool]]:
        """Loops over columns: whole tiles, then whole vectors, then a part of one."""
        step = width * self.lanes
        whole = size // step * step
        vectors = size // self.lanes * self.lanes
        found = []
        if whole:
            found.append(((index(0), index(whole), step), width, False))
        if vectors > whole:
            span = (index(whole), index(vectors), vectors - whole)
            found.append((span, (vectors - whole) // self.lanes, False))
        if size > vectors:
            found.append(((index(vectors), index(size), self.lanes), 1, True))
        return found

    def _call_tiles(
        self,
        shape: OuterShape,
        size: int,
        addresses: tuple[ir.Value, ir.Value, ir.Value],
        rows: ir.Value,
        count: ir.Value,
        columns: ir.Value,
    ) -> None:
        """Full tiles by one function, the last columns of the left by another."""
        builder = self.writer.builder
        rest = size % shape.height
        if not rest:
            tile = self.tiles.function(shape)
            builder.call(tile, [*addresses, count, columns])
            return
        full = builder.icmp_signed(">=", rows, index(shape.height))
        with builder.if_else(full) as branches:
            for height, branch in zip((shape.height, rest), branches, strict=True):
                with branch:
                    tile = self.tiles.function(replace(shape, height=height))
                    builder.call(tile, [*addresses, count, columns])

    def _sums_beside(
        self,
        left: Span,
        rows: ir.Value,
        extent: tuple[ir.Value, ir.Value, ir.Value],
    ) -> None:
        """Add sums of the columns of a product's left side that are just at hand."""
        w, builder = self.writer, self.writer.builder
        low, high, count = extent
        for contraction in self._sums:
            span = contraction.left.span
            offset = span.start - left.start
            begin = builder.sub(w.maximum(low, index(offset)), index(offset))
            end = builder.sub(w.minimum(high, index(offset + span.size)), index(offset))
            first = w.at(rows, offset)
            self._add_sums(contraction, first, begin, end, count)

    def _unit_sums(
        self,
        contraction: Contraction,
        result: ir.Value,
        lefts: ir.Value,
        rights: ir.Value,
        rows: ir.Value,
    ) -> None:
        """Sums of products, unit by unit."""
        w, left, right = self.writer, contraction.left.span, self._right(contraction)
        strides = self.widths[left.buffer], self.widths[right.buffer]
        vectors = min(self.target.largest_tile, -(-left.size // self.lanes))
        sums = self.tiles.sums(vectors, *strides)
        result = w.at(result, contraction.rows[0])
        low, high = self._share(left.size, self.lanes)
        with (
            w.loop(index(0), rows, BLOCK) as block,
            w.loop(low, high, vectors * self.lanes) as unit,
        ):
            count = w.minimum(w.builder.sub(rows, block), index(BLOCK))
            places = [
                w.at(lefts, w.times(block, strides[0]), unit),
                w.at(result, unit),
                w.at(rights, w.times(block, strides[1]), unit),
            ]
            w.builder.call(sums, [*places, count, w.builder.sub(high, unit)])

    def _column_sums(self, contraction: Contraction) -> None:
        """Sums of columns that no product reads."""
        w = self.writer
        span = contraction.left.span
        first = w.at(self._rows_of(span), span.start)
        rows = w.count(self.function.args[0], ROWS)
        low, high = self._share(span.size, self.lanes)
        with w.loop(index(0), rows, BLOCK) as block:
            count = w.minimum(w.builder.sub(rows, block), index(BLOCK))
            own = w.at(first, w.times(block, self.widths[span.buffer]))
            self._add_sums(contraction, own, low, high, count)

    def _add_sums(
        self,
        contraction: Contraction,
        rows: ir.Value,
        low: ir.Value,
        high: ir.Value,
        count: ir.Value,
    ) -> None:
        w, span = self.writer, contraction.left.span
        vectors = min(self.target.largest_tile, -(-span.size // self.lanes))
        sums = self.tiles.sums(vectors, self.widths[span.buffer])
        result = w.at(self._result(contraction), contraction.rows[0])
        with w.loop(low, high, vectors * self.lanes) as column:
            left = w.builder.sub(high, column)
            places = [w.at(rows, column), w.at(result, column), w.at(rows, column)]
            w.builder.call(sums, [*places, count, left])


def _within(part: Span, whole: Span) -> bool:
    """Whether columns are among others."""
    return (
        part.buffer == whole.buffer
        and whole.start <= part.start
        and part.start + part.size <= whole.start + whole.size
    )
