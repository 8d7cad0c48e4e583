"""The matrices of many sequences, in memory or elsewhere."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from throughtime.data.store import Store
from throughtime.data.types import FloatArray, IntegerArray


class Frames(Protocol):
    """N matrices `(T_i, C)`; a part of one is read at a time.

    `lengths` is `(N,)`, `width` is C.
    """

    @property
    def lengths(self) -> IntegerArray: ...

    @property
    def width(self) -> int: ...

    def read(self, sequence: int, start: int, stop: int) -> FloatArray:
        """Return the rows `start` to `stop` of one matrix; not to be written to."""


class FramesInMemory:
    """Matrices that lie in memory.

    Parameters
    ----------
    matrices
        N arrays `(T_i, C)` of one dtype.
    """

    def __init__(self, matrices: Sequence[FloatArray]) -> None:
        self._matrices = list(matrices)
        self.lengths = np.array([len(one) for one in matrices], dtype=np.int64)
        self.width = self._matrices[0].shape[1] if self._matrices else 0

    def read(self, sequence: int, start: int, stop: int) -> FloatArray:
        """Return the rows `start` to `stop` of one matrix; not to be written to."""
        return self._matrices[sequence][start:stop]


class StoredFrames:
    """Matrices that lie one after the other in a store, in memory or in a file.

    Parameters
    ----------
    store
        `(n, C)`.
    lengths
        `(N,)`, n in sum.
    """

    def __init__(self, store: Store, lengths: IntegerArray) -> None:
        self._store = store
        self._starts = np.cumsum(lengths) - lengths
        self.lengths = lengths
        self.width = store.shape[1]

    def read(self, sequence: int, start: int, stop: int) -> FloatArray:
        """Return the rows `start` to `stop` of one matrix; not to be written to."""
        first = int(self._starts[sequence])
        last = min(stop, int(self.lengths[sequence]))
        return self._store.read(first + start, first + last)
