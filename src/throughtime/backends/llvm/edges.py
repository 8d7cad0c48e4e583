"""Before the first step and behind the last one: where states begin, what they become.

Compiled code does this itself, for one operation of a tensor library after the other
would take longer than a small layer. An address of 0 stands for numbers that nobody
gives: a state then begins where its declaration says, a gradient at 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from llvmlite import ir

from throughtime.backends.llvm.arguments import (
    BATCH,
    ENDS,
    SHIFT,
    STEPS,
    Arguments,
)
from throughtime.backends.llvm.patterns import first_lanes
from throughtime.backends.llvm.writer import (
    INDEX,
    POINTER,
    Writer,
    index,
    internal_function,
)
from throughtime.graph.programs import OUTPUT, SAVED, SUMS, Plan, Span


@dataclass(frozen=True)
class Edge:
    """A state at both ends of time.

    ``span`` is where the forward loop keeps it; None: in a carried value. ``init`` is
    where it begins if no start is given.
    """

    size: int
    init: float
    span: Span | None


@dataclass(frozen=True)
class Edges:
    """All states of a half of a plan; numbers of each gradient of its parameters."""

    states: tuple[Edge, ...]
    gradients: tuple[int, ...]
    backward: bool


def edges_of(plan: Plan, *, backward: bool) -> Edges:
    """Those of one half of a plan."""
    states = [
        Edge(state.size, state.number, span)
        for state, span in zip(plan.graph.states, plan.states, strict=True)
    ]
    operands = plan.operands if backward else ()
    gradients = [prod(plan.nodes[index].shape) for index in operands]
    return Edges(tuple(states), tuple(gradients), backward)


class EdgeWriter:
    """Writes what one half does before its first region, or behind its last one."""

    def __init__(
        self,
        writer: Writer,
        table: ir.Value,
        arguments: Arguments,
        widths: dict[str, int],
        edges: Edges,
    ) -> None:
        self.writer = writer
        self.table = table
        self.arguments = arguments
        self.widths = widths
        self.edges = edges
        self.batch = writer.count(table, BATCH)
        self.copy = copy_function(writer)

    def begin(self) -> None:
        """Put states, or the errors of final states, where the loop looks for them."""
        w = self.writer
        for number, edge in enumerate(self.edges.states):
            if edge.span is not None and edge.span.buffer == OUTPUT:
                self._repeat(f"start {number}", 1, f"initial {number}", edge)
            if self.edges.backward:
                self._repeat(f"carry {number}", 2, f"final gradient {number}", edge)
            elif edge.span is None:
                self._repeat(f"carry {number}", 2, f"initial {number}", edge)
        if not self.edges.backward:
            self._begin_saved()
        elif SUMS in self.widths:
            count = w.times(sum_rows(w, self.table), self.widths[SUMS])
            self._copy(self._word(f"buffer {SUMS}"), None, count)
        w.builder.ret_void()

    def end(self) -> None:
        """Give states behind each sequence's last step, or errors of initial ones."""
        w = self.writer
        for number, edge in enumerate(self.edges.states):
            if self.edges.backward:
                self._give_gradient(number, edge)
            else:
                self._give_final(number, edge)
        w.builder.ret_void()

    def _word(self, name: str) -> ir.Value:
        return self.writer.pointer(self.table, self.arguments.position(name))

    def _copy(
        self,
        target: ir.Value,
        source: ir.Value | None,
        count: ir.Value,
        otherwise: float = 0.0,
    ) -> None:
        """Copy so many numbers, or without a source write one number everywhere."""
        given = ir.Constant(POINTER, None) if source is None else source
        number = ir.Constant(self.writer.element, otherwise)
        self.writer.builder.call(self.copy, [target, given, count, number])

    def _repeat(self, target: str, times: int, source: str, edge: Edge) -> None:
        """Write a state, or its error, for all sequences, so many times."""
        w = self.writer
        count = w.times(self.batch, edge.size)
        given, place = self._word(source), self._word(target)
        otherwise = edge.init if source.startswith("initial") else 0.0
        for time in range(times):
            self._copy(w.at(place, w.times(count, time)), given, count, otherwise)

    def _begin_saved(self) -> None:
        """Fill the saved rows before the first step: initial states, else 0."""
        w = self.writer
        width = self.widths.get(SAVED, 0)
        if not width or not self.edges.states:
            return
        saved = self._word(f"buffer {SAVED}")
        whole = w.times(self.batch, width)
        first = w.at(saved, w.builder.neg(whole))
        self._copy(first, None, whole)
        for number, edge in enumerate(self.edges.states):
            if edge.span is None or edge.span.buffer != SAVED:
                continue
            given = self._word(f"initial {number}")
            absent = _is_null(w, given)
            with w.loop(index(0), self.batch) as row:
                own = w.at(given, w.times(row, edge.size))
                source = w.builder.select(absent, given, own)
                target = w.at(first, w.times(row, width), edge.span.start)
                self._copy(target, source, index(edge.size), edge.init)

    def _give_final(self, number: int, edge: Edge) -> None:
        w, span = self.writer, edge.span
        ends, final = w.pointer(self.table, ENDS), self._word(f"final {number}")
        with w.loop(index(0), self.batch) as sequence:
            if span is None:
                row = w.count(ends, w.builder.add(self.batch, sequence))
                source = w.at(self._word(f"carry {number}"), w.times(row, edge.size))
            else:
                row = w.count(ends, sequence)
                line = w.times(row, self.widths[span.buffer])
                source = w.at(self._word(f"buffer {span.buffer}"), line, span.start)
                if span.buffer == OUTPUT:
                    source = self._unless_before(source, row, number, edge)
            target = w.at(final, w.times(sequence, edge.size))
            self._copy(target, source, index(edge.size))

    def _unless_before(
        self, source: ir.Value, row: ir.Value, number: int, edge: Edge
    ) -> ir.Value:
        """A row of the output, or where the state begins if no step was taken."""
        w = self.writer
        place = w.times(w.builder.add(row, self.batch), edge.size)
        start = w.at(self._word(f"start {number}"), place)
        before = w.builder.icmp_signed("<", row, index(0))
        return w.builder.select(before, start, source)

    def _give_gradient(self, number: int, edge: Edge) -> None:
        """The error of an initial state, where somebody wants it."""
        w, builder = self.writer, self.writer.builder
        target = self._word(f"state gradient {number}")
        with builder.if_then(builder.not_(_is_null(w, target))):
            count = w.times(self.batch, edge.size)
            last = builder.sub(w.count(self.table, STEPS), index(1))
            slot = builder.and_(last, index(1))
            carry = self._word(f"carry {number}")
            self._copy(target, w.at(carry, builder.mul(slot, count)), count)


