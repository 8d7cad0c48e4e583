"""Whether a target stays the same within every sequence."""

from collections.abc import Sequence

import numpy as np

from throughtime.data.store import Store
from throughtime.data.tables.stretches import stretches
from throughtime.data.types import FloatArray, IntegerArray


def first_change(
    frames: Store, starts: IntegerArray, places: Sequence[int]
) -> tuple[int, int] | None:
    """Return the first row, and column, that differs from the row before it.

    Parameters
    ----------
    frames
        `(n, C)`.
    starts
        `(N,)`, the first row of each sequence.
    places
        The columns to look at.
    """
    for part in stretches(frames, starts):
        changes = part.rows[:, places] != part.before[:, places]
        changed = np.argwhere(changes & part.inside[:, None])
        if len(changed):
            row, column = changed[0].tolist()
            return part.start + row, places[column]
    return None


def first_values(frames: Store, starts: IntegerArray, place: int) -> FloatArray:
    """Return `(N,)`, what a column holds at the first step of each sequence."""
    values = np.empty(len(starts))
    done = 0
    for part in stretches(frames, starts):
        first = part.rows[~part.inside, place]
        values[done : done + len(first)] = first
        done += len(first)
    return values
