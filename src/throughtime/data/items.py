"""What the steps name: a few of very many items, with their values."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_array

from throughtime.data.pieces import SEQUENCE, START, STOP
from throughtime.data.store import Store
from throughtime.data.types import FloatArray, IntegerArray
from throughtime.nn import SparseSequences


@dataclass(frozen=True, eq=False)
class Items:
    """The items of every step of N sequences.

    Parameters
    ----------
    rows
        `(n, 1)`, or `(n, 2)` with the value of each: the place of an item among those
        of training; -1 one that training does not know, NaN none. Those of a step
        follow each other, as the steps of a sequence do.
    firsts
        `(S + 1,)`, the first row of each of all S steps, and n.
    starts
        `(N,)`, the first step of each sequence.
    size
        d, the number of items that training knows.
    """

    rows: Store
    firsts: IntegerArray
    starts: IntegerArray
    size: int

    @property
    def with_values(self) -> bool:
        """Whether every item has a value; if not, it counts 1."""
        return self.rows.shape[1] > 1

    def bounds(self, sequence: int, start: int, stop: int) -> IntegerArray:
        """Return `(m + 1,)`, where the rows of each of m steps of a sequence begin."""
        first = int(self.starts[sequence])
        return self.firsts[first + start : first + stop + 1]

    def raw(self, sequence: int, start: int, stop: int) -> FloatArray:
        """Return the rows of some steps of a sequence as they are; not to write to."""
        bounds = self.bounds(sequence, start, stop)
        return self.rows.read(int(bounds[0]), int(bounds[-1]))

    def matrix(self, sequence: int, start: int, stop: int) -> csr_array:
        """Return `(m, d)`, what some steps of a sequence name and training knows."""
        bounds = self.bounds(sequence, start, stop)
        rows = self.rows.read(int(bounds[0]), int(bounds[-1]))
        known = (rows[:, 0] >= 0) & ~np.isnan(rows).any(axis=1)
        ends = np.concatenate([[0], np.cumsum(known)])[bounds - bounds[0]]
        places = rows[known, 0].astype(np.int64)
        values = rows[known, 1] if self.with_values else np.ones(len(places))
        return csr_array((values, places, ends), shape=(stop - start, self.size))

    def side_by_side(self, pieces: IntegerArray) -> SparseSequences:
        """Return the items of pieces `(B, 4)` as a network reads them."""
        matrices = [
            self.matrix(piece[SEQUENCE], piece[START], piece[STOP])
            for piece in pieces.tolist()
        ]
        found = SparseSequences.of(matrices, self.size, dtype=torch.float32)
        return found if self.with_values else replace(found, values=None)

    def nothing(self) -> SparseSequences:
        """Return one sequence of no steps, which takes the room of one."""
        zeros = torch.zeros(2, dtype=torch.int64)
        return SparseSequences(zeros[:0], zeros, zeros[:1], self.size)
