"""Blocks of rows as lists: where each row lies, and the one of the step before it.

Rows that one thread takes of every step do not follow each other in memory. A list
costs a load beside a row's many multiply-adds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from llvmlite import ir

from throughtime.backends.llvm.outer import BLOCK
from throughtime.backends.llvm.patterns import made_once
from throughtime.backends.llvm.writer import INDEX, POINTER, Writer, index

TOGETHER = 8
"""Entries that are written at once; a list has room for as many behind its last."""


class Runs(NamedTuple):
    """Runs of rows that follow each other.

    ``first``, ``before`` and ``counts`` are addresses of the first row of each run, of
    that row's row of the step before, and of the number of rows, ``distance`` words
    apart. Of each of the ``number`` runs the rows from ``low`` to ``high`` are taken,
    where ``turned`` is 1 in the order 1, 0, 3, 2, … as `SweepWriter` takes them and for
    the same reason, where it is 0 in their own.
    """

    first: ir.Value
    before: ir.Value
    counts: ir.Value
    distance: ir.Value
    number: ir.Value
    low: ir.Value
    high: ir.Value
    turned: ir.Value


class RowLists:
    """The two lists of a function: ``own`` rows, and those ``before`` them."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        with writer.builder.goto_entry_block():
            self.own, self.before, self._state, self._single = (
                self._numbers(size) for size in (*(BLOCK + TOGETHER,) * 2, 2, 3)
            )

    def _numbers(self, size: int) -> ir.Value:
        place = self.writer.builder.alloca(ir.ArrayType(INDEX, size))
        place.align = 64
        place.type = POINTER
        return place

    def single(self, rows: ir.Value) -> Runs:
        """So many rows from the first one on, as the one run there is."""
        first, before, count = (
            self.writer.word(self._single, index(word)) for word in range(3)
        )
        for word, value in ((first, index(0)), (before, index(0)), (count, rows)):
            self.writer.builder.store(value, word)
        return Runs(first, before, count, index(0), index(1), index(0), rows, index(0))

    @contextmanager
    def blocks(self, runs: Runs) -> Iterator[ir.Value]:
        """A loop over all blocks; the lists hold a block's rows, which are so many."""
        builder, function = self.writer.builder, self.writer.builder.function
        head, body, behind = (
            function.append_basic_block(name) for name in ("head", "block", "behind")
        )
        for word in range(2):
            builder.store(index(0), self.writer.word(self._state, index(word)))
        builder.branch(head)
        builder.position_at_end(head)
        lists = self.own, self.before, self._state
        count = builder.call(_fill_function(self.writer), [*lists, *runs])
        some = builder.icmp_signed(">", count, index(0))
        builder.cbranch(some, body, behind)
        builder.position_at_end(body)
        yield count
        builder.branch(head)
        builder.position_at_end(behind)


def _fill_function(w: Writer) -> ir.Function:
    """``fill(own, before, state, …)``: the next block's lists, and how long they are.

    The state is a run and how many of its rows earlier blocks had; ``…`` are `Runs`.
    """

    def write(own: Writer, function: ir.Function) -> None:
        lists, state, runs = function.args[:2], function.args[2], function.args[3:]
        places = [own.word(state, index(word)) for word in range(2)]
        builder, filled = own.builder, own.builder.alloca(INDEX)
        builder.store(index(0), filled)
        head, body, behind = (
            function.append_basic_block(name) for name in ("head", "run", "behind")
        )
        builder.branch(head)
        builder.position_at_end(head)
        room = builder.icmp_signed("<", builder.load(filled, typ=INDEX), index(BLOCK))
        run = builder.load(places[0], typ=INDEX)
        more = builder.icmp_signed("<", run, runs[4])
        builder.cbranch(builder.and_(room, more), body, behind)
        builder.position_at_end(body)
        _take_run(own, lists, places, filled, Runs(*runs))
        builder.branch(head)
        builder.position_at_end(behind)
        builder.ret(builder.load(filled, typ=INDEX))

    return made_once(w, "fill", [POINTER] * 6 + [INDEX] * 5, write)


def _take_run(
    w: Writer,
    lists: tuple[ir.Value, ...],
    places: Sequence[ir.Value],
    filled: ir.Value,
    runs: Runs,
) -> None:
    """Append what a run has left, as far as there is room."""
    builder, start = w.builder, w.builder.load(filled, typ=INDEX)
    run, taken = (builder.load(place, typ=INDEX) for place in places)
    word = builder.mul(run, runs.distance)
    rows = builder.sub(w.minimum(w.count(runs.counts, word), runs.high), runs.low)
    left = builder.sub(rows, taken)
    room = builder.sub(index(BLOCK), start)
    count = w.maximum(w.minimum(left, room), index(0))
    behind = builder.add(runs.low, taken)
    kind = ir.VectorType(INDEX, TOGETHER)
    numbers = ir.Constant(kind, [index(lane) for lane in range(TOGETHER)])
    numbers = builder.xor(numbers, w.repeated(runs.turned, kind))
    last = w.repeated(builder.sub(count, index(1)), kind)
    firsts = (w.count(table, word) for table in (runs.first, runs.before))
    rows_of = [builder.add(first, behind) for first in firsts]
    with w.loop(index(0), count, TOGETHER) as number:
        place = builder.add(w.repeated(number, kind), numbers)
        inside = builder.icmp_signed("<", place, last)
        place = builder.select(inside, place, last)
        for list_, first in zip(lists, rows_of, strict=True):
            target = w.word(list_, builder.add(start, number))
            rows = builder.add(w.repeated(first, kind), place)
            builder.store(rows, target, align=8)
    builder.store(builder.add(start, count), filled)
    done = builder.icmp_signed(">=", count, left)
    following = builder.add(run, index(1))
    builder.store(builder.select(done, following, run), places[0])
    rest = builder.select(done, index(0), builder.add(taken, count))
    builder.store(rest, places[1])
