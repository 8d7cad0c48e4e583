"""Gradients of parameters: sums over all rows of outer products, in a fixed order.

Rows are taken ``BLOCK`` at a time: each block is summed in registers and added to the
result, so every number is the same sum in the same order however the result is
divided among threads, and long sums lose little accuracy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from llvmlite import ir

from throughtime.backends.llvm.arguments import (
    COUNT,
    ROWS,
    SCRATCH,
    SEGMENTS,
    STEPS,
    TABLE,
    Arguments,
)
from throughtime.backends.llvm.edges import sum_rows
from throughtime.backends.llvm.options import Options
from throughtime.backends.llvm.outer import BLOCK, OuterShape, OuterTiles
from throughtime.backends.llvm.row_copies import copy_rows
from throughtime.backends.llvm.sums_beside import is_shifted, is_sum, turned
from throughtime.backends.llvm.target import Target
from throughtime.backends.llvm.thin_contraction import ThinWriter
from throughtime.backends.llvm.tiling import Tiling, strips, tiling_of
from throughtime.backends.llvm.writer import INDEX, POINTER, VOID, Writer, index
from throughtime.graph.programs import OUTPUT, SUMS, Contraction, Source, Span, meet


@dataclass(frozen=True)
class Segment:
    """Rows that follow each other, and those of the steps before.

    The first row of both, and their number; whether the steps before are the initial
    states.
    """

    own: ir.Value
    before: ir.Value
    rows: ir.Value
    starts: bool = False


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
        options: Options,
    ) -> None:
        self.options = options
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
        self._all = contractions
        products = [c for c in contractions if not is_sum(c)]
        self.room = max((self._tiling(one).room for one in products), default=0)
        sums = [c for c in contractions if is_sum(c)]
        for product in products:
            # Rows that a product has just read are at hand for a sum as well.
            self._beside = [
                one for c in sums if not self._rivals(c) for one in turned(c, product)
            ]
            beside = [(c.operand, c.rows) for c in self._beside]
            sums = [c for c in sums if (c.operand, c.rows) not in beside]
            self._over_segments(product)
        self._beside = []
        for contraction in sums:
            self._over_segments(contraction)
        self.writer.builder.ret_void()
        return self.function

    def _rivals(self, contraction: Contraction) -> list[Contraction]:
        """Others that add to some of the same numbers.

        No thread waits for another between contractions, so one thread must take all
        that add to a number.
        """
        return [
            other
            for other in self._all
            if other is not contraction
            and other.operand == contraction.operand
            and meet(other.rows, contraction.rows)
            and meet(other.columns, contraction.columns)
        ]

    def _share_of_sum(self, contraction: Contraction) -> tuple[ir.Value, ir.Value]:
        """Give this thread's columns of a sum: whoever adds to a number adds all."""
        w, first = self.writer, contraction.rows[0]
        every = [c.rows[1] for c in self._all if c.operand == contraction.operand]
        low, high = self._share(max(every), self.lanes)
        size = index(contraction.left.span.size)
        own = (w.builder.sub(place, index(first)) for place in (low, high))
        begin, end = (w.minimum(w.maximum(place, index(0)), size) for place in own)
        return begin, end

    def _share_of_product(
        self, contraction: Contraction, step: int
    ) -> tuple[ir.Value, ir.Value]:
        """Give this thread's rows of a product, in whole tiles."""
        builder, size = self.writer.builder, contraction.left.span.size
        alike = (contraction.rows, contraction.columns)
        if all((c.rows, c.columns) == alike for c in self._rivals(contraction)):
            return self._share(size, step)
        first = builder.icmp_signed("==", self.function.args[1], index(0))
        return index(0), builder.select(first, index(size), index(0))

    def _share(self, whole: int, step: int) -> tuple[ir.Value, ir.Value]:
        """Give this thread's part of ``whole`` rows of the result, in whole steps."""
        _, thread, team = self.function.args
        low, high = self.writer.share(index(-(-whole // step)), thread, team)
        last = self.writer.minimum(self.writer.times(high, step), index(whole))
        return self.writer.times(low, step), last

    def _result(self, contraction: Contraction) -> ir.Value:
        word = self.arguments.position(f"gradient operand {contraction.operand}")
        return self.writer.pointer(self.function.args[0], word)

    def _over_segments(self, contraction: Contraction) -> None:
        """Take a contraction over all rows, in segments if it reads a step before."""
        w, table = self.writer, self.function.args[0]
        if not is_shifted(contraction):
            zero, rows = index(0), w.count(table, ROWS)
            if contraction.left.span.buffer == SUMS:
                rows = sum_rows(w, table)
            self._segment(contraction, Segment(zero, zero, rows))
            return
        numbers, steps = w.pointer(table, TABLE), w.count(table, STEPS)
        places = index(0), steps, w.builder.add(steps, steps)
        own, before, rows = (w.count(numbers, place) for place in places)
        self._segment(contraction, Segment(own, before, rows, starts=True))
        segments = w.pointer(table, SEGMENTS)
        with w.loop(index(0), w.count(table, COUNT)) as segment:
            place = w.times(segment, 3)
            numbered = (w.builder.add(place, index(number)) for number in range(3))
            own, before, rows = (w.count(segments, word) for word in numbered)
            self._segment(contraction, Segment(own, before, rows))

    def _rows_of(self, source: Source, segment: Segment) -> ir.Value:
        """Where one side of a contraction has its columns of a segment's first row."""
        w, span, table = self.writer, source.span, self.function.args[0]
        if source.state is not None and segment.starts and span.buffer == OUTPUT:
            # The output has no rows before its first step.
            word = self.arguments.position(f"start {source.state}")
            return w.at(w.pointer(table, word), span.start)
        base = w.pointer(table, self.arguments.position(f"buffer {span.buffer}"))
        row = segment.own if source.state is None else segment.before
        return w.at(base, w.times(row, self.widths[span.buffer]), span.start)

    def _segment(self, contraction: Contraction, segment: Segment) -> None:
        """Add the rows of one segment, block by block."""
        w, builder = self.writer, self.writer.builder
        lefts = self._rows_of(contraction.left, segment)
        if contraction.right is None or contraction.unitwise:
            self._sum_alone(contraction, lefts, segment)
            return
        left = contraction.left.span
        rights = self._rows_of(contraction.right, segment)
        tiling = self._tiling(contraction)
        first, last = self._share_of_product(contraction, tiling.step)
        with (
            w.loop(first, last, tiling.panel) as low,
            w.loop(index(0), segment.rows, BLOCK) as block,
        ):
            high = w.minimum(builder.add(low, index(tiling.panel)), last)
            count = w.minimum(builder.sub(segment.rows, block), index(BLOCK))
            own_left = w.at(lefts, w.times(block, tiling.left_stride))
            own_right = w.at(rights, w.times(block, tiling.right_stride))
            extent = (low, high, count)
            self._sums_beside(left, (own_left, block), segment, extent)
            own = (own_left, own_right, self._result(contraction))
            self._product(contraction, own, extent)

    def _tiling(self, contraction: Contraction) -> Tiling:
        return tiling_of(
            contraction,
            self.widths,
            self.columns[contraction.operand],
            self.target,
            self.tiles.item_bytes,
            thin=bool(self.options.most_by_pattern),
            copy=self.options.copy_rows,
        )

    def _product(
        self,
        contraction: Contraction,
        addresses: tuple[ir.Value, ir.Value, ir.Value],
        extent: tuple[ir.Value, ir.Value, ir.Value],
    ) -> None:
        """Add one block of rows to a part of the result, whole or by lists."""
        w, tiling = self.writer, self._tiling(contraction)
        memory = w.pointer(self.function.args[0], SCRATCH)
        memory = w.at(memory, w.times(self.function.args[1], self.room))
        if tiling.thin is None:
            self._whole(contraction, addresses, extent, memory)
            return
        lists = ThinWriter(w, self.tiles, tiling, tiling.thin, memory)
        lefts, rights, _ = addresses
        most = self.options.most_by_pattern
        chosen = lists.chosen(lefts, rights, extent, most)
        with w.builder.if_else(chosen) as (then, otherwise):
            with then:
                stride = tiling.left_stride
                self._block(contraction, addresses, extent, stride, lists)
            with otherwise:
                self._whole(contraction, addresses, extent, memory)

    def _whole(
        self,
        contraction: Contraction,
        addresses: tuple[ir.Value, ir.Value, ir.Value],
        extent: tuple[ir.Value, ir.Value, ir.Value],
        memory: ir.Value,
    ) -> None:
        """Add a block by all of its rows, copied where they lie far apart."""
        w, tiling = self.writer, self._tiling(contraction)
        if not tiling.copy_stride:
            stride = tiling.left_stride
            self._block(contraction, addresses, extent, stride)
            return
        lefts, rights, result = addresses
        low, high, count = extent
        source = w.at(lefts, low), tiling.left_stride
        target = memory, tiling.copy_stride
        copy_rows(w, source, target, count, w.builder.sub(high, low))
        own = w.at(memory, w.builder.neg(low)), rights, result
        self._block(contraction, own, extent, tiling.copy_stride)

    def _block(
        self,
        contraction: Contraction,
        addresses: tuple[ir.Value, ir.Value, ir.Value],
        extent: tuple[ir.Value, ir.Value, ir.Value],
        left_stride: int,
        lists: ThinWriter | None = None,
    ) -> None:
        """Add a block tile by tile."""
        w, builder = self.writer, self.writer.builder
        own_left, own_right, result = addresses
        low, high, count = extent
        tiling = self._tiling(contraction)
        fetch = self.options.fetch_ahead and left_stride == tiling.left_stride
        sizes = tiling if lists is None else lists.thin
        columns = tiling.result_stride
        corner = contraction.rows[0] * columns + contraction.columns[0]
        target = w.at(result, corner)
        strides = left_stride, tiling.right_stride, columns
        for strip in strips(tiling.columns, sizes.width, self.lanes):
            columns_of = w.loop(index(strip.start), index(strip.stop), strip.step)
            with columns_of as column, w.loop(low, high, sizes.height) as row:
                own = w.at(target, w.times(row, columns), column)
                left = builder.sub(index(tiling.columns), column)
                places = w.at(own_left, row), w.at(own_right, column), own

                def call(
                    shape: OuterShape,
                    row: ir.Value = row,
                    column: ir.Value = column,
                    places: tuple[ir.Value, ...] = places,
                    left: ir.Value = left,
                ) -> None:
                    if lists is None:
                        tile = self.tiles.function(shape)
                        builder.call(tile, [*places, count, left])
                    else:
                        unit = builder.sub(row, low)
                        lists.call_tile(shape, unit, column, places[2], left)

                shape = OuterShape(
                    sizes.height, strip.vectors, strip.masked, *strides, fetch
                )
                rows = builder.sub(high, row)
                self._call_tiles(shape, tiling.units, rows, call)

    def _call_tiles(
        self,
        shape: OuterShape,
        size: int,
        rows: ir.Value,
        call: Callable[[OuterShape], None],
    ) -> None:
        """Full tiles by one function, the last columns of the left by another."""
        builder = self.writer.builder
        rest = size % shape.height
        if not rest:
            call(shape)
            return
        full = builder.icmp_signed(">=", rows, index(shape.height))
        with builder.if_else(full) as branches:
            for height, branch in zip((shape.height, rest), branches, strict=True):
                with branch:
                    call(replace(shape, height=height))

    def _sums_beside(
        self,
        left: Span,
        place: tuple[ir.Value, ir.Value],
        segment: Segment,
        extent: tuple[ir.Value, ir.Value, ir.Value],
    ) -> None:
        """Add sums over the columns of a product's left side that are just at hand.

        ``place`` is where these are, and the row of the segment.
        """
        w, builder = self.writer, self.writer.builder
        rows, block = place
        low, high, count = extent
        for contraction in self._beside:
            span = contraction.left.span
            offset = span.start - left.start
            begin = builder.sub(w.maximum(low, index(offset)), index(offset))
            end = builder.sub(w.minimum(high, index(offset + span.size)), index(offset))
            own = w.at(rows, offset)
            others = self._others(contraction, segment, block)
            self._add_sums(contraction, (own, others), (begin, end, count))

    def _sum_alone(
        self, contraction: Contraction, lefts: ir.Value, segment: Segment
    ) -> None:
        """A sum over columns that no product reads."""
        w, span = self.writer, contraction.left.span
        low, high = self._share_of_sum(contraction)
        with w.loop(index(0), segment.rows, BLOCK) as block:
            count = w.minimum(w.builder.sub(segment.rows, block), index(BLOCK))
            own = w.at(lefts, w.times(block, self.widths[span.buffer]))
            others = self._others(contraction, segment, block)
            self._add_sums(contraction, (own, others), (low, high, count))

    def _others(
        self, contraction: Contraction, segment: Segment, block: ir.Value
    ) -> ir.Value | None:
        """Where the factors of a sum lie, from a row of a segment on."""
        if contraction.right is None:
            return None
        rights = self._rows_of(contraction.right, segment)
        stride = self.widths[contraction.right.span.buffer]
        return self.writer.at(rights, self.writer.times(block, stride))

    def _add_sums(
        self,
        contraction: Contraction,
        rows: tuple[ir.Value, ir.Value | None],
        extent: tuple[ir.Value, ir.Value, ir.Value],
    ) -> None:
        """Add up columns, from a first one to a last one, over so many rows."""
        w, span = self.writer, contraction.left.span
        own, others = rows
        low, high, count = extent
        vectors = min(self.target.largest_tile, -(-span.size // self.lanes))
        right = contraction.right
        stride = None if right is None else self.widths[right.span.buffer]
        sums = self.tiles.sums(vectors, self.widths[span.buffer], stride)
        result = w.at(self._result(contraction), contraction.rows[0])
        with w.loop(low, high, vectors * self.lanes) as column:
            left = w.builder.sub(high, column)
            factors = w.at(own if others is None else others, column)
            places = [w.at(own, column), w.at(result, column), factors]
            w.builder.call(sums, [*places, count, left])
