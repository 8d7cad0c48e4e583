"""Products of a block of rows: which tile functions are called, and on what."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from llvmlite import ir

from throughtime.backends.llvm.layout import Batch, Part
from throughtime.backends.llvm.matrix_tiles import configure
from throughtime.backends.llvm.row_values import source_of
from throughtime.backends.llvm.tiles import HELD, ZERO, Operand, TileShape
from throughtime.backends.llvm.writer import INDEX, index

if TYPE_CHECKING:
    from throughtime.backends.llvm.sweep import SweepWriter


class Block(NamedTuple):
    """Rows that go through tiles together: the first, how many, which block it is."""

    first: ir.Value
    height: ir.Value
    number: ir.Value


class Products:
    """Adds a batch's products to its accumulators, for one tile of units."""

    def __init__(
        self,
        sweep: "SweepWriter",
        batch: Batch,
        begun: set[int],
        tile: ir.Value,
        first: ir.Value,
    ) -> None:
        self.sweeping = sweep
        self.writer, self.builder = sweep.writer, sweep.builder
        self.sweep = sweep.sweep
        self.batch = batch
        self.begun = begun
        self.tile = tile
        self.first = first
        self.slots = self.sweep.slots(batch)
        self.weights = self.sweep.weights(batch)

    def write(self, block: Block) -> None:
        """Add all products of the rows there are."""
        parts = self.batch.parts
        if not self.sweep.row_by_row:
            self._call(parts, block)
            return
        alone = self.builder.icmp_signed("==", block.height, index(1))
        with self.builder.if_else(alone) as (then, otherwise):
            with then:
                self._call(parts, block, rows=1)
            with otherwise:
                self._row_by_row(block)

    def _row_by_row(self, block: Block) -> None:
        """Whole sums for all rows together, panel by panel, then each row's lists."""
        whole = [part for part in self.batch.parts if part.listing is None]
        if whole:
            for panel in range(self.sweep.panels):
                self._call(whole, block, panel=panel)
        listed = [part for part in self.batch.parts if part.listing is not None]
        if not listed:
            return
        with self.writer.loop(index(0), block.height) as inner:
            row = self.builder.add(block.first, inner)
            sums = self.writer.at(
                self.sweeping.sums, self.writer.times(inner, self.writer.lanes)
            )
            own = Block(row, index(1), block.number)
            self._call(listed, own, rows=1, sums=sums, held=bool(whole))

    def _call(
        self,
        parts: Iterable[Part],
        block: Block,
        *,
        rows: int | None = None,
        panel: int | None = None,
        sums: ir.Value | None = None,
        held: bool = False,
    ) -> None:
        """Call the tile function of some parts, for one panel or all side by side.

        ``rows`` if it is known how many there are; ``held``: accumulators have begun.
        """
        places = [
            place
            for place, (own, _) in enumerate(self.weights)
            if panel is None or own == panel
        ]
        operands, shapes = self._operands(parts, block, panel)
        starts, addresses = self._starts(block.first, places, held=held)
        weights = tuple(
            (0 if panel is not None else self.weights[place][0], self.weights[place][1])
            for place in places
        )
        slots = tuple(self.slots[place] for place in places)
        shape = TileShape(0, slots, self.sweep.block, shapes, starts, weights)
        arguments = [
            self.sweeping.sums if sums is None else sums,
            *operands,
            *addresses,
        ]
        if rows is None:
            self._call_for_height(shape, block.height, arguments)
        else:
            function = self.sweeping.tiles.function(replace(shape, rows=rows))
            self.builder.call(function, arguments)

    def _operands(
        self, parts: Iterable[Part], block: Block, panel: int | None
    ) -> tuple[list[ir.Value], tuple[Operand, ...]]:
        """Addresses of weights, operands and lists, and what they look like."""
        w, own = self.writer, self.sweeping
        addresses: list[ir.Value] = []
        found: list[Operand] = []
        for part in parts:
            size = part.words * len(self.slots) * w.lanes
            start = part.panel + size // self.sweep.panels * (panel or 0)
            operand, lists = part.pairs or part.location, 0
            addresses.append(w.at(own.panels, w.times(self.tile, size), start))
            addresses.append(own.address(operand, block.first))
            ahead = own.fetch_panels and self.sweep.panels == 1
            ahead = ahead and not own.tiles.matrices
            if own.by_lists and part.listing is not None:
                lists, ahead = own.strides[part.listing.place.place], False
                addresses.append(own.address(part.listing.place, block.first))
            elif ahead:
                following = w.times(self._following(), size)
                lines = w.times(block.number, part.words * w.lanes)
                addresses.append(w.at(own.panels, following, lines, start))
            stride = own.strides[operand.place]
            found.append(Operand(stride, part.words, part.zeros, lists, ahead))
        return addresses, tuple(found)

    def _following(self) -> ir.Value:
        """The tile after this one: behind the last one the first of the next step."""
        following = self.builder.add(self.tile, index(1))
        inside = self.builder.icmp_signed("<", following, index(self.sweep.tiles))
        return self.builder.select(inside, following, index(0))

    def _starts(
        self, row: ir.Value, places: Sequence[int], *, held: bool
    ) -> tuple[tuple[int, ...], list[ir.Value]]:
        """For each of some slots the kind of its start, and addresses of some."""
        w = self.writer
        kinds: list[int] = []
        addresses: list[ir.Value] = []
        for place in places:
            member, vector = divmod(place, self.sweep.vectors)
            accumulator = self.batch.members[member].accumulator
            start = self.sweeping.group.accumulators[accumulator].init
            if held or accumulator in self.begun:
                kinds.append(HELD)
            elif start is None:
                kinds.append(ZERO)
            else:
                source = source_of(self.sweeping, start)
                assert source is not None, "what lies nowhere is copied first"
                base, stride, offset = source
                kinds.append(stride)
                line = w.times(row, stride)
                column = offset + vector * w.lanes
                addresses.append(w.at(base, line, self.first, column))
        return tuple(kinds), addresses

    def _configure(self, height: ir.Value) -> None:
        """Give the processor's tiles so many rows, unless they have them."""
        builder, place = self.builder, self.sweeping.configured
        other = builder.icmp_signed("!=", builder.load(place, typ=INDEX), height)
        with builder.if_then(other):
            configure(self.writer, height)
            builder.store(height, place)

    def _call_for_height(
        self, shape: TileShape, height: ir.Value, arguments: list[ir.Value]
    ) -> None:
        """Call the tile function of as many rows as there are."""
        if self.sweeping.tiles.matrices:
            self._configure(height)
            self.builder.call(self.sweeping.tiles.function(shape), arguments)
            return
        function = self.builder.function
        behind = function.append_basic_block("products")
        default = function.append_basic_block("none")
        switch = self.builder.switch(height, default)
        for rows in range(1, shape.block + 1):
            case = function.append_basic_block(f"rows{rows}")
            switch.add_case(index(rows), case)
            self.builder.position_at_end(case)
            tile_function = self.sweeping.tiles.function(replace(shape, rows=rows))
            self.builder.call(tile_function, arguments)
            self.builder.branch(behind)
        self.builder.position_at_end(default)
        self.builder.branch(behind)
        self.builder.position_at_end(behind)
