"""Register tiles of a sum of outer products: a column of one side by one of the other.

A tile adds ``Σ_row left[row, unit] * right[row, column]`` over some rows to its part
of the result, one fused multiply-add after the other in order of the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llvmlite import ir

from throughtime.backends.llvm.patterns import length_of, unit_of
from throughtime.backends.llvm.vector_math import VectorMath
from throughtime.backends.llvm.writer import (
    INDEX,
    POINTER,
    Writer,
    index,
    internal_function,
)

TILE = [POINTER] * 6 + [INDEX, INDEX]
SUM = [POINTER] * 5 + [INDEX, INDEX]
BLOCK = 128
"""Rows that are summed in registers before the sum is added to the result."""


@dataclass(frozen=True)
class OuterShape:
    """Everything that a tile function is made for.

    ``height`` columns of the left by ``vectors`` of the right, the last of them cut
    off if ``masked``; distances between rows of both sides and of the result; whether
    the next block's rows of the left side are fetched beside.
    """

    height: int
    vectors: int
    masked: bool
    left_stride: int
    right_stride: int
    result_stride: int
    fetch: bool = False


def _over_rows(
    w: Writer,
    rows: ir.Value,
    count: int,
    added: Callable[[ir.Value, list[ir.Value]], list[ir.Value]],
) -> list[ir.Value]:
    """So many vectors, from 0, after what every row adds to them."""
    builder, function = w.builder, w.builder.function
    entry, loop = builder.block, function.append_basic_block("rows")
    behind = function.append_basic_block("behind")
    builder.branch(loop)
    builder.position_at_end(loop)
    row = builder.phi(INDEX, "row")
    row.add_incoming(index(0), entry)
    totals = [builder.phi(w.vector) for _ in range(count)]
    found = added(row, list(totals))
    following = builder.add(row, index(1), flags=["nsw", "nuw"])
    row.add_incoming(following, loop)
    for total, value in zip(totals, found, strict=True):
        total.add_incoming(w.constant(0.0), entry)
        total.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, rows), loop, behind)
    builder.position_at_end(behind)
    return found


class OuterTiles:
    """The tile functions of a module, each made once."""

    def __init__(
        self,
        module: ir.Module,
        element: ir.Type,
        lanes: int,
        math: VectorMath,
    ) -> None:
        self.module = module
        self.element = element
        self.lanes = lanes
        self.item_bytes = 4 if isinstance(element, ir.FloatType) else 8
        self.math = math
        self._made: dict[OuterShape, ir.Function] = {}

    def function(self, shape: OuterShape) -> ir.Function:
        """``tile(left, right, result, lists of both, ahead, rows, columns)``.

        Lists say where rows of the left and of the right lie. Ahead is where the left
        side of the next block begins, if it is fetched; columns are those of a masked
        tile.
        """
        if shape not in self._made:
            name = f"outer.{len(self._made)}.{shape.height}x{shape.vectors}"
            function = internal_function(self.module, name, TILE, apart=3)
            self._made[shape] = function
            self._write(function, shape)
        return self._made[shape]

    def listed(self, shape: OuterShape, stride: int, strip: int) -> ir.Function:
        """``tile(lists, left, packed right, result, columns)``: rows that lists name.

        One list for each column of the left, all of one length, ``stride`` apart. Of
        the left, `BLOCK` rows of a column lie side by side; of the right, ``strip``
        columns of a row.
        """
        name = f"listed.{shape.height}x{shape.vectors}.{shape.masked}"
        name = f"{name}.{shape.result_stride}.{stride}.{strip}"
        if name in self.module.globals:
            return self.module.globals[name]
        arguments = [POINTER, POINTER, POINTER, POINTER, INDEX]
        function = internal_function(self.module, name, arguments, apart=4)
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        w = Writer(builder, self.element, self.lanes, self.item_bytes)
        lists, left, right, result, columns = function.args
        length = length_of(w, lists)

        def added(place: ir.Value, totals: list[ir.Value]) -> list[ir.Value]:
            found = []
            for unit in range(shape.height):
                row = unit_of(w, w.at(lists, unit * stride), place)
                repeated = w.splat(w.number(w.at(left, row, unit * BLOCK)))
                line = w.times(row, strip)
                for v in range(shape.vectors):
                    total = totals[unit * shape.vectors + v]
                    vector = w.load(w.at(right, line, v * self.lanes))
                    found.append(self.math.fma(builder, vector, repeated, total))
            return found

        with builder.if_then(builder.icmp_signed(">", length, index(0))):
            totals = _over_rows(w, length, shape.height * shape.vectors, added)
            self._add(w, shape, result, totals, columns)
        builder.ret_void()
        return function

    def _add(
        self,
        w: Writer,
        shape: OuterShape,
        result: ir.Value,
        totals: list[ir.Value],
        columns: ir.Value,
    ) -> None:
        """Add sums to the result."""
        mask = None
        if shape.masked:
            mask = w.mask(w.builder.sub(index(self.lanes), columns), self.lanes)
        for unit in range(shape.height):
            for v in range(shape.vectors):
                place = w.at(result, unit * shape.result_stride + v * self.lanes)
                own = totals[unit * shape.vectors + v]
                total = w.builder.fadd(w.load(place, mask), own)
                w.store(total, place, mask)

    def sums(
        self, vectors: int, stride: int, other_stride: int | None = None
    ) -> ir.Function:
        """``sums(left, right, result, lists of both, rows, columns)``.

        Columns of the left are added up, at most so many vectors of them, times those
        of the right if that has rows.
        """
        name = f"sums.{vectors}.{stride}.{other_stride}"
        if name in self.module.globals:
            return self.module.globals[name]
        function = internal_function(self.module, name, SUM)
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        w = Writer(builder, self.element, self.lanes, self.item_bytes)
        left, right, result, lefts, rights, rows, columns = function.args
        masks = [
            w.mask(builder.sub(index((v + 1) * self.lanes), columns), self.lanes)
            for v in range(vectors)
        ]

        def added(row: ir.Value, totals: list[ir.Value]) -> list[ir.Value]:
            found = []
            for v, (total, mask) in enumerate(zip(totals, masks, strict=True)):
                line = w.times(w.count(lefts, row), stride)
                place = w.at(left, line, v * self.lanes)
                value = w.load(place, mask)
                if other_stride is None:
                    found.append(builder.fadd(total, value))
                    continue
                line = w.times(w.count(rights, row), other_stride)
                place = w.at(right, line, v * self.lanes)
                factor = w.load(place, mask)
                found.append(self.math.fma(builder, value, factor, total))
            return found

        totals = _over_rows(w, rows, vectors, added)
        for v, (value, mask) in enumerate(zip(totals, masks, strict=True)):
            place = w.at(result, v * self.lanes)
            w.store(builder.fadd(w.load(place, mask), value), place, mask)
        builder.ret_void()
        return function

    def _write(self, function: ir.Function, shape: OuterShape) -> None:
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        w = Writer(builder, self.element, self.lanes, self.item_bytes)
        left, right, result, *lists, ahead, rows, columns = function.args
        mask = None
        if shape.masked:
            mask = w.mask(builder.sub(index(self.lanes), columns), self.lanes)

        def added(row: ir.Value, totals: list[ir.Value]) -> list[ir.Value]:
            places = [w.count(list_, row) for list_ in lists]
            if shape.fetch:
                line = w.times(places[0], shape.left_stride)
                # The processor finds no pattern in lines so far apart.
                w.prefetch(w.at(ahead, line))
            return self._terms(w, shape, (left, right), places, totals, mask)

        totals = _over_rows(w, rows, shape.height * shape.vectors, added)
        self._add(w, shape, result, totals, columns)
        builder.ret_void()

    def _terms(
        self,
        w: Writer,
        shape: OuterShape,
        sides: tuple[ir.Value, ir.Value],
        rows: Sequence[ir.Value],
        totals: list[ir.Value],
        mask: ir.Value | None,
    ) -> list[ir.Value]:
        """What one row adds to all sums; ``rows`` is its place on either side."""
        left, right = sides
        across = w.times(rows[0], shape.left_stride)
        line = w.times(rows[1], shape.right_stride)
        vectors = [
            w.load(w.at(right, line, v * self.lanes), mask)
            for v in range(shape.vectors)
        ]
        added = []
        for unit in range(shape.height):
            repeated = w.splat(w.number(w.at(left, across, unit)))
            for v, vector in enumerate(vectors):
                total = totals[unit * shape.vectors + v]
                added.append(self.math.fma(w.builder, vector, repeated, total))
        return added
