"""Packing weights into panels, so that a tile reads them in one straight line."""

from collections.abc import Callable

from llvmlite import ir

from throughtime.backends.llvm.arguments import PANELS, Arguments
from throughtime.backends.llvm.layout import Batch, Layout, Part, Sweep
from throughtime.backends.llvm.patterns import note_finite
from throughtime.backends.llvm.writer import INDEX, POINTER, VOID, Writer, index
from throughtime.graph.nodes import Node
from throughtime.graph.views import view


def pack_function(module: ir.Module, *, across: bool) -> ir.Function:
    """``pack(target, target_stride, source, line_stride, units, terms, flag)``.

    One vector of units for every term of a product; units that are not there
    become 0. Lines of the source are terms, or ``across`` them, units. A NaN is left
    in the vector ``flag`` where a weight is no finite number.
    """
    kind = ir.FunctionType(VOID, [POINTER, INDEX, POINTER, *[INDEX] * 3, POINTER])
    function = ir.Function(module, kind, "pack.across" if across else "pack.along")
    function.linkage = "internal"
    return function


def write_pack_along(function: ir.Function, w: Writer) -> None:
    """Fill in `pack_function` where units lie side by side."""
    target, stride, source, line_stride, units, terms, flag = function.args
    builder, total = w.builder, _zeros(w)
    mask = w.mask(builder.sub(index(w.lanes), units), w.lanes)
    with w.loop(index(0), terms) as term:
        value = w.load(w.at(source, builder.mul(term, line_stride)), mask)
        note_finite(w, value, total)
        w.store(value, w.at(target, builder.mul(term, stride)))
    _add_to(w, flag, w.load(total))
    builder.ret_void()


def write_pack_across(function: ir.Function, w: Writer) -> None:
    """Fill in `pack_function` where terms lie side by side: squares are turned."""
    target, stride, source, line_stride, units, terms, flag = function.args
    builder, lanes, total = w.builder, w.lanes, _zeros(w)
    lines = [
        (
            w.at(source, builder.mul(index(unit), line_stride)),
            w.only(index(unit), units),
        )
        for unit in range(lanes)
    ]
    whole = w.times(builder.sdiv(terms, index(lanes)), lanes)
    with w.loop(index(0), whole, lanes) as term:
        square = [w.load(w.at(line, term), mask) for line, mask in lines]
        for value in square:
            note_finite(w, value, total)
        square = w.turned(square)
        for number, value in enumerate(square):
            line = builder.mul(builder.add(term, index(number)), stride)
            w.store(value, w.at(target, line))
    zero = ir.Constant(w.element, 0.0)
    with w.loop(whole, terms) as term:
        place = w.at(target, builder.mul(term, stride))
        with w.loop(index(0), units) as unit:
            number = w.number(w.at(source, builder.mul(unit, line_stride), term))
            note_finite(w, w.splat(number), total)
            builder.store(number, w.at(place, unit), align=w.item_bytes)
        with w.loop(units, index(lanes)) as unit:
            builder.store(zero, w.at(place, unit), align=w.item_bytes)
    _add_to(w, flag, w.load(total))
    builder.ret_void()


def _zeros(w: Writer) -> ir.Value:
    """A vector of zeros in memory."""
    place = w.reserve(1)
    w.store(ir.Constant(w.vector, None), place)
    return place


def _add_to(w: Writer, place: ir.Value, value: ir.Value) -> None:
    w.store(w.builder.fadd(w.load(place), value), place)


class PanelWriter:
    """Writes the calls that fill the panels of one program.

    ``share`` gives a thread's part of so many tiles.
    """

    def __init__(
        self,
        writer: Writer,
        across: ir.Function,
        along: ir.Function,
        layout: Layout,
        arguments: Arguments,
        table: ir.Value,
        share: Callable[[int], tuple[ir.Value, ir.Value]],
    ) -> None:
        self.share = share
        self.writer = writer
        # What products without lists have instead of a flag.
        self.unread = _zeros(writer)
        self.across = across
        self.along = along
        self.layout = layout
        self.arguments = arguments
        self.table = table

    def write(self) -> None:
        panels = self.writer.pointer(self.table, PANELS)
        for sweep in self.layout.sweeps:
            for batch in sweep.batches:
                self._batch(panels, sweep, batch)

    def _batch(self, panels: ir.Value, sweep: Sweep, batch: Batch) -> None:
        w = self.writer
        slots = len(batch.members) * sweep.vectors
        nodes = self.layout.program.nodes
        for number, part in enumerate(batch.parts):
            with w.loop(*self.share(sweep.tiles)) as tile:
                offset = w.times(tile, part.words * slots * w.lanes)
                flag = self._flag(panels, part, tile)
                for slot in range(slots):
                    target = w.at(panels, offset, part.panel + slot * w.lanes)
                    place, vector = divmod(slot, sweep.vectors)
                    first = w.builder.add(
                        w.times(tile, sweep.vectors * w.lanes),
                        index(vector * w.lanes),
                    )
                    product = batch.members[place].products[number]
                    matrix = nodes[product].arguments[0]
                    own = matrix, first, sweep, part.terms
                    self._vector(target, slots, nodes, *own, flag)

    def _flag(self, panels: ir.Value, part: Part, tile: ir.Value) -> ir.Value:
        """Where a tile's weights leave a NaN; zeros before them."""
        w, flag = self.writer, self.unread
        if part.listing is not None:
            flag = w.at(panels, w.times(tile, w.lanes), part.listing.flag)
            w.store(ir.Constant(w.vector, None), flag)
        return flag

    def _vector(
        self,
        target: ir.Value,
        slots: int,
        nodes: tuple[Node, ...],
        matrix: int,
        first: ir.Value,
        sweep: Sweep,
        terms: int,
        flag: ir.Value,
    ) -> None:
        w, builder = self.writer, self.writer.builder
        part = view(nodes, matrix)
        root = nodes[part.root]
        name = f"operand {root.attributes[0]}"
        base = w.pointer(self.table, self.arguments.position(name))
        columns = root.shape[1]
        unit_stride = 1 if part.transposed else columns
        corner = part.rows[0] * columns + part.columns[0]
        source = w.at(base, w.times(first, unit_stride), corner)
        left = builder.sub(index(sweep.group.size), first)
        units = w.minimum(left, index(w.lanes))
        pack = self.along if part.transposed else self.across
        stride = index(slots * w.lanes)
        builder.call(
            pack, [target, stride, source, index(columns), units, index(terms), flag]
        )
