"""New data for a schema that is known: to be predicted, or measured."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from throughtime.data.datasets import SequenceDataset
from throughtime.data.frames import StoredFrames
from throughtime.data.items import Items
from throughtime.data.pieces import whole
from throughtime.data.question import Question
from throughtime.data.reading import Reading
from throughtime.data.schema import Column, Schema
from throughtime.data.sources.known import open_known
from throughtime.data.sources.source import Source
from throughtime.data.store import Store, new_store, read_memory
from throughtime.data.tables.assembling import TIME_DIFFERENCE
from throughtime.data.tables.constancy import first_change
from throughtime.data.tables.gathering import gather
from throughtime.data.tables.known import KnownCoder
from throughtime.data.tables.laying import Laid, lay
from throughtime.data.tables.roles import Roles
from throughtime.data.tables.stretches import STRETCH, sequence_of
from throughtime.data.types import FloatArray, IntegerArray
from throughtime.errors import SchemaMismatch, TargetNotConstant


@dataclass(frozen=True, eq=False)
class NewRows:
    """New data, and the order in which their rows came.

    Parameters
    ----------
    dataset
        All sequences, as the part `test`.
    source
        The table.
    laid
        Its rows, and which row of the table each is; of steps that name items, before
        those of one step were gathered.
    """

    dataset: SequenceDataset
    source: Source
    laid: Laid

    @property
    def order(self) -> IntegerArray:
        """`(N,)`, the sequences in the order of their first rows in the table."""
        firsts = [
            int(self._rows.read(int(start), int(start + length)).min())
            for start, length in zip(
                self.laid.starts, self.laid.keys.lengths, strict=True
            )
        ]
        return np.argsort(firsts, kind="stable")

    def rows(self, sequence: int, start: int, stop: int) -> IntegerArray:
        """Return `(n,)`, which rows of the table some steps of a sequence were."""
        if self.dataset.items is not None:
            bounds = self.dataset.items.bounds(sequence, start, stop)
            return self._rows.read(int(bounds[0]), int(bounds[-1]))[:, 0]
        first = int(self.laid.starts[sequence])
        return self._rows.read(first + start, first + stop)[:, 0]

    def room(self, width: int) -> Store:
        """Make room for so many numbers beside each row of the table."""
        return new_store(self._rows.shape[0], width, np.float64, self.laid.in_memory)

    def put(self, room: Store, sequence: int, start: int, answers: FloatArray) -> None:
        """Put answers beside their rows.

        Parameters
        ----------
        room
            What `room` made.
        sequence, start
            To which step of which sequence the first answer belongs.
        answers
            `(n, width)`, one for each of the steps that follow; it stands beside all
            rows of its step.
        """
        stop = start + len(answers)
        rows = self.rows(sequence, start, stop)
        if self.dataset.items is not None:
            counts = np.diff(self.dataset.items.bounds(sequence, start, stop))
            answers = np.repeat(answers, counts, axis=0)
        order = np.argsort(rows)
        breaks = np.flatnonzero(np.diff(rows[order]) != 1) + 1
        for a, b in pairwise([0, *breaks.tolist(), len(rows)]):
            room.write(int(rows[order[a]]), answers[order[a:b]])

    def in_order(self, room: Store) -> Iterator[tuple[pl.DataFrame, FloatArray]]:
        """Give the rows as they came, some at a time.

        Parameters
        ----------
        room
            What `put` filled.

        Returns
        -------
        iterator
            The columns that say which sequence and time a row is, and `(n, width)`,
            what is beside it.
        """
        schema = self.dataset.schema
        keys = [name for name in (schema.sequence, schema.time) if name is not None]
        done = 0
        for frame, _ in self.source.batches(keys or [next(iter(self.source.dtypes))]):
            yield frame.select(keys), room.read(done, done + len(frame))
            done += len(frame)

    @property
    def _rows(self) -> Store:
        assert self.laid.rows is not None
        return self.laid.rows


def read_like(
    data: Any,
    schema: Schema,
    question: Question,
    reading: Reading | None = None,
    *,
    targets: bool = False,
) -> NewRows:
    """Read new data for what was learned.

    Parameters
    ----------
    data
        As `read` takes them. Arrays need not name their columns: they are taken in the
        order of the schema.
    schema, question
        Those of the data that were learned from.
    reading
        `sequence` and `time`, where the columns have other names now; `missing` and
        `memory`; and `target`, for arrays.
    targets
        Whether the targets are needed; if not, they are not looked at, and missing in
        the matrices.

    Raises
    ------
    SchemaMismatch
        The columns are not as they were in training.
    DataError
        The data cannot be used; the message says why and what to do.
    """
    reading = Reading() if reading is None else reading
    separate = [c for c in schema.targets if c not in schema.features]
    source, known = open_known(data, schema, reading, separate if targets else [])
    # A source that says itself what its sequences are has their steps in order.
    in_order, reading = known is not reading, known
    difference = _difference(source, schema)
    left_out = [] if targets else separate
    timeless = in_order and difference is None
    roles = _roles(source, schema, reading, left_out, timeless)
    # Items are read as columns before the others.
    read = replace(schema, features=(*schema.items, *schema.features), items=())
    count = len(schema.items)
    coder = KnownCoder(source, read, left_out, difference, reading.missing, count)
    memory, several = read_memory(reading.memory), bool(schema.items)
    rows = laid = lay(source, roles, coder, memory, keep_rows=True, several=several)
    items = None
    if several:
        names = [column.name for column in read.columns]
        laid, items = gather(rows, names, len(schema.items))
        items = replace(items, size=len(schema.items[0].categories))
        _check_known(source, schema, items)
        rows = replace(rows, frames=laid.frames, times=None)
    if targets and question.per == "sequence":
        _check_constant(laid, schema, separate)
    nothing = np.empty((0, 4), np.int64)
    everything = whole(np.arange(len(laid.keys.lengths)), laid.keys.lengths)
    dataset = SequenceDataset(
        name=source.name,
        schema=replace(schema, sequence=roles.sequence, time=roles.time),
        question=question,
        frames=StoredFrames(laid.frames, laid.keys.lengths),
        keys=laid.keys.names,
        splits={"train": nothing, "validation": nothing, "test": everything},
        missing=reading.missing,
        items=items,
    )
    return NewRows(dataset, source, rows)


def _check_known(source: Source, schema: Schema, items: Items) -> None:
    """Refuse rows whose items are all strange: they are hardly the same items."""
    known = named = 0
    column = schema.items[0]
    for start in range(0, items.rows.shape[0], STRETCH):
        places = items.rows.read(start, start + STRETCH)[:, 0]
        named += int((~np.isnan(places)).sum())
        known += int((places >= 0).sum())
    if named and not known:
        raise SchemaMismatch(
            source=source.name,
            fault=f"names, in column {column.name!r}, nothing that training knew",
            expected=f"such as {column.categories[0]!r}",
        )


def _difference(source: Source, schema: Schema) -> int | None:
    """Return where the time since the step before is, if it is to be made."""
    names = [column.name for column in schema.columns]
    if TIME_DIFFERENCE in names and TIME_DIFFERENCE not in source.dtypes:
        return names.index(TIME_DIFFERENCE)
    return None


def _roles(
    source: Source,
    schema: Schema,
    reading: Reading,
    left_out: list[Column],
    timeless: bool,
) -> Roles:
    """Return what is read; the time may be missing where nothing needs it."""

    def names(columns: tuple[Column, ...]) -> tuple[str, ...]:
        known = (c.name for c in columns if c not in left_out)
        return tuple(n for n in known if n in source.dtypes or n != TIME_DIFFERENCE)

    sequence = reading.sequence or schema.sequence
    time = reading.time or schema.time
    if timeless and time not in source.dtypes and reading.time is None:
        time = None
    for name in (sequence, time):
        if name is not None and name not in source.dtypes:
            fault = f"has no column {name!r}"
            raise SchemaMismatch(source=source.name, fault=fault, expected="one")
    return Roles(
        features=names(schema.features),
        targets=names(schema.targets),
        inputs={name: names(group) for name, group in schema.inputs.items()},
        sequence=sequence,
        time=time,
        split=None,
        items=names(schema.items),
    )


def _check_constant(laid: Laid, schema: Schema, targets: list[Column]) -> None:
    change = first_change(laid.frames, laid.starts, schema.places(targets))
    if change is not None:
        row, place = change
        sequence = sequence_of(row, laid.starts)
        raise TargetNotConstant(
            column=schema.columns[place].name,
            key=laid.keys.names[sequence],
            step=row - int(laid.starts[sequence]),
        )
