"""Columns that look as if they meant more than they were said to mean.

Both are guesses, good for a hint and for nothing else.
"""

from collections.abc import Sequence

import numpy as np

from throughtime.data.schema import Column
from throughtime.data.types import FloatArray

# Of this many rows on average at least is a run of equal values.
_ROWS_OF_A_RUN = 3


# A target with more different numbers is one that is counted or measured.
_MOST_CLASSES = 20


class Classes:
    """Looks whether the numbers of a target may be names of classes."""

    def __init__(self) -> None:
        self._seen: set[float] | None = set()

    def take(self, values: FloatArray) -> None:
        """Look at the next values `(n,)`."""
        if self._seen is None:
            return
        known = np.unique(values[~np.isnan(values)])
        self._seen.update(known.tolist())
        if len(self._seen) > _MOST_CLASSES or (known != np.floor(known)).any():
            self._seen = None

    @property
    def found(self) -> int | None:
        """How many different whole numbers there are; None: they are no classes."""
        return len(self._seen) if self._seen and len(self._seen) > 1 else None


class Identifiers:
    """Looks through the rows of one sequence, some at a time.

    What numbers or names sequences is constant over a run of rows, the next run has
    another value, and none comes back.

    Parameters
    ----------
    columns
        The columns of the rows, numbers, categories and booleans.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]
        self._rows = 0
        self._last: dict[int, float] = {}
        self._seen: dict[int, set[float]] = {
            place: set()
            for place, column in enumerate(columns)
            if column.kind != "boolean"
        }

    def take(self, rows: FloatArray) -> None:
        """Look at the next rows `(n, C)`."""
        self._rows += len(rows)
        for place in list(self._seen):
            if not self._fits(rows[:, place], place):
                del self._seen[place]

    @property
    def found(self) -> str | None:
        """The first column that is like that, by name."""
        for place, seen in self._seen.items():
            if 1 < len(seen) <= self._rows / _ROWS_OF_A_RUN:
                return self._names[place]
        return None

    def _fits(self, values: FloatArray, place: int) -> bool:
        changes = np.flatnonzero(np.diff(values, prepend=self._last.get(place, np.inf)))
        new = values[changes].tolist()
        seen = self._seen[place]
        several = len(seen) + len(new)
        if len(new) != len(set(new)) or not seen.isdisjoint(new):
            return False
        if several > self._rows / _ROWS_OF_A_RUN + 1:
            return False
        seen.update(new)
        self._last[place] = float(values[-1])
        return bool((values == np.floor(values)).all())
