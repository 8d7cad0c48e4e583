"""The order of the steps in a sequence, and the time between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from throughtime.data.sources.source import Batch, Source
from throughtime.data.store import Store
from throughtime.data.tables.keys import Keys
from throughtime.data.tables.stretches import sequence_of, stretches
from throughtime.data.types import IntegerArray
from throughtime.errors import DuplicateTime, MissingKey, NotATime, UnsuitableColumn

#: The ways in which a text may say a time.
_FORMATS: Final = (
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
)
_ZONED: Final = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
_IN_A_SECOND: Final = {"ms": 1e3, "us": 1e6, "ns": 1e9}


@dataclass(frozen=True)
class Clock:
    """How the time column is read.

    Parameters
    ----------
    column
        Its name.
    dtype
        That of its numbers.
    second
        One second in these numbers; 1 where they are numbers in the data.
    """

    column: str
    dtype: type[np.int64] | type[np.float64]
    second: float

    def read(self, batch: Batch) -> npt.NDArray[Any]:
        """Return `(n, 1)` numbers.

        Raises
        ------
        MissingKey, NotATime
            A row has no time, or a text that tells none.
        """
        series = batch.frame[self.column]
        missing = series.is_null()
        if series.dtype.is_float():
            missing |= ~series.is_finite().fill_null(value=False)
        if missing.any():
            at = batch.where(int(missing.arg_max() or 0))
            raise MissingKey(where=at, column=self.column, what="time")
        if series.dtype == pl.String:
            series = self._parse(series, batch)
        if series.dtype.is_temporal():
            series = series.to_physical()
        return series.to_numpy().astype(self.dtype)[:, None]

    def _parse(self, text: pl.Series, batch: Batch) -> pl.Series:
        read = pl.Series([None] * len(text), dtype=pl.Datetime("us"))
        for form in (*_FORMATS, *_ZONED):
            if not read.has_nulls():
                break
            times = text.str.to_datetime(form, time_unit="us", strict=False)
            read = read.fill_null(times.dt.replace_time_zone(None))
        if read.has_nulls():
            row = int(read.is_null().arg_max() or 0)
            raise NotATime(where=batch.where(row), column=self.column, value=text[row])
        return read


def clock_of(source: Source, column: str) -> Clock:
    """Say how a column tells the time.

    Raises
    ------
    UnsuitableColumn
        It cannot.
    """
    dtype = source.dtypes[column]
    if dtype.is_integer():
        return Clock(column, np.int64, 1.0)
    if dtype.is_numeric():
        return Clock(column, np.float64, 1.0)
    if dtype == pl.String:
        return Clock(column, np.int64, 1e6)
    if dtype == pl.Date:
        return Clock(column, np.int64, 1 / 86_400)
    if dtype.is_temporal():
        unit = getattr(dtype, "time_unit", "ns")
        return Clock(column, np.int64, _IN_A_SECOND[unit])
    advice = "numbers, dates or times of the form 2026-01-31T12:00:00 as time"
    raise UnsuitableColumn(
        source=source.name, column=column, dtype=dtype, advice=advice
    )


def order_steps(
    times: Store,
    others: Sequence[Store],
    keys: Keys,
    clock: Clock,
    *,
    several: bool = False,
) -> None:
    """Sort the rows of every sequence by their time.

    Parameters
    ----------
    times
        `(n, 1)`.
    others
        What is to be sorted with them.
    keys
        The sequences.
    clock
        How the times were read.
    several
        Whether several rows of a sequence may have one time.

    Raises
    ------
    DuplicateTime
        They may not, and two rows of a sequence have the same time.
    """
    starts = np.cumsum(keys.lengths) - keys.lengths
    disordered: dict[int, None] = {}
    for part in stretches(times, starts):
        late = part.rows < part.before if several else part.rows <= part.before
        wrong = np.flatnonzero(part.inside & late[:, 0])
        disordered |= dict.fromkeys(_sequences(wrong + part.start, starts))
    for sequence in disordered:
        start = int(starts[sequence])
        stop = start + int(keys.lengths[sequence])
        own = times.read(start, stop)[:, 0]
        order = np.argsort(own, kind="stable")
        same = np.flatnonzero(np.diff(own[order]) == 0)
        if len(same) and not several:
            time = own[order[same[0]]]
            raise DuplicateTime(
                column=clock.column,
                time=time,
                key=keys.names[sequence],
                rows=" and ".join(str(order[same[0] + k] + 1) for k in (0, 1)),
            )
        for store in (times, *others):
            store.write(start, store.read(start, stop)[order])


def write_differences(
    times: Store, frames: Store, place: int, starts: IntegerArray, clock: Clock
) -> None:
    """Put the seconds since the step before into a column of the matrices.

    Parameters
    ----------
    times
        `(n, 1)`, in order.
    frames
        `(n, C)`.
    place
        The column.
    starts
        `(N,)`, the first row of each sequence; its difference is 0.
    clock
        How the times were read.
    """
    for part in stretches(times, starts):
        passed = (part.rows - part.before)[:, 0] / clock.second
        stop = part.start + len(part.rows)
        rows = frames.read(part.start, stop).copy()
        rows[:, place] = np.where(part.inside, passed, 0.0)
        frames.write(part.start, rows)


def _sequences(rows: IntegerArray, starts: IntegerArray) -> list[int]:
    return [sequence_of(row, starts) for row in rows.tolist()]
