"""Parts of all rows, over which weight gradients are summed apart.

The rows of a part are those of some sequences. If there is an even number of threads,
those that took these through the loop sum them up, too: what a core has written it need
not ask another one for, and the next step's writes need not take lines away from it.
The parts follow from the sizes alone, and their sums are added in a fixed order, so
bits do not depend on the threads.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llvmlite import ir

from throughtime.backends.llvm.arguments import (
    AGAIN,
    BATCH,
    LOADS,
    PARTIAL,
    PARTS,
    Arguments,
)
from throughtime.backends.llvm.edges import Edges, copy_function
from throughtime.backends.llvm.patterns import first_lanes, made_once
from throughtime.backends.llvm.rows import places_of_sums
from throughtime.backends.llvm.writer import (
    INDEX,
    POINTER,
    Writer,
    index,
)

Share = Callable[[ir.Value], tuple[ir.Value, ir.Value]]
"""Gives a thread's part of so many things."""


def first_row(
    w: Writer, loads: ir.Value, rows: ir.Value, number: ir.Value, of: ir.Value
) -> ir.Value:
    """The first of the rows of a share of all, ``number`` of so many like ones.

    Sequences that end early leave less to do than others; ``loads`` is the table of
    the steps before each.
    """
    builder = w.builder
    goal = builder.mul(w.count(loads, rows), number)
    with builder.goto_entry_block():
        found = builder.alloca(INDEX)
    builder.store(index(0), found)
    with w.loop(index(0), rows) as row:
        reached = builder.mul(w.count(loads, row), of)
        before = builder.zext(builder.icmp_signed("<", reached, goal), INDEX)
        builder.store(builder.add(builder.load(found, typ=INDEX), before), found)
    return builder.load(found, typ=INDEX)


class Parts:
    """The parts of a thread, in a function ``body(arguments, thread, team)``.

    As many groups of threads as can be, all of one size, take as many parts each. Of a
    part, the threads of a group share the results.

    Parameters
    ----------
    writer
        Of the function.
    arguments
        Of the module.
    edges
        Of the half: its gradients, and whether rows are those of sequences.
    """

    def __init__(self, writer: Writer, arguments: Arguments, edges: Edges) -> None:
        self.writer = writer
        self.arguments = arguments
        self.sizes = edges.gradients
        self.recurrent = bool(edges.states)
        self._places, self._size = places_of_sums(self.sizes, writer.item_bytes)
        builder = writer.builder
        self.table, self.thread, self.team = builder.function.args
        self.count = writer.count(self.table, PARTS)
        # Both are powers of two: no more groups divide the threads evenly.
        even = builder.and_(self.team, builder.neg(self.team))
        self._groups = writer.minimum(even, self.count)
        self._group_size = builder.sdiv(self.team, self._groups)

    @contextmanager
    def own(self) -> Iterator[ir.Value]:
        """A loop over the parts of this thread's group."""
        builder = self.writer.builder
        group = builder.sdiv(self.thread, self._group_size)
        with self.writer.loop(
            *self.writer.share(self.count, group, self._groups)
        ) as part:
            yield part

    def share(self, whole: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Give a thread its share of its group's results: so many things."""
        number = self.writer.builder.srem(self.thread, self._group_size)
        return self.writer.share(whole, number, self._group_size)

    def rows(self, part: ir.Value) -> tuple[ir.Value, ir.Value]:
        """First of the rows of a step that are a part's, and first behind them."""
        w, builder = self.writer, self.writer.builder
        batch = w.count(self.table, BATCH)
        if not self.recurrent:
            return w.share(batch, part, self.count)
        loads = w.pointer(self.table, LOADS)
        following = builder.add(part, index(1))
        low, high = (
            first_row(w, loads, batch, number, self.count)
            for number in (part, following)
        )
        return low, high

    def sums(self, operand: int, part: ir.Value) -> ir.Value:
        """Where a part sums the gradient of an operand: the first one in its place."""
        w, builder = self.writer, self.writer.builder
        word = self.arguments.position(f"gradient operand {operand}")
        before = w.times(builder.sub(part, index(1)), self._size)
        own = w.at(w.pointer(self.table, PARTIAL), before, self._places[operand])
        first = builder.icmp_signed("==", part, index(0))
        return builder.select(first, w.pointer(self.table, word), own)

    def begin(self) -> None:
        """Write 0 to this thread's sums, but for those that an earlier call left."""
        w, builder = self.writer, self.writer.builder
        again = builder.icmp_signed("!=", w.count(self.table, AGAIN), index(0))
        with self.own() as part:
            first = builder.icmp_signed("==", part, index(0))
            fresh = builder.not_(builder.and_(first, again))
            with builder.if_then(fresh):
                for operand, size in enumerate(self.sizes):
                    low, count = self._slice(size, self.share)
                    target = w.at(self.sums(operand, part), low)
                    nothing = (
                        ir.Constant(POINTER, None),
                        count,
                        ir.Constant(w.element, 0.0),
                    )
                    builder.call(copy_function(w), [target, *nothing])
        builder.ret_void()

    def total(self) -> None:
        """Add the sums of all parts to those of the first."""
        w, builder = self.writer, self.writer.builder

        def share(whole: ir.Value) -> tuple[ir.Value, ir.Value]:
            return w.share(whole, self.thread, self.team)

        with w.loop(index(1), self.count) as part:
            for operand, size in enumerate(self.sizes):
                low, count = self._slice(size, share)
                places = self.sums(operand, index(0)), self.sums(operand, part)
                added = [w.at(place, low) for place in places]
                builder.call(_add_function(w), [*added, count])
        builder.ret_void()

    def _slice(self, size: int, share: Share) -> tuple[ir.Value, ir.Value]:
        """First of a thread's numbers of so many, and their count."""
        w = self.writer
        low, high = share(index(-(-size // w.lanes)))
        first, last = w.times(low, w.lanes), w.times(high, w.lanes)
        count = w.builder.sub(w.minimum(last, index(size)), first)
        return first, w.maximum(count, index(0))


def _add_function(w: Writer) -> ir.Function:
    """``add(target, source, count)``; it gives the count."""

    def write(own: Writer, function: ir.Function) -> None:
        target, source, count = function.args
        with own.loop(index(0), count, own.lanes) as place:
            mask = first_lanes(own, own.builder.sub(count, place))
            lines = [own.at(side, place) for side in (target, source)]
            before, more = (own.load(line, mask) for line in lines)
            own.store(own.builder.fadd(before, more), lines[0], mask)
        own.builder.ret(count)

    return made_once(w, "add", [POINTER, POINTER, INDEX], write)
