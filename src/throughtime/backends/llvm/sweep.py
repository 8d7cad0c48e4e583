"""One sweep over the units of a group: start sums, add products, the pointwise rest."""

from collections.abc import Mapping, Sequence

from llvmlite import ir

from throughtime.backends.llvm.layout import Batch, Sweep
from throughtime.backends.llvm.pointwise import Pointwise
from throughtime.backends.llvm.schedule import SCRATCH, Location, Schedule
from throughtime.backends.llvm.tiles import Tiles, TileShape
from throughtime.backends.llvm.vector_math import VectorMath
from throughtime.backends.llvm.writer import Writer, index
from throughtime.graph.nodes import Node
from throughtime.graph.operations import Kind
from throughtime.graph.views import view

LOWEST = float("-inf")


class SweepWriter:
    """Writes one group of one step for the rows of a chunk."""

    def __init__(
        self,
        writer: Writer,
        math: VectorMath,
        tiles: Tiles,
        nodes: Sequence[Node],
        schedule: Schedule,
        sweep: Sweep,
        *,
        bases: Mapping[str, ir.Value],
        strides: Mapping[str, int],
        operands: Mapping[int, ir.Value],
        panels: ir.Value,
        sums: ir.Value,
    ) -> None:
        self.writer = writer
        self.builder = writer.builder
        self.math = math
        self.tiles = tiles
        self.nodes = nodes
        self.schedule = schedule
        self.sweep = sweep
        self.group = sweep.group
        self.bases = bases
        self.strides = strides
        self.operands = operands
        self.panels = panels
        self.sums = sums
        self.pointwise = Pointwise(writer, math)
        self.roots = {a.root: p for p, a in enumerate(self.group.accumulators)}

    def write(self, active: ir.Value) -> None:
        """All tiles of units, within each all blocks of rows."""
        w, sweep = self.writer, self.sweep
        self._clear_partials(active)
        with w.loop(index(0), index(sweep.tiles)) as tile:
            first = w.times(tile, sweep.vectors * w.lanes)
            if self.group.accumulators:
                with w.loop(index(0), active, sweep.block) as row:
                    height = w.minimum(
                        self.builder.sub(active, row), index(sweep.block)
                    )
                    self._block(tile, first, row, height)
            else:
                with w.loop(index(0), active) as row:
                    self._row(first, row, index(0))
        if self.group.reductions:
            with w.loop(index(0), active) as row:
                self._finish_reductions(row)

    def _clear_partials(self, active: ir.Value) -> None:
        """Clear the lanes that reductions of this group add up in."""
        w = self.writer
        for node in self.group.reductions:
            start = 0.0 if self.nodes[node].operation == "sum" else LOWEST
            with w.loop(index(0), active) as row:
                w.store(w.constant(start), self._partial(node, row))

    def _partial(self, node: int, row: ir.Value) -> ir.Value:
        place = self.schedule.partials[node]
        return self._address(Location(SCRATCH, place), row)

    def _block(
        self, tile: ir.Value, first: ir.Value, row: ir.Value, height: ir.Value
    ) -> None:
        w = self.writer
        with w.loop(index(0), height) as inner:
            self._start(first, self.builder.add(row, inner), inner)
        for batch in self.sweep.batches:
            self._products(batch, tile, row, height)
        with w.loop(index(0), height) as inner:
            self._row(first, self.builder.add(row, inner), inner)

    def _sum(self, accumulator: int, vector: int, inner: ir.Value) -> ir.Value:
        """Address of one row's vector of an accumulator."""
        slot = (accumulator * self.sweep.vectors + vector) * self.sweep.block
        offset = self.writer.times(inner, self.writer.lanes)
        return self.writer.at(self.sums, offset, slot * self.writer.lanes)

    def _start(self, first: ir.Value, row: ir.Value, inner: ir.Value) -> None:
        """Give every accumulator of a row the value it starts from."""
        for vector in range(self.sweep.vectors):
            values = self._values(first, row, vector)
            for position, accumulator in enumerate(self.group.accumulators):
                start = (
                    self.writer.constant(0.0)
                    if accumulator.init is None
                    else values.of(accumulator.init)
                )
                self.writer.store(start, self._sum(position, vector, inner))

    def _products(
        self, batch: Batch, tile: ir.Value, row: ir.Value, height: ir.Value
    ) -> None:
        """Call the tile function for the rows there are."""
        w, sweep = self.writer, self.sweep
        slots = tuple(
            position * sweep.vectors + vector
            for position, _ in batch.members
            for vector in range(sweep.vectors)
        )
        width = len(slots) * w.lanes
        offset = w.times(tile, batch.terms * width)
        panel = w.at(self.panels, offset, batch.panel)
        operand = self._address(batch.location, row)
        function = self.builder.function
        behind = function.append_basic_block("products")
        default = function.append_basic_block("none")
        switch = self.builder.switch(height, default)
        stride = self.strides[batch.location.place]
        for rows in range(1, sweep.block + 1):
            case = function.append_basic_block(f"rows{rows}")
            switch.add_case(index(rows), case)
            self.builder.position_at_end(case)
            shape = TileShape(rows, slots, sweep.block, stride, batch.terms)
            tile_function = self.tiles.function(shape)
            self.builder.call(tile_function, [self.sums, panel, operand])
            self.builder.branch(behind)
        self.builder.position_at_end(default)
        self.builder.branch(behind)
        self.builder.position_at_end(behind)

    def _values(
        self,
        first: ir.Value,
        row: ir.Value,
        vector: int,
        inner: ir.Value | None = None,
    ) -> "_RowValues":
        unit = (
            self.builder.add(first, index(vector * self.writer.lanes))
            if vector
            else first
        )
        mask = self.writer.mask(unit, self.group.size) if self.sweep.masked else None
        return _RowValues(self, row, unit, mask, vector, inner)

    def _row(
        self,
        first: ir.Value,
        row: ir.Value,
        inner: ir.Value,
    ) -> None:
        """Everything behind the products, for one row of a tile."""
        for vector in range(self.sweep.vectors):
            values = self._values(first, row, vector, inner)
            for write in self.group.writes:
                address = self._address(
                    Location(write.place, write.start), row, values.unit
                )
                self.writer.store(values.of(write.node), address, values.mask)
            for node in self.group.reductions:
                self._reduce(node, values, row)

    def _reduce(self, node: int, values: "_RowValues", row: ir.Value) -> None:
        value = values.of(self.nodes[node].arguments[0])
        place = self._partial(node, row)
        before = self.writer.load(place)
        if self.nodes[node].operation == "sum":
            after = self.builder.fadd(before, value)
        else:
            after = self.math.maximum(self.builder, before, value)
        if values.mask is not None:
            after = self.builder.select(values.mask, after, before)
        self.writer.store(after, place)

    def _finish_reductions(self, row: ir.Value) -> None:
        """Join the lanes of each reduction, always in the same order."""
        builder = self.builder
        for node in self.group.reductions:
            value, lanes = self.writer.load(self._partial(node, row)), self.writer.lanes
            while lanes > 1:
                lanes //= 2
                kind = ir.VectorType(ir.IntType(32), self.writer.lanes)
                moved = [(i + lanes) % self.writer.lanes for i in range(kind.count)]
                order = ir.Constant(kind, [ir.Constant(kind.element, i) for i in moved])
                other = builder.shuffle_vector(value, value, order)
                if self.nodes[node].operation == "sum":
                    value = builder.fadd(value, other)
                else:
                    value = self.math.maximum(builder, value, other)
            number = builder.extract_element(value, ir.Constant(ir.IntType(32), 0))
            address = self._address(self.schedule.locations[node], row)
            builder.store(number, address, align=self.writer.item_bytes)

    def _address(
        self, location: Location, row: ir.Value, unit: ir.Value | None = None
    ) -> ir.Value:
        w = self.writer
        offset = w.times(row, self.strides[location.place])
        offsets = (
            (offset, location.start)
            if unit is None
            else (
                offset,
                unit,
                location.start,
            )
        )
        return w.at(self.bases[location.place], *offsets)


