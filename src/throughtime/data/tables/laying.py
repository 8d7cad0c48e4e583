"""A table as matrices in a store: every row coded, at its place, in order of time."""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from throughtime.data.sources.source import Batch, Source
from throughtime.data.store import Store, new_store
from throughtime.data.tables.keys import Keys, find_keys
from throughtime.data.tables.parts import GivenParts
from throughtime.data.tables.placing import Placing
from throughtime.data.tables.roles import Roles
from throughtime.data.tables.times import clock_of, order_steps, write_differences
from throughtime.data.types import FloatArray, IntegerArray

_PLACE_BYTES: Final = 8


class Coder(Protocol):
    """What turns the rows of a batch into C numbers each.

    `width` is C, `difference` the place of the time since the step before among them,
    if it is one.
    """

    width: int
    dtype: type[np.float32] | type[np.float64]
    difference: int | None

    def __call__(self, batch: Batch) -> FloatArray: ...


@dataclass(frozen=True, eq=False)
class Laid:
    """What a table became.

    Parameters
    ----------
    keys
        Its N sequences.
    frames
        `(n, C)`, their rows, one sequence after the other.
    parts
        What the split column says, where there is one.
    rows
        `(n, 1)`, which row of the table each is, where that was asked for.
    in_memory
        Whether they are in memory.
    times
        `(n, 1)`, when each row was, where the table says it.
    """

    keys: Keys
    frames: Store
    parts: GivenParts | None
    rows: Store | None
    in_memory: bool
    times: Store | None = None

    @property
    def starts(self) -> IntegerArray:
        """`(N,)`, the first row of each sequence."""
        return np.cumsum(self.keys.lengths) - self.keys.lengths


def lay(
    source: Source,
    roles: Roles,
    coder: Coder,
    memory: int,
    keep_rows: bool = False,
    *,
    several: bool = False,
) -> Laid:
    """Read a table twice: to count, and to put its rows where they belong.

    Parameters
    ----------
    source
        The table.
    roles
        What its columns are for.
    coder
        Turns a batch into C numbers a row.
    memory
        The bytes that the matrices may take; beyond, they are kept in a file.
    keep_rows
        Whether to keep which row of the table each is.
    several
        Whether rows of one time are allowed; they stay in the order of the table.
    """
    clock = None if roles.time is None else clock_of(source, roles.time)
    keys = find_keys(source, roles.sequence)
    total = int(keys.lengths.sum())
    row_bytes = coder.width * np.dtype(coder.dtype).itemsize
    if several:  # steps are gathered beside the rows
        row_bytes *= 2
    row_bytes += _PLACE_BYTES * ((clock is not None) + keep_rows)
    in_memory = total * row_bytes <= memory
    frames = new_store(total, coder.width, coder.dtype, in_memory)
    times = None if clock is None else new_store(total, 1, clock.dtype, in_memory)
    rows = new_store(total, 1, np.int64, in_memory) if keep_rows else None
    parts = None if roles.split is None else GivenParts(roles.split, keys)
    placing, read = Placing(keys), 0
    for batch in source.batches(roles.all):
        sequences = keys.places(batch.frame)
        places = placing(sequences)
        places.write(frames, coder(batch))
        if parts is not None:
            parts.take(batch, sequences)
        if times is not None and clock is not None:
            places.write(times, clock.read(batch))
        if rows is not None:
            places.write(rows, np.arange(read, read + len(sequences))[:, None])
        read += len(sequences)
    laid = Laid(keys, frames, parts, rows, in_memory, times)
    if times is not None and clock is not None:
        others = [frames] if rows is None else [frames, rows]
        order_steps(times, others, keys, clock, several=several)
        if coder.difference is not None:
            write_differences(times, frames, coder.difference, laid.starts, clock)
    return laid
