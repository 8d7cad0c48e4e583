"""Stretches of sequences: what a part of the data consists of.

A part is an array `(n, 4)` of integers. A row `sequence, start, stop, first` says: of
this sequence the steps `start` to `stop` are read, and the answers from step `first`
on count. A sequence that is wholly in one part is `k, 0, T_k, 0`. Where a sequence is
split by time, the steps before `first` are context: read, so that the state knows the
past, but not counted.
"""

from itertools import pairwise
from typing import Final

import numpy as np
import torch

from throughtime.data.types import IntegerArray

SEQUENCE: Final = 0
START: Final = 1
STOP: Final = 2
FIRST: Final = 3


def whole(sequences: IntegerArray, lengths: IntegerArray) -> IntegerArray:
    """Return the pieces that are whole sequences.

    Parameters
    ----------
    sequences
        `(n,)`, their places.
    lengths
        `(N,)`, the lengths of all sequences.
    """
    zeros = np.zeros_like(sequences)
    return np.stack([sequences, zeros, lengths[sequences], zeros], axis=1)


def counted(pieces: IntegerArray) -> int:
    """Count the steps of pieces that count."""
    return int((pieces[:, STOP] - pieces[:, FIRST]).sum())


def windows(
    pieces: IntegerArray, steps: int, generator: torch.Generator | None = None
) -> IntegerArray:
    """Cut pieces without context into windows of at most so many steps.

    Parameters
    ----------
    pieces
        `(n, 4)`.
    steps
        The length of a window.
    generator
        Draws where the first window of each piece ends, so that every epoch cuts
        elsewhere. Without it every window but the last of a piece is full.
    """
    cut: list[tuple[int, int, int, int]] = []
    for sequence, start, stop, _ in pieces.tolist():
        offset = steps
        if generator is not None and stop - start > steps:
            offset = 1 + int(torch.randint(steps, (), generator=generator))
        edges = [start, *range(start + offset, stop, steps), stop]
        cut += [(sequence, a, b, a) for a, b in pairwise(edges)]
    return np.array(cut, dtype=np.int64).reshape(-1, 4)
