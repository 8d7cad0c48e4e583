"""Whether a batch of products leaves out zeros, step by step, and the lists for it."""

from typing import TYPE_CHECKING

from llvmlite import ir

from throughtime.backends.llvm.layout import Part
from throughtime.backends.llvm.patterns import (
    count_function,
    lengthen_function,
    list_function,
)
from throughtime.backends.llvm.writer import INDEX, Writer, index

if TYPE_CHECKING:
    from throughtime.backends.llvm.sweep import SweepWriter

SELDOM = 8
"""While sums run over all units, zeros are counted in one step of so many; where there
are no steps, in one row of so many."""
SHARES = 1024
"""Shares are compared in whole numbers of 1/1024."""
BIT = ir.IntType(1)


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
            (part, len(batch.members) * sweep.sweep.vectors * self.writer.lanes)
            for batch in sweep.sweep.batches
            for part in batch.parts
            if part.listing is not None
        ]
        """Operands, and the numbers from one unit's weights to the next one's."""
        self.units = sum(part.terms for part, _ in self.parts)
        self.iteration = iteration
        with self.builder.goto_entry_block():
            self._listed = self.builder.alloca(BIT)
            self.builder.store(ir.Constant(BIT, 0), self._listed)
            self._total = self.builder.alloca(INDEX)
            self._longest = self.builder.alloca(INDEX)
            self._finite = self._all_finite()

    def listed(self) -> ir.Value:
        """Whether products of this step go by lists."""
        return self.builder.load(self._listed)

    def prepare(self, active: ir.Value) -> None:
        """Choose for so many rows, and write their lists."""
        builder = self.builder
        asked = builder.and_(builder.not_(self.listed()), self._finite)
        if self.iteration is not None:
            phase = builder.and_(self.iteration, index(SELDOM - 1))
            asked = builder.and_(asked, builder.icmp_signed("==", phase, index(0)))
        with builder.if_then(asked):
            self._count(active)
        with builder.if_then(self.listed()):
            self._write_lists(active)

    def _all_finite(self) -> ir.Value:
        w = self.writer
        total = ir.Constant(w.vector, None)
        for part, _ in self.parts:
            assert part.listing is not None, "parts without lists are left out"
            flag = w.load(w.at(self.sweep.panels, part.listing.flag))
            total = self.builder.fadd(total, flag)
        lanes = self.builder.fcmp_ordered("==", total, total)
        kind = ir.IntType(w.lanes)
        bits = self.builder.bitcast(lanes, kind)
        return self.builder.icmp_signed("==", bits, ir.Constant(kind, -1))

    def _choose(self, rows: ir.Value) -> None:
        """Go by lists if few units of so many rows are not 0."""
        w, builder = self.writer, self.builder
        share = int(SHARES * self.sweep.options.most_by_pattern)
        most = w.times(rows, self.units * share)
        found = w.times(builder.load(self._total), SHARES)
        builder.store(builder.icmp_signed("<=", found, most), self._listed)

    def _count(self, active: ir.Value) -> None:
        """Count units that are not 0, in some rows if there are no steps."""
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
        """Write the lists of all rows, of one length within a block."""
        builder = self.builder
        builder.store(index(0), self._total)
        for row, height in self.sweep.blocks(active):
            for part, width in self.parts:
                self._block(part, width, row, height)
        self._choose(active)

    def _block(self, part: Part, width: int, first: ir.Value, height: ir.Value) -> None:
        w, builder = self.writer, self.builder
        assert part.listing is not None, "parts without lists are left out"
        scale = index(width * w.item_bytes)
        builder.store(index(0), self._longest)
        with w.loop(index(0), height) as inner:
            row = builder.add(first, inner)
            source = self.sweep.address(part.location, row)
            target = self.sweep.address(part.listing.place, row)
            arguments = [source, target, index(part.terms), scale]
            length = builder.call(list_function(w), arguments)
            self._add(length)
            longest = w.maximum(builder.load(self._longest), length)
            builder.store(longest, self._longest)
        with w.loop(index(0), height) as inner:
            row = builder.add(first, inner)
            target = self.sweep.address(part.listing.place, row)
            longest = builder.load(self._longest)
            builder.call(lengthen_function(w), [target, longest])

    def _add(self, number: ir.Value) -> None:
        total = self.builder.add(self.builder.load(self._total), number)
        self.builder.store(total, self._total)
