"""Which sequences a table holds, and how many rows each has."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from throughtime.data.sources.source import Source
from throughtime.data.types import IntegerArray
from throughtime.errors import MissingKey, NoRows

_KEY = "key"
_ROWS = "rows"
# Counts of so many batches are held before they are added up.
_PARTS = 64


@dataclass(frozen=True, eq=False)
class Keys:
    """The sequences of a table, in order of their keys.

    Parameters
    ----------
    column
        The column that holds the keys; None: the table is one sequence.
    values
        `(N,)`, the different keys, sorted; numbers as numbers.
    lengths
        `(N,)`, the number of rows of each.
    """

    column: str | None
    values: pl.Series
    lengths: IntegerArray

    @property
    def names(self) -> list[str]:
        """The keys as text."""
        return self.values.cast(pl.String).to_list()

    def places(self, frame: pl.DataFrame) -> IntegerArray:
        """Return `(n,)`, the sequence of each row."""
        if self.column is None:
            return np.zeros(len(frame), np.int64)
        given = _as_key(frame[self.column])
        return self.values.search_sorted(given).to_numpy().astype(np.int64)


def find_keys(source: Source, column: str | None) -> Keys:
    """Read the column that holds the keys, and count.

    Parameters
    ----------
    source
        The table.
    column
        Which column; None: all rows are one sequence.

    Raises
    ------
    NoRows, MissingKey
        There is nothing to read, or a row belongs to no sequence.
    """
    parts: list[pl.DataFrame] = []
    read = next(iter(source.dtypes)) if column is None else column
    for frame, where in source.batches([read]):
        keys = pl.repeat(0, len(frame), eager=True)
        if column is not None:
            keys = _as_key(frame[column])
            missing = keys.is_null()
            if keys.dtype.is_float():
                missing |= keys.is_nan().fill_null(value=True)
            if missing.any():
                at = where(int(missing.arg_max() or 0))
                raise MissingKey(where=at, column=column, what="sequence")
        parts.append(keys.to_frame(_KEY).group_by(_KEY).agg(pl.len().alias(_ROWS)))
        if len(parts) == _PARTS:
            parts = [_add_up(parts)]
    if not parts:
        raise NoRows(source=source.name)
    counts = _add_up(parts).sort(_KEY)
    lengths = counts[_ROWS].to_numpy().astype(np.int64)
    return Keys(column, counts[_KEY], lengths)


def _add_up(parts: list[pl.DataFrame]) -> pl.DataFrame:
    together = pl.concat(parts, how="vertical_relaxed")
    return together.group_by(_KEY).agg(pl.col(_ROWS).sum())


def _as_key(series: pl.Series) -> pl.Series:
    # Categories are ordered by their text, as text in a file would be.
    if series.dtype in (pl.Categorical, pl.Enum, pl.Boolean):
        return series.cast(pl.String)
    return series
