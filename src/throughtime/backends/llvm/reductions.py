"""Sums, maxima and selections over the units of a row, while a sweep goes over them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llvmlite import ir

from throughtime.backends.llvm.layout import has_products
from throughtime.backends.llvm.row_values import RowValues
from throughtime.backends.llvm.schedule import SCRATCH, Location
from throughtime.backends.llvm.selection import Selection
from throughtime.graph.operations import KTH_LARGEST

if TYPE_CHECKING:
    from throughtime.backends.llvm.sweep import SweepWriter

LOWEST = float("-inf")


class Reductions:
    """The reductions of one group.

    A sum or maximum adds up one vector of lanes; a selection keeps a key of every unit.
    """

    def __init__(self, sweep: "SweepWriter") -> None:
        self.sweep = sweep
        self.writer = sweep.writer
        self.builder = sweep.builder
        self.nodes = sweep.group.reductions
        self.selection = Selection(self.writer)
        self.registers: dict[int, ir.Value] = {}

    def keep_in_registers(self) -> None:
        """Add up in registers, where one row is finished before the next begins."""
        added = [node for node in self.nodes if not self._selects(node)]
        self.registers = {node: self.writer.reserve(1) for node in added}

    def clear(self, row: ir.Value) -> None:
        """Clear the lanes that are added up in."""
        for node in self.nodes:
            if not self._selects(node):
                start = 0.0 if self._is_sum(node) else LOWEST
                self.writer.store(self.writer.constant(start), self._place(node, row))

    def arguments(self, values: RowValues) -> list[ir.Value]:
        """What is reduced, of one vector of units."""
        return [values.of(self.sweep.nodes[n].arguments[0]) for n in self.nodes]

    def take(self, reduced: Sequence[ir.Value], values: RowValues) -> None:
        """Take in these units of a row."""
        w = self.writer
        for node, value in zip(self.nodes, reduced, strict=True):
            if self._selects(node):
                place = w.at(self._place(node, values.row), values.unit)
                w.store(self.selection.keys(value), place, values.mask)
                continue
            place = self._place(node, values.row)
            before = w.load(place)
            after = self._joined(node, before, value)
            if values.mask is not None:
                after = self.builder.select(values.mask, after, before)
            w.store(after, place)

    def finish(self, row: ir.Value) -> None:
        """Write the results of a row where others read them."""
        for node in self.nodes:
            place = self._place(node, row)
            address = self.sweep.address(self.sweep.schedule.locations[node], row)
            if self._selects(node):
                own = self.sweep.nodes[node]
                size = self.sweep.nodes[own.arguments[0]].size
                self.selection.select(place, size, int(own.attributes[0]), address)
            else:
                number = self._across(node, self.writer.load(place))
                self.builder.store(number, address, align=self.writer.item_bytes)

    def _across(self, node: int, value: ir.Value) -> ir.Value:
        """Join the lanes, always in the same order."""
        lanes, kind = self.writer.lanes, ir.IntType(32)
        distance = lanes
        while distance > 1:
            distance //= 2
            moved = [ir.Constant(kind, (i + distance) % lanes) for i in range(lanes)]
            order = ir.Constant(ir.VectorType(kind, lanes), moved)
            other = self.builder.shuffle_vector(value, value, order)
            value = self._joined(node, value, other)
        return self.builder.extract_element(value, ir.Constant(kind, 0))

    def _joined(self, node: int, one: ir.Value, other: ir.Value) -> ir.Value:
        if self._is_sum(node):
            return self.builder.fadd(one, other)
        return self.sweep.math.maximum(self.builder, one, other)

    def _is_sum(self, node: int) -> bool:
        return self.sweep.nodes[node].operation == "sum"

    def _selects(self, node: int) -> bool:
        return self.sweep.nodes[node].operation == KTH_LARGEST

    def _place(self, node: int, row: ir.Value) -> ir.Value:
        if not has_products(self.sweep.sweep) and not self._selects(node):
            return self.registers[node]
        place = self.sweep.schedule.partials[node]
        return self.sweep.address(Location(SCRATCH, place), row)
