"""Values of nodes for one row and one vector of units."""

from typing import TYPE_CHECKING

from llvmlite import ir

from throughtime.backends.llvm.random_numbers import Words
from throughtime.backends.llvm.schedule import Location
from throughtime.graph.nodes import Node
from throughtime.graph.operations import Kind
from throughtime.graph.random_values import draw_of
from throughtime.graph.views import view

if TYPE_CHECKING:
    from throughtime.backends.llvm.sweep import SweepWriter


def source_of(sweep: "SweepWriter", index_: int) -> tuple[ir.Value, int, int] | None:
    """Where all units of a value lie, if no row has to compute it.

    Base, distance between rows, and where the first unit is.
    """
    node = sweep.nodes[index_]
    if node.size != sweep.group.size:
        return None
    if node.kind is Kind.PARAMETER and node.operation in {"operand", "slice"}:
        part = view(sweep.nodes, index_)
        operand = int(sweep.nodes[part.root].attributes[0])
        return sweep.operands[operand], 0, part.rows[0]
    location = None if node.kind is Kind.PARAMETER else _elsewhere(sweep, index_)
    if location is None:
        return None
    place = location.place
    return sweep.bases[place], sweep.strides[place], location.start


def _elsewhere(sweep: "SweepWriter", index_: int) -> Location | None:
    """Where a value lies that a group does not compute itself."""
    schedule, start, node = sweep.schedule, 0, sweep.nodes[index_]
    while node.operation == "slice":
        start += int(node.attributes[0])
        index_ = node.arguments[0]
        node = sweep.nodes[index_]
    location = schedule.locations.get(index_)
    if location is None:
        return None
    group = sweep.group
    here = (schedule.phases[index_], node.size) == (group.phase, group.size)
    computed = node.family not in {"leaf", "reduction"}
    whole = node.operation == "concat"
    if here and computed and not whole and start == 0:
        return None
    return Location(location.place, location.start + start)


class RowValues:
    """Values of nodes for one row and one vector of units, each computed once."""

    def __init__(
        self,
        sweep: "SweepWriter",
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
        self.words: dict[tuple[int, str, int], Words] = {}

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
            place = self.sweep.sum_place(position, self.vector, self.inner)
            return self.writer.load(place)
        if node.operation == "expand":
            return self.of(node.arguments[0])
        if node.kind is Kind.PARAMETER:
            return self._parameter(index_, node)
        location = _elsewhere(self.sweep, index_)
        if location is not None:
            return self._load(location, node)
        if node.family == "random":
            return self._drawn(node)
        arguments = [self.of(argument) for argument in node.arguments]
        return self.sweep.pointwise.emit(node, arguments)

    def _drawn(self, node: Node) -> ir.Value:
        """A random value; two masks may come from the two words of one counter."""
        draws, draw = self.sweep.draws, draw_of(node)
        assert draws is not None, "the keys of all that is drawn are at hand"
        counter = (draw.block, draw.period, draw.first)
        if counter not in self.words:
            self.words[counter] = draws.words(draw, self.row, self.unit)
        return draws.value(node, self.words[counter])

    def _load(self, location: Location, node: Node) -> ir.Value:
        if node.size == 1 and self.sweep.group.size > 1:
            address = self.sweep.address(location, self.row)
            return self.writer.splat(self.writer.number(address))
        address = self.sweep.address(location, self.row, self.unit)
        self.sweep.fetch(location.place, address)
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
