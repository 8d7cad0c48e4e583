"""Sequences of unequal length into padded batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from throughtime.data.datasets import FloatArray, IntegerArray
from throughtime.errors import NotPositive

# Shuffled sequences are sorted by length in pools of so many batches: wide enough
# that little is padded, narrow enough that every epoch makes new batches.
_BATCHES_IN_A_POOL = 16


class SequenceBatch(NamedTuple):
    """Sequences side by side.

    `inputs` is `(T, B, F)` with zeros after the end of each sequence, `lengths`
    `(B,)`, `targets` `(B,)`, and `places` `(B,)` says where in the data set they are.
    """

    inputs: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    places: torch.Tensor


@dataclass(frozen=True, eq=False)
class SequenceBatches:
    """One epoch each time it is iterated: every sequence once, like lengths together.

    Parameters
    ----------
    sequences
        N arrays `(T_i, F)`.
    targets
        `(N,)`, the class of each.
    places
        Which of them to give.
    batch_size
        Sequences per batch; the last may hold fewer.
    generator
        Draws the order, a new one each epoch. Without it the order is by length, always
        the same: for evaluation.
    dtype
        That of `inputs`.

    Raises
    ------
    NotPositive
        `batch_size` is below 1.
    """

    sequences: Sequence[FloatArray]
    targets: IntegerArray
    places: IntegerArray
    batch_size: int
    generator: torch.Generator | None = None
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise NotPositive(argument="batch_size", given=self.batch_size)

    def __len__(self) -> int:
        return -(-len(self.places) // self.batch_size)

    def __iter__(self) -> Iterator[SequenceBatch]:
        batches = self._draw() if self.generator else self._cut(self.places)
        for places in batches:
            inputs, lengths = pad([self.sequences[k] for k in places], self.dtype)
            targets = torch.as_tensor(self.targets[places])
            yield SequenceBatch(inputs, lengths, targets, torch.as_tensor(places))

    def _draw(self) -> list[IntegerArray]:
        drawn = torch.randperm(len(self.places), generator=self.generator).numpy()
        shuffled = self.places[drawn]
        pool = self.batch_size * _BATCHES_IN_A_POOL
        batches: list[IntegerArray] = []
        for start in range(0, len(shuffled), pool):
            batches += self._cut(shuffled[start : start + pool])
        order = torch.randperm(len(batches), generator=self.generator)
        return [batches[k] for k in order.tolist()]

    def _cut(self, places: IntegerArray) -> list[IntegerArray]:
        lengths = np.array([len(self.sequences[k]) for k in places], dtype=np.int64)
        by_length = places[np.argsort(lengths, kind="stable")]
        starts = range(0, len(by_length), self.batch_size)
        return [by_length[start : start + self.batch_size] for start in starts]


def pad(
    sequences: Sequence[FloatArray], dtype: torch.dtype = torch.float32
) -> tuple[torch.Tensor, torch.Tensor]:
    """Put B sequences side by side, zeros after the end of each.

    Parameters
    ----------
    sequences
        B >= 1 arrays `(T_i, F)`.
    dtype
        That of the result.

    Returns
    -------
    inputs : torch.Tensor
        `(T, B, F)`, T the longest length.
    lengths : torch.Tensor
        `(B,)`, int64.
    """
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    features = sequences[0].shape[1]
    inputs = torch.zeros(int(lengths.max()), len(sequences), features, dtype=dtype)
    for row, sequence in enumerate(sequences):
        inputs[: len(sequence), row] = torch.tensor(sequence, dtype=dtype)
    return inputs, lengths
