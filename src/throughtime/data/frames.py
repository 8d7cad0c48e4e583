"""The matrices of many sequences, in memory or elsewhere."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

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