class _RowValues:
    """Values of nodes for one row and one vector of units, each computed once."""

    def __init__(
        self,
        sweep: SweepWriter,
        row: ir.Value,
        unit: ir.Value,
        mask: ir.Value | None,
        vector: int,
        inner: ir.Value | None,
    ) -> None:
        self.sweep = sweep
        self.writer = sweep.writer
        self.row = row
        self.unit = unit
        self.mask = mask
        self.vector = vector
        self.inner = inner
        self.known: dict[int, ir.Value] = {}

    def of(self, node: int) -> ir.Value:
        if node not in self.known:
            self.known[node] = self._make(node)
        return self.known[node]

    def _make(self, index_: int) -> ir.Value:
        node = self.sweep.nodes[index_]
        if node.operation == "constant":
            return self.writer.constant(float(node.attributes[0]))
        if index_ in self.sweep.roots and self.inner is not None:
            position = self.sweep.roots[index_]
            place = self.sweep._sum(position, self.vector, self.inner)
            return self.writer.load(place)
        if node.operation == "expand":
            return self.of(node.arguments[0])
        if node.kind is Kind.PARAMETER:
            return self._parameter(index_, node)
        location = self._elsewhere(index_, node)
        if location is not None:
            return self._load(location, node)
        arguments = [self.of(argument) for argument in node.arguments]
        return self.sweep.pointwise.emit(node, arguments)

    def _elsewhere(self, index_: int, node: Node) -> Location | None:
        """Where a value lies that this group does not compute itself."""
        schedule, start = self.sweep.schedule, 0
        while node.operation == "slice":
            start += int(node.attributes[0])
            index_ = node.arguments[0]
            node = self.sweep.nodes[index_]
        location = schedule.locations.get(index_)
        if location is None:
            return None
        group = self.sweep.group
        here = (schedule.phases[index_], node.size) == (group.phase, group.size)
        computed = node.family not in {"leaf", "reduction"}
        whole = node.operation == "concat"
        if here and computed and not whole and start == 0:
            return None
        return Location(location.place, location.start + start)

    def _load(self, location: Location, node: Node) -> ir.Value:
        if node.size == 1 and self.sweep.group.size > 1:
            address = self.sweep._address(location, self.row)
            return self.writer.splat(self.writer.number(address))
        address = self.sweep._address(location, self.row, self.unit)
        return self.writer.load(address, self.mask)

    def _parameter(self, index_: int, node: Node) -> ir.Value:
        part = view(self.sweep.nodes, index_)
        operand = int(self.sweep.nodes[part.root].attributes[0])
        base = self.sweep.operands[operand]
        if node.size == 1 and self.sweep.group.size > 1:
            place = self.writer.at(base, part.rows[0])
            return self.writer.splat(self.writer.number(place))
        place = self.writer.at(base, self.unit, part.rows[0])
        return self.writer.load(place, self.mask)
