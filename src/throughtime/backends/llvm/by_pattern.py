"""Whether a batch of products leaves out zeros, step by step, and the lists for it."""

from typing import TYPE_CHECKING

from llvmlite import ir

from throughtime.backends.llvm.patterns import (
    SELDOM,
    SHARES,
    all_numbers,
    count_function,
    length_of,
    lengthen_function,
    list_function,
    worth,
)
from throughtime.backends.llvm.schedule import Location
from throughtime.backends.llvm.writer import INDEX, Writer, index

if TYPE_CHECKING:
    from throughtime.backends.llvm.sweep import SweepWriter

WHOLE, BLOCKS, ROWS = range(3)
"""Ways of a step: sums over all units; by the lists of some rows together, by those of
each row alone, which need not be of one length."""
FEW = 0.2
"""Share of units that are not 0 up to which each row goes alone."""
ALONE = 2.4
"""Of the share up to which lists pay, the one where there is a single row, whose tiles
lie side by side then."""


class ByPattern:
    """The choice of one sweep, and its lists.

    It changes no bit: the sums run in the same order, and what is left out is 0 times
    a number. Weights that are not finite take all units.
    """

    def __init__(self, sweep: "SweepWriter", iteration: ir.Value | None) -> None:
        self.sweep = sweep
        self.writer: Writer = sweep.writer
        self.builder = sweep.builder
        self.parts = [
            (part, part.listing)
            for batch in sweep.sweep.batches
            for part in batch.parts
            if part.listing is not None
        ]
        self.units = sum(part.terms for part, _ in self.parts)
        self.iteration = iteration
        with self.builder.goto_entry_block():
            # Of this step and of the next one.
            self._now, self._next = (self.builder.alloca(INDEX) for _ in range(2))
            self.builder.store(index(WHOLE), self._next)
            self._total = self.builder.alloca(INDEX)
            self._longest = self.builder.alloca(INDEX)
            self._finite = self._all_finite()

    def way(self) -> ir.Value:
        """How products of this step run: `WHOLE`, by `BLOCKS` or by `ROWS`."""
        return self.builder.load(self._now)

    def prepare(self, active: ir.Value) -> None:
        """Choose for so many rows, and write their lists."""
        builder = self.builder
        whole = builder.icmp_signed("==", builder.load(self._next), index(WHOLE))
        asked = builder.and_(whole, self._finite)
        if self.iteration is not None:
            phase = builder.and_(self.iteration, index(SELDOM - 1))
            asked = builder.and_(asked, builder.icmp_signed("==", phase, index(0)))
        with builder.if_then(asked):
            self._count(active)
        now = builder.load(self._next)
        builder.store(now, self._now)
        with builder.if_then(builder.icmp_signed("!=", now, index(WHOLE))):
            self._write_lists(active)

    def _all_finite(self) -> ir.Value:
        w, total = self.writer, ir.Constant(self.writer.vector, None)
        for _, listing in self.parts:
            for tile in range(self.sweep.sweeps[WHOLE].tiles):
                place = w.at(self.sweep.panels, listing.flag + tile * w.lanes)
                total = self.builder.fadd(total, w.load(place))
        return all_numbers(w, total)

    def _choose(self, rows: ir.Value) -> None:
        """Go by lists where few units of so many rows are not 0.

        A row alone has so few sums side by side that lists pay sooner.
        """
        w, builder = self.writer, self.builder
        longest = max(part.terms for part, _ in self.parts)
        most = worth(self.sweep.options.most_by_pattern, longest)
        alone = builder.icmp_signed("==", rows, index(1))
        units = w.times(rows, self.units)
        found = w.times(builder.load(self._total), SHARES)
        ways = ((BLOCKS, most), (ROWS, min(FEW, most)))
        way: ir.Value = index(WHOLE)
        for number, share in ways:
            few = builder.icmp_signed("<=", found, w.times(units, int(SHARES * share)))
            way = builder.select(few, index(number), way)
        most *= ALONE if self.sweep.sweeps[ROWS].panels > 1 else 1
        enough = w.times(units, int(SHARES * most))
        single = builder.icmp_signed("<=", found, enough)
        own = builder.select(single, index(ROWS), index(WHOLE))
        builder.store(builder.select(alone, own, way), self._next)

    def _count(self, active: ir.Value) -> None:
        """Count units that are not 0, in some rows where there are no steps.

        Where there are, all rows of one step in so many, while sums run over all units.
        """
        w, builder = self.writer, self.builder
        count, step = count_function(w), SELDOM if self.iteration is None else 1
        builder.store(index(0), self._total)
        with w.loop(index(0), active, step) as row:
            for part, _ in self.parts:
                source = self.sweep.address(part.location, row)
                self._add(builder.call(count, [source, index(part.terms)]))
        rows = builder.sdiv(builder.add(active, index(step - 1)), index(step))
        self._choose(rows)

    def _write_lists(self, active: ir.Value) -> None:
        """Write the lists of all rows, of one length within a block of some."""
        w, builder = self.writer, self.builder
        builder.store(index(0), self._total)
        with w.loop(index(0), active) as row:
            for part, listing in self.parts:
                source = self.sweep.address(part.location, row)
                target = self.sweep.address(listing.place, row)
                arguments = [source, target, index(part.terms)]
                self._add(builder.call(list_function(w), arguments))
        with builder.if_then(builder.icmp_signed("==", self.way(), index(BLOCKS))):
            for block in self.sweep.blocks(active):
                for _, listing in self.parts:
                    self._lengthen(listing.place, block.first, block.height)
        self._choose(active)

    def _lengthen(self, place: Location, first: ir.Value, height: ir.Value) -> None:
        """Make the lists of a block as long as its longest."""
        w, builder = self.writer, self.builder
        builder.store(index(0), self._longest)
        with w.loop(index(0), height) as inner:
            length = length_of(w, self.sweep.address(place, builder.add(first, inner)))
            longest = w.maximum(builder.load(self._longest), length)
            builder.store(longest, self._longest)
        with w.loop(index(0), height) as inner:
            target = self.sweep.address(place, builder.add(first, inner))
            longest = builder.load(self._longest)
            builder.call(lengthen_function(w), [target, longest])

    def _add(self, number: ir.Value) -> None:
        total = self.builder.add(self.builder.load(self._total), number)
        self.builder.store(total, self._total)
