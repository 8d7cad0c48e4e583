"""One sweep over the units of a group: start sums, add products, the pointwise rest."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from llvmlite import ir

from throughtime.backends.llvm.by_pattern import BLOCKS, ByPattern
from throughtime.backends.llvm.layout import Sweep, has_products
from throughtime.backends.llvm.options import Options
from throughtime.backends.llvm.pairs import write_row
from throughtime.backends.llvm.pointwise import Pointwise
from throughtime.backends.llvm.products import Block, Products
from throughtime.backends.llvm.random_numbers import Draws
from throughtime.backends.llvm.reductions import Reductions
from throughtime.backends.llvm.row_values import RowValues, source_of
from throughtime.backends.llvm.schedule import Location, Schedule, Write
from throughtime.backends.llvm.tiles import Tiles
from throughtime.backends.llvm.vector_math import VectorMath
from throughtime.backends.llvm.writer import Writer, index
from throughtime.graph.nodes import Node
from throughtime.graph.programs import SUMS

FETCHED = {"buffer", "previous"}
"""Kinds of places whose rows move on from step to step."""


class SweepWriter:
    """Writes one group of one step for the rows of a chunk."""

    def __init__(
        self,
        writer: Writer,
        math: VectorMath,
        tiles: Tiles,
        nodes: Sequence[Node],
        schedule: Schedule,
        ways: tuple[Sweep, ...],
        *,
        bases: Mapping[str, ir.Value],
        strides: Mapping[str, int],
        operands: Mapping[int, ir.Value],
        panels: ir.Value,
        sums: ir.Value,
        rows_ahead: ir.Value | None,
        shift: ir.Value | None,
        tiles_of: Callable[[ir.Value], tuple[ir.Value, ir.Value]] | None,
        options: Options,
        draws: Draws | None,
        iteration: ir.Value | None,
        to_and_fro: bool,
        fetch_panels: bool,
        configured: ir.Value,
    ) -> None:
        self.configured = configured
        self.draws = draws
        self.iteration = iteration if to_and_fro else None
        self.fetch_panels = fetch_panels
        self.tiles_of = tiles_of
        self.rows_ahead = rows_ahead
        self.shift = shift
        self.options = options
        self.writer = writer
        self.builder = writer.builder
        self.math = math
        self.tiles = tiles
        self.nodes = nodes
        self.schedule = schedule
        self.sweeps, self.sweep = ways, ways[0]
        self.group = self.sweep.group
        self.bases = bases
        self.strides = strides
        self.operands = operands
        self.panels = panels
        self.sums = sums
        self.pointwise = Pointwise(writer, math)
        self.reductions = Reductions(self)
        self.by_lists = False
        self.roots = {a.root: p for p, a in enumerate(self.group.accumulators)}
        self.by_pattern: ByPattern | None = None
        if self.sweep.leaves_out:
            self.by_pattern = ByPattern(self, iteration)

    def write(self, active: ir.Value) -> None:
        """All units of so many rows."""
        if has_products(self.sweep):
            self._write_tiles(active)
        else:
            self.write_rows(index(0), active)

    def _write_tiles(self, active: ir.Value) -> None:
        """All tiles of units, within each all blocks of rows."""
        self._round_operands(active)
        if self.group.reductions:
            with self.writer.loop(index(0), active) as row:
                self.reductions.clear(row)
        if self.by_pattern is None:
            self._all_tiles(active)
        else:
            self._chosen_way(self.by_pattern, active)
        if self.group.reductions:
            with self.writer.loop(index(0), active) as row:
                self.reductions.finish(row)

    def _chosen_way(self, by_pattern: ByPattern, active: ir.Value) -> None:
        """All tiles, by lists or not."""
        builder = self.builder
        self.sweep = self.sweeps[BLOCKS]
        by_pattern.prepare(active)
        way = by_pattern.way()
        for number, sweep in enumerate(self.sweeps):
            self.sweep, self.by_lists = sweep, number > 0
            with builder.if_then(builder.icmp_signed("==", way, index(number))):
                self._all_tiles(active)

    def _all_tiles(self, active: ir.Value) -> None:
        with self._tiles() as (tile, first):
            for block in self.blocks(active):
                self._block(tile, first, block)

    def write_rows(self, low: ir.Value, high: ir.Value) -> None:
        """All tiles of units of one row after the other: for groups without products.

        What reductions add up stays in registers.
        """
        self.reductions.keep_in_registers()
        with self.writer.loop(low, high) as row:
            self.reductions.clear(row)
            with self._tiles() as (_, first):
                self._row(first, row, index(0))
            self.reductions.finish(row)

    @contextmanager
    def _tiles(self) -> Iterator[tuple[ir.Value, ir.Value]]:
        """A loop over this thread's tiles: number and first unit."""
        low, high = index(0), index(self.sweep.tiles)
        if self.tiles_of is not None:
            low, high = self.tiles_of(high)
        with self.writer.loop(low, high) as number:
            tile = self._to_and_fro(number, low, high)
            yield tile, self.writer.times(tile, self.sweep.vectors * self.writer.lanes)

    def _to_and_fro(self, number: ir.Value, low: ir.Value, high: ir.Value) -> ir.Value:
        """Take tiles of every other step from the last one to the first.

        A step then begins with the weights that the one before it has just used.
        """
        ordered = self.group.reductions or not has_products(self.sweep)
        if self.iteration is None or ordered:
            return number
        builder = self.builder
        odd = builder.trunc(self.iteration, ir.IntType(1))
        last = builder.sub(builder.add(low, high), index(1))
        return builder.select(odd, builder.sub(last, number), number)

    def blocks(self, active: ir.Value) -> Iterator[Block]:
        """Blocks of rows, within a loop over them.

        Even ones are ``⌈rows left / blocks left⌉`` high: a low last block would use
        a fraction of the registers.
        """
        w, builder, most = self.writer, self.builder, index(self.sweep.block)
        if not self.options.even_blocks:
            with w.loop(index(0), active, self.sweep.block) as row:
                height = w.minimum(builder.sub(active, row), most)
                yield Block(row, height, builder.udiv(row, most))
            return
        one = index(1)
        blocks = builder.udiv(builder.add(active, builder.sub(most, one)), most)
        with w.loop(index(0), blocks) as block:
            row = builder.udiv(builder.mul(active, block), blocks)
            following = builder.mul(active, builder.add(block, one))
            height = builder.sub(builder.udiv(following, blocks), row)
            yield Block(row, height, block)

    def _round_operands(self, active: ir.Value) -> None:
        """Write the operands of products in bfloat16, if products take them so."""
        parts = {part for batch in self.sweep.batches for part in batch.parts}
        rounded = {p.pairs: p for p in parts if p.pairs is not None}
        for pairs, part in sorted(rounded.items(), key=lambda item: item[0].start):
            with self.writer.loop(index(0), active) as row:
                source = self.address(part.location, row)
                target = self.address(pairs, row)
                write_row(self.writer, source, target, part.terms, part.words)

    def _block(self, tile: ir.Value, first: ir.Value, block: Block) -> None:
        w, row, height = self.writer, block.first, block.height
        copied = [p for p in range(len(self.group.accumulators)) if self._copied(p)]
        if copied:
            with w.loop(index(0), height) as inner:
                self._start(copied, first, self.builder.add(row, inner), inner)
        begun = set(copied)
        for batch in self.sweep.batches:
            Products(self, batch, begun, tile, first).write(block)
            begun |= {member.accumulator for member in batch.members}
        with w.loop(index(0), height) as number:
            inner = self._apart(number, height)
            self._row(first, self.builder.add(row, inner), inner)

    def _apart(self, number: ir.Value, height: ir.Value) -> ir.Value:
        """Take rows of a block in the order 1, 0, 3, 2, ….

        Of rows in order the processor fetches those that follow, which behind the last
        one another thread writes: each would take the other's lines away.
        """
        if any(write.place == SUMS for write in self.group.writes):
            return number  # the order of a sum must not depend on blocks
        builder, last = self.builder, self.builder.sub(height, index(1))
        return self.writer.minimum(builder.xor(number, index(1)), last)

    def sum_place(self, accumulator: int, vector: int, inner: ir.Value) -> ir.Value:
        """Address of one row's vector of an accumulator."""
        slot = (accumulator * self.sweep.vectors + vector) * self.sweep.block
        offset = self.writer.times(inner, self.writer.lanes)
        return self.writer.at(self.sums, offset, slot * self.writer.lanes)

    def _copied(self, position: int) -> bool:
        """Whether an accumulator's start is computed, or cut off at the last unit."""
        start = self.group.accumulators[position].init
        if start is None:
            return False
        direct = self.options.start_in_registers and not self.sweep.masked
        return not direct or source_of(self, start) is None

    def _start(
        self, copied: Sequence[int], first: ir.Value, row: ir.Value, inner: ir.Value
    ) -> None:
        """Give accumulators of a row the value they start from."""
        for vector in range(self.sweep.vectors):
            values = self._values(first, row, vector)
            for position in copied:
                start = self.group.accumulators[position].init
                assert start is not None, "what starts from nothing is not copied"
                place = self.sum_place(position, vector, inner)
                self.writer.store(values.of(start), place)

    def _values(
        self,
        first: ir.Value,
        row: ir.Value,
        vector: int,
        inner: ir.Value | None = None,
    ) -> RowValues:
        unit = (
            self.builder.add(first, index(vector * self.writer.lanes))
            if vector
            else first
        )
        mask = self.writer.mask(unit, self.group.size) if self.sweep.masked else None
        return RowValues(self, row, unit, mask, vector, inner)

    def _row(
        self,
        first: ir.Value,
        row: ir.Value,
        inner: ir.Value,
    ) -> None:
        """Everything behind the products, for one row of a tile.

        All is read before anything is written, for that may lie in the same place.
        """
        for vector in range(self.sweep.vectors):
            values = self._values(first, row, vector, inner)
            results = [values.of(write.node) for write in self.group.writes]
            reduced = self.reductions.arguments(values)
            for write, result in zip(self.group.writes, results, strict=True):
                self._write(write, result, row, values)
            self.reductions.take(reduced, values)

    def _write(
        self, write: Write, value: ir.Value, row: ir.Value, values: RowValues
    ) -> None:
        """Write a value to its row, or add it to this row's row of sums."""
        if write.place == SUMS:
            row = self.builder.lshr(row, self.shift)
        location = Location(write.place, write.start)
        address = self.address(location, row, values.unit)
        if self.rows_ahead is None and self.tiles_of is None:
            self._fetch_next_tile(address, write=True)
        if write.place == SUMS:
            value = self.builder.fadd(self.writer.load(address, values.mask), value)
        self.writer.store(value, address, values.mask)

    def fetch(self, place: str, address: ir.Value) -> None:
        """Ask for what is read later where a row reads an address now.

        Steps that go backwards are more than the processor foresees: it is what the
        next step reads. Elsewhere weights that outgrow the cache displace what lies
        ready, such as what a step has left for the next one: it is what the next tile
        reads.
        """
        kind = place.partition(" ")[0]
        if self.rows_ahead is None:
            if kind in {*FETCHED, "old"}:
                self._fetch_next_tile(address)
        elif kind in FETCHED:
            offset = self.writer.times(self.rows_ahead, self.strides[place])
            self.writer.prefetch(self.writer.at(address, offset))

    def _fetch_next_tile(self, address: ir.Value, *, write: bool = False) -> None:
        """Ask for a row's units behind those of this tile, to read or to write them."""
        if self.fetch_panels and has_products(self.sweep):
            following = self.sweep.vectors * self.writer.lanes
            self.writer.prefetch(self.writer.at(address, following), write=write)

    def address(
        self, location: Location, row: ir.Value, unit: ir.Value | None = None
    ) -> ir.Value:
        w = self.writer
        offset = w.times(row, self.strides[location.place])
        columns = (location.start,) if unit is None else (unit, location.start)
        return w.at(self.bases[location.place], offset, *columns)
