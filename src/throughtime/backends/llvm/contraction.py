"""Gradients of parameters: sums over all rows of outer products, in a fixed order.

Rows are taken ``BLOCK`` at a time: each block is summed in registers and added to the
result, so every number is the same sum in the same order however the result is
divided among threads, and long sums lose little accuracy.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from llvmlite import ir

from throughtime.backends.llvm.arguments import (
    BATCH,
    COUNT,
    ROWS,
    SCRATCH,
    SEGMENTS,
    STEPS,
    TABLE,
    Arguments,
)
from throughtime.backends.llvm.edges import Edges, sum_rows
from throughtime.backends.llvm.options import Options
from throughtime.backends.llvm.outer import BLOCK, OuterShape, OuterTiles
from throughtime.backends.llvm.parts import Parts
from throughtime.backends.llvm.row_lists import RowLists, Runs
from throughtime.backends.llvm.sums_beside import is_shifted, is_sum, turned
from throughtime.backends.llvm.target import Target
from throughtime.backends.llvm.thin_contraction import ThinWriter
from throughtime.backends.llvm.tiling import Tiling, strips, tiling_of
from throughtime.backends.llvm.writer import INDEX, POINTER, VOID, Writer, index
from throughtime.graph.programs import OUTPUT, SUMS, Contraction, Source, Span, meet

Side = tuple[ir.Value, ir.Value]
"""One side of a contraction: its columns of row 0, and the list of a block's rows."""


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
        edges: Edges,
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
        self.parts = Parts(self.writer, arguments, edges)
        self.lists = RowLists(self.writer)

    def write(self, contractions: Sequence[Contraction]) -> ir.Function:
        self._all = contractions
        products = [c for c in contractions if not is_sum(c)]
        self.room = max((self._tiling(one).room for one in products), default=0)
        with self.parts.own() as self.part:
            self.own_rows = self.parts.rows(self.part)
            self._one_part(products, [c for c in contractions if is_sum(c)])
        self.writer.builder.ret_void()
        return self.function

    def _one_part(
        self, products: Sequence[Contraction], sums: Sequence[Contraction]
    ) -> None:
        for product in products:
            # Rows that a product has just read are at hand for a sum as well.
            self._beside = [
                one for c in sums if not self._rivals(c) for one in turned(c, product)
            ]
            beside = [(c.operand, c.rows) for c in self._beside]
            sums = [c for c in sums if (c.operand, c.rows) not in beside]
            self._all_rows(product)
        self._beside = []
        for contraction in sums:
            self._all_rows(contraction)

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
        size = contraction.left.span.size
        alike = (contraction.rows, contraction.columns)
        if all((c.rows, c.columns) == alike for c in self._rivals(contraction)):
            return self._share(size, step)
        return self._share(size, size)

    def _share(self, whole: int, step: int) -> tuple[ir.Value, ir.Value]:
        """Give this thread's share of ``whole`` rows of the result, in whole steps."""
        low, high = self.parts.share(index(-(-whole // step)))
        last = self.writer.minimum(self.writer.times(high, step), index(whole))
        return self.writer.times(low, step), last

    def _all_rows(self, contraction: Contraction) -> None:
        """Take a contraction over all rows of a part.

        Where it reads a step before, rows of the first step come by themselves: the
        output has none before them.
        """
        if is_shifted(contraction):
            self._over_runs(contraction, self._steps(index(1)), starts=True)
            self._over_runs(contraction, self._behind_the_first())
        else:
            self._over_runs(contraction, self._every_row(contraction))

    def _steps(self, number: ir.Value, first: int = 0) -> Runs:
        """Runs of so many steps: a part's rows of each of them."""
        w, table = self.writer, self.function.args[0]
        steps = w.count(table, STEPS)
        start = w.word(w.pointer(table, TABLE), index(first))
        before = w.word(start, steps)
        counts = w.word(before, steps)
        return Runs(start, before, counts, index(1), number, *self.own_rows, index(1))

    def _behind_the_first(self) -> Runs:
        """All steps but the first; as few runs as there can be, if there is one part.

        So steps of few sequences are not looked at one by one.
        """
        w, table = self.writer, self.function.args[0]
        steps = self._steps(w.builder.sub(w.count(table, STEPS), index(1)), first=1)
        whole = w.pointer(table, SEGMENTS)
        first, before, counts = (w.word(whole, index(n)) for n in range(3))
        count, rows, none = w.count(table, COUNT), w.count(table, ROWS), index(0)
        joined = Runs(first, before, counts, index(3), count, none, rows, none)
        return self._either(joined, steps)

    def _every_row(self, contraction: Contraction) -> Runs:
        """All rows, or those of sums, which the first part takes."""
        w, table = self.writer, self.function.args[0]
        rows = w.count(table, ROWS)
        of_sums = contraction.left.span.buffer == SUMS
        if of_sums:
            first = w.builder.icmp_signed("==", self.part, index(0))
            rows = w.builder.select(first, sum_rows(w, table), index(0))
        joined = self.lists.single(rows)
        if of_sums:
            return joined
        return self._either(joined, self._steps(w.count(table, STEPS)))

    def _either(self, joined: Runs, steps: Runs) -> Runs:
        """The first if there is one part, else the second."""
        builder = self.writer.builder
        alone = builder.icmp_signed("==", self.parts.count, index(1))
        pairs = zip(joined, steps, strict=True)
        return Runs(*(builder.select(alone, *pair) for pair in pairs))

    def _rows_of(self, source: Source, *, starts: bool) -> tuple[ir.Value, ir.Value]:
        """Where one side of a contraction has its columns of row 0, and its list."""
        w, span, table = self.writer, source.span, self.function.args[0]
        listed = self.lists.own if source.state is None else self.lists.before
        if source.state is not None and starts and span.buffer == OUTPUT:
            # Rows before the first are counted from -B on.
            word = self.arguments.position(f"start {source.state}")
            behind = w.times(w.count(table, BATCH), self.widths[OUTPUT])
            return w.at(w.pointer(table, word), behind, span.start), listed
        base = w.pointer(table, self.arguments.position(f"buffer {span.buffer}"))
        return w.at(base, span.start), listed

    def _over_runs(
        self, contraction: Contraction, runs: Runs, *, starts: bool = False
    ) -> None:
        """Add the rows of some runs, block by block."""
        w, builder = self.writer, self.writer.builder
        left = self._rows_of(contraction.left, starts=starts)
        if is_sum(contraction):
            low, high = self._share_of_sum(contraction)
            with self.lists.blocks(runs) as count:
                self._add_sums(contraction, left, (low, high, count), starts=starts)
            return
        assert contraction.right is not None, "a product has two sides"
        sides = left, self._rows_of(contraction.right, starts=starts)
        tiling = self._tiling(contraction)
        first, last = self._share_of_product(contraction, tiling.step)
        with (
            w.loop(first, last, tiling.panel) as low,
            self.lists.blocks(runs) as count,
        ):
            high = w.minimum(builder.add(low, index(tiling.panel)), last)
            extent = (low, high, count)
            self._sums_beside(contraction.left.span, left, extent, starts=starts)
            self._product(contraction, sides, extent)

    def _tiling(self, contraction: Contraction) -> Tiling:
        return tiling_of(
            contraction,
            self.widths,
            self.columns[contraction.operand],
            self.target,
            self.tiles.item_bytes,
            thin=bool(self.options.most_by_pattern),
        )

    def _product(
        self,
        contraction: Contraction,
        sides: tuple[Side, Side],
        extent: tuple[ir.Value, ir.Value, ir.Value],
    ) -> None:
        """Add one block of rows to a part of the result, whole or by lists."""
        w, tiling = self.writer, self._tiling(contraction)
        if tiling.thin is None:
            self._block(contraction, sides, extent)
            return
        memory = w.pointer(self.function.args[0], SCRATCH)
        memory = w.at(memory, w.times(self.function.args[1], self.room))
        thin = ThinWriter(w, self.tiles, tiling, tiling.thin, memory)
        chosen = thin.chosen(*sides, extent, self.options.most_by_pattern)
        with w.builder.if_else(chosen) as (then, otherwise):
            with then:
                self._block(contraction, sides, extent, thin)
            with otherwise:
                self._block(contraction, sides, extent)

    def _block(
        self,
        contraction: Contraction,
        sides: tuple[Side, Side],
        extent: tuple[ir.Value, ir.Value, ir.Value],
        thin: ThinWriter | None = None,
    ) -> None:
        """Add a block tile by tile."""
        w, builder = self.writer, self.writer.builder
        (lefts, listed), (rights, right_listed) = sides
        low, high, count = extent
        tiling = self._tiling(contraction)
        # Of every step one part takes its rows: so many lie between two blocks.
        ahead = w.times(self.parts.count, BLOCK * tiling.left_stride)
        sizes = tiling if thin is None else thin.thin
        columns = tiling.result_stride
        corner = contraction.rows[0] * columns + contraction.columns[0]
        target = w.at(self.parts.sums(contraction.operand, self.part), corner)
        strides = tiling.left_stride, tiling.right_stride, columns
        shared = *strides, self.options.fetch_ahead
        for strip in strips(tiling.columns, sizes.width, self.lanes):
            columns_of = w.loop(index(strip.start), index(strip.stop), strip.step)
            with columns_of as column, w.loop(low, high, sizes.height) as row:
                own = w.at(target, w.times(row, columns), column)
                left = builder.sub(index(tiling.columns), column)
                place = w.at(lefts, row)
                places = place, w.at(rights, column), own, listed, right_listed
                given = *places, w.at(place, ahead), count, left

                def call(
                    shape: OuterShape,
                    row: ir.Value = row,
                    column: ir.Value = column,
                    given: tuple[ir.Value, ...] = given,
                ) -> None:
                    if thin is None:
                        builder.call(self.tiles.function(shape), given)
                    else:
                        unit = builder.sub(row, low)
                        thin.call_tile(shape, unit, column, given[2], given[-1])

                shape = OuterShape(sizes.height, strip.vectors, strip.masked, *shared)
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
        side: Side,
        extent: tuple[ir.Value, ir.Value, ir.Value],
        *,
        starts: bool,
    ) -> None:
        """Add sums over the columns of a product's left side that are just at hand."""
        w, builder = self.writer, self.writer.builder
        rows, listed = side
        low, high, count = extent
        for contraction in self._beside:
            span = contraction.left.span
            offset = span.start - left.start
            begin = builder.sub(w.maximum(low, index(offset)), index(offset))
            end = builder.sub(w.minimum(high, index(offset + span.size)), index(offset))
            own, within = (w.at(rows, offset), listed), (begin, end, count)
            self._add_sums(contraction, own, within, starts=starts)

    def _add_sums(
        self,
        contraction: Contraction,
        side: Side,
        extent: tuple[ir.Value, ir.Value, ir.Value],
        *,
        starts: bool,
    ) -> None:
        """Add up columns, from a first one to a last one, over the rows of a block."""
        w, span, right = self.writer, contraction.left.span, contraction.right
        own, listed = side
        low, high, count = extent
        others, stride = side, None
        if right is not None:
            others = self._rows_of(right, starts=starts)
            stride = self.widths[right.span.buffer]
        vectors = min(self.target.largest_tile, -(-span.size // self.lanes))
        sums = self.tiles.sums(vectors, self.widths[span.buffer], stride)
        result = self.parts.sums(contraction.operand, self.part)
        result = w.at(result, contraction.rows[0])
        with w.loop(low, high, vectors * self.lanes) as column:
            left = w.builder.sub(high, column)
            places = [w.at(place, column) for place in (own, others[0], result)]
            w.builder.call(sums, [*places, listed, others[1], count, left])
