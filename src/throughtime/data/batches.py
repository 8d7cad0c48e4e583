"""Pieces of sequences into padded batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from throughtime.data.frames import Frames
from throughtime.data.items import Items
from throughtime.data.pieces import FIRST, SEQUENCE, START, STOP
from throughtime.data.types import FloatArray, IntegerArray
from throughtime.errors import NotPositive
from throughtime.nn import SparseSequences

# Shuffled pieces are sorted by length in pools of so many batches: wide enough that
# little is padded, narrow enough that every epoch makes new batches.
_BATCHES_IN_A_POOL = 16


class SequenceBatch(NamedTuple):
    """Pieces of sequences side by side.

    `frames` is `(T, B, C)`, raw, with zeros after the end of each piece; `lengths` and
    `first` are `(B,)`: how many steps each has, and from which of them on answers
    count. `pieces` `(B,)` says which rows of the part they are, `sequences` `(B,)` of
    which sequences. `items` are what the steps name, where they do.
    """

    frames: torch.Tensor
    lengths: torch.Tensor
    first: torch.Tensor
    pieces: torch.Tensor
    sequences: torch.Tensor
    items: SparseSequences | None = None


@dataclass(frozen=True, eq=False)
class SequenceBatches:
    """One epoch each time it is iterated: every piece once, like lengths together.

    Parameters
    ----------
    frames
        N matrices `(T_i, C)`.
    pieces
        `(n, 4)`, what to give of them.
    batch_size
        Pieces per batch; the last may hold fewer.
    generator
        Draws the order, a new one each epoch. Without it the order is by length, always
        the same: for evaluation.
    share
        The rows of each batch that are given; the others are not read. Where it has
        none of a small batch, an empty sequence stands for them, and no piece.
    items
        What the steps of the sequences name; None: nothing.

    Raises
    ------
    NotPositive
        `batch_size` is below 1.
    """

    frames: Frames
    pieces: IntegerArray
    batch_size: int
    generator: torch.Generator | None = None
    share: slice = field(default_factory=lambda: slice(None), kw_only=True)
    items: Items | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise NotPositive(argument="batch_size", given=self.batch_size)

    def __len__(self) -> int:
        return -(-len(self.pieces) // self.batch_size)

    def __iter__(self) -> Iterator[SequenceBatch]:
        return self.after(0)

    def after(self, done: int) -> Iterator[SequenceBatch]:
        """Give an epoch without its first batches, which are not read."""
        everything = np.arange(len(self.pieces))
        batches = self._draw() if self.generator else self._cut(everything)
        for batch in batches[done:]:
            rows = batch[self.share]
            yield self._read(rows) if len(rows) else self._nothing()

    def _read(self, rows: IntegerArray) -> SequenceBatch:
        chosen = self.pieces[rows]
        frames, lengths = pad(
            [
                self.frames.read(piece[SEQUENCE], piece[START], piece[STOP])
                for piece in chosen.tolist()
            ]
        )
        first = torch.from_numpy(chosen[:, FIRST] - chosen[:, START])
        sequences = torch.from_numpy(chosen[:, SEQUENCE])
        places = torch.from_numpy(rows)
        items = None if self.items is None else self.items.side_by_side(chosen)
        return SequenceBatch(frames, lengths, first, places, sequences, items)

    def _nothing(self) -> SequenceBatch:
        sequence, start, *_ = self.pieces[0].tolist()
        like = self.frames.read(sequence, start, start)
        frames = np.zeros((1, 1, like.shape[1]), like.dtype)
        none = torch.zeros(1, dtype=torch.int64)
        items = None if self.items is None else self.items.nothing()
        return SequenceBatch(
            torch.from_numpy(frames), none, none, none[:0], none, items
        )

    def _draw(self) -> list[IntegerArray]:
        shuffled = torch.randperm(len(self.pieces), generator=self.generator).numpy()
        pool = self.batch_size * _BATCHES_IN_A_POOL
        batches: list[IntegerArray] = []
        for start in range(0, len(shuffled), pool):
            batches += self._cut(shuffled[start : start + pool])
        order = torch.randperm(len(batches), generator=self.generator)
        return [batches[k] for k in order.tolist()]

    def _cut(self, rows: IntegerArray) -> list[IntegerArray]:
        lengths = self.pieces[rows, STOP] - self.pieces[rows, START]
        by_length = rows[np.argsort(lengths, kind="stable")]
        starts = range(0, len(by_length), self.batch_size)
        return [by_length[start : start + self.batch_size] for start in starts]


def pad(sequences: Sequence[FloatArray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Put B matrices side by side, zeros after the end of each.

    Parameters
    ----------
    sequences
        B >= 1 arrays `(T_i, C)` of one dtype, which is that of the result.

    Returns
    -------
    frames : torch.Tensor
        `(T, B, C)`, T the longest length.
    lengths : torch.Tensor
        `(B,)`, int64.
    """
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    width, dtype = sequences[0].shape[1], sequences[0].dtype
    padded = np.zeros((int(lengths.max()), len(sequences), width), dtype)
    for row, sequence in enumerate(sequences):
        padded[: len(sequence), row] = sequence
    return torch.from_numpy(padded), lengths
