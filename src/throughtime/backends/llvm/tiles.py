"""Register tiles: rows of sequences by vectors of units, products accumulated.

A tile adds ``Σ_k panel[k] * operand[row, k]`` to its accumulators, one fused
multiply-add after the other in order of k, part after part. So a row's bits depend on
neither the other rows nor the height of the tile it falls in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import ir

from throughtime.backends.llvm.matrix_tiles import write_matrix_tile
from throughtime.backends.llvm.pairs import add_dot
from throughtime.backends.llvm.patterns import length_of, unit_of
from throughtime.backends.llvm.vector_math import VectorMath
from throughtime.backends.llvm.writer import (
    INDEX,
    POINTER,
    Writer,
    index,
    internal_function,
)

HELD = -1
ZERO = -2
"""Starts of an accumulator: what it holds already, nothing."""


@dataclass(frozen=True)
class Operand:
    """What a tile reads of one operand.

    ``stride`` is the distance of its rows, ``terms`` the length of the sum, both in
    words where products are of bfloat16. ``zeros`` says that many units are exactly 0,
    ``lists`` is the distance of its rows' lists, 0 where it has none. ``ahead`` says
    that lines of the weights needed next are fetched beside.
    """

    stride: int
    terms: int
    zeros: bool = False
    lists: int = 0
    ahead: bool = False

    @property
    def pointers(self) -> int:
        """Addresses that a tile function takes for it."""
        return 3 if self.lists or self.ahead else 2


@dataclass(frozen=True)
class TileShape:
    """Everything that a tile function is made for.

    ``rows`` is 0 where the processor's own tiles know them. ``slots`` are the
    accumulators it adds to, of ``block`` rows each. ``starts`` say for each slot where
    it starts from: `HELD`, `ZERO`, or the distance between rows. ``weights`` say for
    each slot in which of the panels side by side its weights lie, and how many vectors
    behind the first one.
    """

    rows: int
    slots: tuple[int, ...]
    block: int
    parts: tuple[Operand, ...]
    starts: tuple[int, ...]
    weights: tuple[tuple[int, int], ...]

    @property
    def panels(self) -> int:
        """Panels side by side."""
        return 1 + max(panel for panel, _ in self.weights)


class Tiles:
    """The tile functions of a module, each made once."""

    def __init__(
        self,
        module: ir.Module,
        element: ir.Type,
        lanes: int,
        math: VectorMath,
        *,
        bfloat16: bool = False,
        matrices: bool = False,
    ) -> None:
        self.bfloat16 = bfloat16
        self.matrices = matrices
        self.module = module
        self.element = element
        self.lanes = lanes
        self.item_bytes = 4 if isinstance(element, ir.FloatType) else 8
        self.math = math
        self._made: dict[TileShape, ir.Function] = {}

    def function(self, shape: TileShape) -> ir.Function:
        """``tile(accumulators, panel, operand and more of each part, starts)``.

        More are lists, of parts that have them, or where lines are fetched ahead.
        Starts are addresses, of those slots alone that start from one.
        """
        if shape not in self._made:
            name = f"tile.{len(self._made)}.{shape.rows}x{len(shape.slots)}"
            elsewhere = sum(start >= 0 for start in shape.starts)
            pointers = 1 + sum(part.pointers for part in shape.parts) + elsewhere
            function = internal_function(
                self.module, name, [POINTER] * pointers, apart=pointers
            )
            self._made[shape] = function
            self._write(function, shape)
        return self._made[shape]

    def _write(self, function: ir.Function, shape: TileShape) -> None:
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        w = Writer(builder, self.element, self.lanes, self.item_bytes)
        sums, *rest = function.args
        given = iter(rest)
        operands = [[next(given) for _ in range(part.pointers)] for part in shape.parts]
        if self.matrices:
            self._write_matrices(w, shape, sums, operands, list(given))
            return
        places = [
            w.at(sums, (slot * shape.block + row) * self.lanes)
            for row in range(shape.rows)
            for slot in shape.slots
        ]
        totals = self._start(w, shape, places, list(given))
        for part, own in zip(shape.parts, operands, strict=True):
            totals = self._product(w, shape, part, own, totals)
        for value, place in zip(totals, places, strict=True):
            builder.store(value, place, align=self.item_bytes)
        builder.ret_void()

    def _write_matrices(
        self,
        w: Writer,
        shape: TileShape,
        sums: ir.Value,
        operands: Sequence[Sequence[ir.Value]],
        addresses: Sequence[ir.Value],
    ) -> None:
        given = iter(addresses)
        starts: list[tuple[ir.Value, int] | None] = []
        for slot, start in zip(shape.slots, shape.starts, strict=True):
            if start == ZERO:
                starts.append(None)
            elif start == HELD:
                place = w.at(sums, slot * shape.block * self.lanes)
                starts.append((place, self.lanes))
            else:
                starts.append((next(given), start))
        write_matrix_tile(w, shape, sums, operands, starts)
        w.builder.ret_void()

    def _start(
        self,
        w: Writer,
        shape: TileShape,
        places: Sequence[ir.Value],
        addresses: Sequence[ir.Value],
    ) -> list[ir.Value]:
        held = iter(places)
        found: list[ir.Value] = []
        for row in range(shape.rows):
            given = iter(addresses)
            for start in shape.starts:
                place = next(held)
                if start == ZERO:
                    found.append(w.constant(0.0))
                elif start == HELD:
                    found.append(w.load(place))
                else:
                    found.append(w.load(w.at(next(given), row * start)))
        return found

    def _product(
        self,
        w: Writer,
        shape: TileShape,
        part: Operand,
        operands: Sequence[ir.Value],
        totals: list[ir.Value],
    ) -> list[ir.Value]:
        """Add one product to all sums."""
        terms = part.terms
        panel, operand, *more = operands
        width = len(shape.slots) // shape.panels * self.lanes
        sides = [side * terms * width for side in range(shape.panels)]
        every = [sides[p] + v * self.lanes for p, v in shape.weights]
        extent = part.stride, terms, width
        if part.lists:
            own = panel, operand, more[0]
            totals = self._listed(w, *own, part, width, every, totals, shape.rows)
        elif shape.rows == 1:
            totals = self._part(w, panel, operand, extent, every, totals, shape.rows)
        elif part.ahead:
            rows = shape.rows
            totals = self._part(w, panel, operand, extent, every, totals, rows, more[0])
        else:
            for side, start in enumerate(sides):
                # One panel after the other: more weights would fill the registers.
                source = w.at(panel, start), operand, extent
                totals = self._side(w, shape, side, source, totals)
        if not part.zeros:
            return totals
        # Sums over all units and those by lists differ in the sign of 0 alone.
        return [w.builder.fadd(total, w.constant(0.0)) for total in totals]

    def _side(
        self,
        w: Writer,
        shape: TileShape,
        side: int,
        source: tuple[ir.Value, ir.Value, tuple[int, int, int]],
        totals: Sequence[ir.Value],
    ) -> list[ir.Value]:
        """Add one product to the sums whose weights lie in one of the panels."""
        slots = [slot for slot, (p, _) in enumerate(shape.weights) if p == side]
        places = [shape.weights[slot][1] * self.lanes for slot in slots]
        count = len(shape.slots)
        own = [row * count + slot for row in range(shape.rows) for slot in slots]
        start = [totals[number] for number in own]
        found = list(totals)
        added = self._part(w, *source, places, start, shape.rows)
        for number, value in zip(own, added, strict=True):
            found[number] = value
        return found

    def _part(
        self,
        w: Writer,
        panel: ir.Value,
        operand: ir.Value,
        extent: tuple[int, int, int],
        places: Sequence[int],
        start: Sequence[ir.Value],
        rows: int,
        ahead: ir.Value | None = None,
    ) -> list[ir.Value]:
        """Add one product, term after term, a line ahead fetched beside each."""
        builder, function = w.builder, w.builder.function
        entry, loop = builder.block, function.append_basic_block("terms")
        behind = function.append_basic_block("behind")
        builder.branch(loop)
        builder.position_at_end(loop)
        term = builder.phi(INDEX, "k")
        term.add_incoming(index(0), entry)
        totals = []
        for value in start:
            total = builder.phi(w.vector)
            total.add_incoming(value, entry)
            totals.append(total)
        stride, terms, width = extent
        offset = w.times(term, width)
        weights = [w.load(w.at(panel, offset, place)) for place in places]
        if ahead is not None:
            w.prefetch(w.at(ahead, w.times(term, self.lanes)))
        added = self._terms(w, weights, operand, term, totals, (rows, stride))
        following = builder.add(term, index(1), flags=["nsw", "nuw"])
        term.add_incoming(following, loop)
        for total, value in zip(totals, added, strict=True):
            total.add_incoming(value, loop)
        more = builder.icmp_signed("<", following, index(terms))
        builder.cbranch(more, loop, behind)
        builder.position_at_end(behind)
        return added

    def _listed(
        self,
        w: Writer,
        panel: ir.Value,
        operand: ir.Value,
        lists: ir.Value,
        part: Operand,
        width: int,
        places: Sequence[int],
        start: Sequence[ir.Value],
        rows: int,
    ) -> list[ir.Value]:
        """Add one product by the rows' lists, which are of one length."""
        builder, function = w.builder, w.builder.function
        entry, loop = builder.block, function.append_basic_block("entries")
        behind = function.append_basic_block("behind")
        length = length_of(w, lists)
        some = builder.icmp_signed(">", length, index(0))
        builder.cbranch(some, loop, behind)
        builder.position_at_end(loop)
        place = builder.phi(INDEX, "place")
        place.add_incoming(index(0), entry)
        totals = [builder.phi(w.vector) for _ in start]
        added: list[ir.Value] = []
        for row in range(rows):
            unit = unit_of(w, w.at(lists, row * part.lists), place)
            repeated = w.splat(w.number(w.at(operand, unit, row * part.stride)))
            line = w.times(unit, width)
            for vector, own in enumerate(places):
                weight = w.load(w.at(panel, line, own))
                total = totals[row * len(places) + vector]
                added.append(self.math.fma(builder, weight, repeated, total))
        following = builder.add(place, index(1), flags=["nsw", "nuw"])
        place.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, length), loop, behind)
        builder.position_at_end(behind)
        found = [builder.phi(w.vector) for _ in start]
        for before, total, value, result in zip(
            start, totals, added, found, strict=True
        ):
            total.add_incoming(before, entry)
            total.add_incoming(value, loop)
            result.add_incoming(before, entry)
            result.add_incoming(value, loop)
        return found

    def _terms(
        self,
        w: Writer,
        weights: Sequence[ir.Value],
        operand: ir.Value,
        term: ir.Value,
        totals: Sequence[ir.Value],
        extent: tuple[int, int],
    ) -> list[ir.Value]:
        rows, stride = extent
        vectors = len(weights)
        added = []
        for row in range(rows):
            number = w.number(w.at(operand, term, row * stride))
            repeated = w.splat(number)
            for vector, weight in enumerate(weights):
                total = totals[row * vectors + vector]
                if self.bfloat16:
                    added.append(add_dot(w, total, weight, repeated))
                else:
                    added.append(self.math.fma(w.builder, weight, repeated, total))
        return added
