"""Packing weights into panels, so that a tile reads them in one straight line."""

from llvmlite import ir

from throughtime.backends.llvm.layout import PANELS, Arguments, Batch, Layout, Sweep
from throughtime.backends.llvm.writer import INDEX, POINTER, VOID, Writer, index
from throughtime.graph.nodes import Node
from throughtime.graph.views import view


def pack_function(module: ir.Module) -> ir.Function:
    """``pack(target, target_stride, source, unit_stride, term_stride, units, terms)``.

    One vector of units for every term of a product; units that are not there
    become 0.
    """
    kind = ir.FunctionType(VOID, [POINTER, INDEX, POINTER, *[INDEX] * 4])
    function = ir.Function(module, kind, "pack")
    function.linkage = "internal"
    return function


def write_pack_function(
    function: ir.Function, element: ir.Type, lanes: int, item_bytes: int
) -> None:
    """Fill in the body of `pack_function`."""
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    w = Writer(builder, element, lanes, item_bytes)
    target, stride, source, unit_stride, term_stride, units, terms = function.args
    zero = ir.Constant(element, 0.0)
    with w.loop(index(0), terms) as term:
        line = builder.mul(term, stride)
        start = builder.mul(term, term_stride)
        with w.loop(index(0), units) as unit:
            place = builder.add(start, builder.mul(unit, unit_stride))
            number = w.number(w.at(source, place))
            builder.store(number, w.at(target, line, unit), align=item_bytes)
        with w.loop(units, index(lanes)) as unit:
            builder.store(zero, w.at(target, line, unit), align=item_bytes)
    builder.ret_void()


class PanelWriter:
    """Writes the calls that fill the panels of one program."""

    def __init__(
        self,
        writer: Writer,
        pack: ir.Function,
        layout: Layout,
        arguments: Arguments,
        table: ir.Value,
    ) -> None:
        self.writer = writer
        self.pack = pack
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
            with w.loop(index(0), index(sweep.tiles)) as tile:
                offset = w.times(tile, part.terms * slots * w.lanes)
                for slot in range(slots):
                    target = w.at(panels, offset, part.panel + slot * w.lanes)
                    place, vector = divmod(slot, sweep.vectors)
                    first = w.builder.add(
                        w.times(tile, sweep.vectors * w.lanes),
                        index(vector * w.lanes),
                    )
                    product = batch.members[place].products[number]
                    matrix = nodes[product].arguments[0]
                    self._vector(target, slots, nodes, matrix, first, sweep, part.terms)

    def _vector(
        self,
        target: ir.Value,
        slots: int,
        nodes: tuple[Node, ...],
        matrix: int,
        first: ir.Value,
        sweep: Sweep,
        terms: int,
    ) -> None:
        w, builder = self.writer, self.writer.builder
        part = view(nodes, matrix)
        root = nodes[part.root]
        name = f"operand {root.attributes[0]}"
        base = w.pointer(self.table, self.arguments.position(name))
        columns = root.shape[1]
        unit_stride, term_stride = (1, columns) if part.transposed else (columns, 1)
        corner = part.rows[0] * columns + part.columns[0]
        source = w.at(base, w.times(first, unit_stride), corner)
        left = builder.sub(index(sweep.group.size), first)
        units = w.minimum(left, index(w.lanes))
        numbers = (unit_stride, term_stride)
        builder.call(
            self.pack,
            [
                target,
                index(slots * w.lanes),
                source,
                *(index(number) for number in numbers),
                units,
                index(terms),
            ],
        )