def sum_rows(w: Writer, table: ir.Value) -> ir.Value:
    """How many rows of sums there are."""
    shift = w.count(table, SHIFT)
    last = w.builder.sub(w.count(table, BATCH), index(1))
    return w.builder.add(w.builder.lshr(last, shift), index(1))


def _is_null(w: Writer, address: ir.Value) -> ir.Value:
    return w.builder.icmp_unsigned("==", address, ir.Constant(POINTER, None))


def copy_function(w: Writer) -> ir.Function:
    """``copy(target, source, count, otherwise)``, made once in a module."""
    module: ir.Module = w.builder.module
    if "copy" in module.globals:
        return module.globals["copy"]
    arguments: Sequence[ir.Type] = [POINTER, POINTER, INDEX, w.element]
    function = internal_function(module, "copy", arguments, apart=2)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    own = Writer(builder, w.element, w.lanes, w.item_bytes)
    target, source, count, otherwise = function.args
    with builder.if_else(_is_null(own, source)) as (fill, copy):
        with fill:
            repeated = own.splat(otherwise)
            with own.loop(index(0), count, own.lanes) as place:
                left = builder.sub(count, place)
                own.store(repeated, own.at(target, place), first_lanes(own, left))
        with copy, own.loop(index(0), count, own.lanes) as place:
            mask = first_lanes(own, builder.sub(count, place))
            value = own.load(own.at(source, place), mask)
            own.store(value, own.at(target, place), mask)
    builder.ret_void()
    return function
