"""What the steps name: a few of very many items, with their values."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from throughtime.data.pieces import SEQUENCE, START, STOP
from throughtime.data.store import Store
from throughtime.data.types import FloatArray, IntegerArray
from throughtime.nn import SparseSequences

if TYPE_CHECKING:
    from scipy.sparse import csr_array


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
        """Return the rows of some steps of a sequence as they are.

        Those of a step come in the order of their items, however they stood.
        """
        bounds = self.bounds(sequence, start, stop)
        rows = self.rows.read(int(bounds[0]), int(bounds[-1]))
        steps = np.repeat(np.arange(stop - start), np.diff(bounds))
        return rows[np.lexsort((*reversed(rows.T), steps))]

    def side_by_side(self, pieces: IntegerArray) -> SparseSequences:
        """Return the items of pieces `(B, 4)` as a network reads them."""
        rows, sequence, step = self._named(pieces)
        return SparseSequences.placed(
            torch.from_numpy(rows[:, 0].astype(np.int64)),
            torch.from_numpy(rows[:, 1].copy()) if self.with_values else None,
            torch.from_numpy(step * len(pieces) + sequence),
            torch.from_numpy(pieces[:, STOP] - pieces[:, START]),
            self.size,
        )

    def summed(self, pieces: IntegerArray) -> "csr_array":
        """Return `(B, d)`, what pieces `(B, 4)` name in all their steps together."""
        # Loaded here: it takes a moment that other data can do without.
        from scipy.sparse import csr_array

        rows, sequence, _ = self._named(pieces)
        values = rows[:, 1] if self.with_values else np.ones(len(rows))
        places = sequence, rows[:, 0].astype(np.int64)
        return csr_array((values, places), shape=(len(pieces), self.size))

    def nothing(self) -> SparseSequences:
        """Return one sequence of no steps, which takes the room of one."""
        zeros = torch.zeros(2, dtype=torch.int64)
        return SparseSequences(zeros[:0], zeros, zeros[:1], self.size)

    def _named(
        self, pieces: IntegerArray
    ) -> tuple[FloatArray, IntegerArray, IntegerArray]:
        """Return the rows that count, and of which piece, at which step each is."""
        rows: list[FloatArray] = []
        steps: list[IntegerArray] = []
        for piece in pieces.tolist():
            where = piece[SEQUENCE], piece[START], piece[STOP]
            counts = np.diff(self.bounds(*where))
            rows.append(self.raw(*where))
            steps.append(np.repeat(np.arange(len(counts)), counts))
        of_piece = np.repeat(np.arange(len(pieces)), [len(own) for own in rows])
        found = np.concatenate(rows)
        known = (found[:, 0] >= 0) & ~np.isnan(found).any(axis=1)
        return found[known], of_piece[known], np.concatenate(steps)[known]
