"""Every row at its place: sequence after sequence, in order of the keys."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from throughtime.data.store import Store
from throughtime.data.tables.keys import Keys
from throughtime.data.types import IntegerArray


class Placing:
    """Says where the rows of each batch go.

    Parameters
    ----------
    keys
        The sequences and their lengths.
    """

    def __init__(self, keys: Keys) -> None:
        self._next = np.cumsum(keys.lengths) - keys.lengths

    def __call__(self, sequences: IntegerArray) -> "Places":
        """Take the rows that follow.

        Parameters
        ----------
        sequences
            `(n,)`, to which sequence each belongs.
        """
        order = np.argsort(sequences, kind="stable")
        present, first, counts = np.unique(
            sequences[order], return_index=True, return_counts=True
        )
        rank = np.arange(len(order)) - np.repeat(first, counts)
        places = np.repeat(self._next[present], counts) + rank
        self._next[present] += counts
        breaks = np.flatnonzero(np.diff(places) != 1) + 1
        return Places(order, places, [0, *breaks.tolist(), len(places)])


class Places(NamedTuple):
    """Where the rows of one batch go.

    `order` `(n,)` sorts them by sequence, `places` `(n,)` says where they then go,
    `edges` where stretches of places that follow each other begin and end.
    """

    order: IntegerArray
    places: IntegerArray
    edges: Sequence[int]

    def write(self, store: Store, rows: npt.NDArray[Any]) -> None:
        """Put the batch's rows `(n, width)` into a store."""
        rows = rows[self.order]
        for start, stop in pairwise(self.edges):
            store.write(int(self.places[start]), rows[start:stop])
