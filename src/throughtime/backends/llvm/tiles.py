"""Register tiles: rows of sequences by vectors of units, products accumulated.

A tile adds ``Σ_k panel[k] * operand[row, k]`` to its accumulators, one fused
multiply-add after the other in order of k. So a row's bits depend on neither the
other rows nor the height of the tile it falls in.
"""

from dataclasses import dataclass

from llvmlite import ir

from throughtime.backends.llvm.vector_math import VectorMath
from throughtime.backends.llvm.writer import INDEX, POINTER, VOID, Writer, index


@dataclass(frozen=True)
class TileShape:
    """Everything that a tile function is made for.

    ``slots`` are the accumulators it adds to, of ``block`` rows each; ``stride`` is
    the distance of the operand's rows, ``terms`` the length of the sum.
    """

    rows: int
    slots: tuple[int, ...]
    block: int
    stride: int
    terms: int


class Tiles:
    """The tile functions of a module, each made once."""

    def __init__(
        self, module: ir.Module, element: ir.Type, lanes: int, math: VectorMath
    ) -> None:
        self.module = module
        self.element = element
        self.lanes = lanes
        self.item_bytes = 4 if isinstance(element, ir.FloatType) else 8
        self.math = math
        self._made: dict[TileShape, ir.Function] = {}

    def function(self, shape: TileShape) -> ir.Function:
        """``tile(accumulators, panel, operand)``."""
        if shape not in self._made:
            name = f"tile.{len(self._made)}.{shape.rows}x{len(shape.slots)}"
            kind = ir.FunctionType(VOID, [POINTER] * 3)
            function = ir.Function(self.module, kind, name)
            function.linkage = "internal"
            function.attributes.add("noinline")
            for argument in function.args:
                argument.add_attribute("noalias")
            self._made[shape] = function
            self._write(function, shape)
        return self._made[shape]

    def _write(self, function: ir.Function, shape: TileShape) -> None:
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        writer = Writer(builder, self.element, self.lanes, self.item_bytes)
        sums, panel, operand = function.args
        places = [
            writer.at(sums, (slot * shape.block + row) * self.lanes)
            for row in range(shape.rows)
            for slot in shape.slots
        ]
        start = [
            builder.load(p, typ=writer.vector, align=self.item_bytes) for p in places
        ]
        entry, loop = builder.block, function.append_basic_block("terms")
        behind = function.append_basic_block("behind")
        builder.branch(loop)
        builder.position_at_end(loop)
        term = builder.phi(INDEX, "k")
        term.add_incoming(index(0), entry)
        totals = []
        for value in start:
            total = builder.phi(writer.vector)
            total.add_incoming(value, entry)
            totals.append(total)
        added = self._terms(writer, shape, panel, operand, term, totals)
        following = builder.add(term, index(1), flags=["nsw", "nuw"])
        term.add_incoming(following, loop)
        for total, value in zip(totals, added, strict=True):
            total.add_incoming(value, loop)
        more = builder.icmp_signed("<", following, index(shape.terms))
        builder.cbranch(more, loop, behind)
        builder.position_at_end(behind)
        for value, place in zip(added, places, strict=True):
            builder.store(value, place, align=self.item_bytes)
        builder.ret_void()

    def _terms(
        self,
        writer: Writer,
        shape: TileShape,
        panel: ir.Value,
        operand: ir.Value,
        term: ir.Value,
        totals: list[ir.Value],
    ) -> list[ir.Value]:
        width = len(shape.slots) * self.lanes
        offset = writer.times(term, width)
        weights = [
            writer.load(writer.at(panel, offset, vector * self.lanes))
            for vector in range(len(shape.slots))
        ]
        added = []
        for row in range(shape.rows):
            number = writer.number(writer.at(operand, term, row * shape.stride))
            repeated = writer.splat(number)
            for vector, weight in enumerate(weights):
                total = totals[row * len(weights) + vector]
                added.append(self.math.fma(writer.builder, weight, repeated, total))
        return added
