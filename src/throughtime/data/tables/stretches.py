"""A store from its first row to its last, a bounded number of rows at a time."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from throughtime.data.store import Store
from throughtime.data.types import IntegerArray

#: Rows that are looked at together.
STRETCH: Final = 65_536


class Stretch(NamedTuple):
    """Rows that follow each other.

    `start` is the place of the first, `rows` `(m, width)` are they themselves,
    `before` `(m, width)` the row before each; `inside` `(m,)` says whether that row is
    of the same sequence.
    """

    start: int
    rows: npt.NDArray[Any]
    before: npt.NDArray[Any]
    inside: npt.NDArray[np.bool_]


def stretches(store: Store, starts: IntegerArray) -> Iterator[Stretch]:
    """Give all rows of a store.

    Parameters
    ----------
    store
        The rows of N sequences, one after the other.
    starts
        `(N,)`, the first row of each.
    """
    total, last = store.shape[0], None
    for start in range(0, total, STRETCH):
        rows = store.read(start, min(start + STRETCH, total))
        begins = starts[slice(*np.searchsorted(starts, [start, start + len(rows)]))]
        inside = np.ones(len(rows), np.bool_)
        inside[begins - start] = False
        first = rows[:1] if last is None else last
        # Copied before the rows are given away, since they may be written over.
        before, last = np.concatenate([first, rows[:-1]]), rows[-1:].copy()
        yield Stretch(start, rows, before, inside)


def sequence_of(row: int, starts: IntegerArray) -> int:
    """Return the sequence in which a row of a store lies."""
    return int(np.searchsorted(starts, row, side="right")) - 1
