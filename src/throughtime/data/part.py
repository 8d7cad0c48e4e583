"""The pieces of one part, read when they are looked at."""

from collections.abc import Sequence
from typing import overload

from throughtime.data.frames import Frames
from throughtime.data.pieces import SEQUENCE, START, STOP, windows
from throughtime.data.types import FloatArray, IntegerArray


class Part(Sequence[FloatArray]):
    """A sequence of matrices, none of which is kept.

    Parameters
    ----------
    frames
        N matrices `(T_i, C)`.
    pieces
        `(n, 4)`, what is read of them.
    columns
        The places of the columns to give; None: all C.
    """

    def __init__(
        self,
        frames: Frames,
        pieces: IntegerArray,
        columns: Sequence[int] | None = None,
    ) -> None:
        self._frames, self._pieces = frames, pieces
        self._columns = columns

    def __len__(self) -> int:
        return len(self._pieces)

    @overload
    def __getitem__(self, index: int) -> FloatArray: ...
    @overload
    def __getitem__(self, index: slice) -> "Part": ...
    def __getitem__(self, index: int | slice) -> "FloatArray | Part":
        if isinstance(index, slice):
            return Part(self._frames, self._pieces[index], self._columns)
        piece = self._pieces[index].tolist()
        matrix = self._frames.read(piece[SEQUENCE], piece[START], piece[STOP])
        return matrix if self._columns is None else matrix.take(self._columns, axis=1)

    def cut(self, steps: int) -> "Part":
        """Return the same steps in pieces of at most so many."""
        return Part(self._frames, windows(self._pieces, steps), self._columns)
