"""The steps of a data set that count, and what each sequence is on the whole."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from throughtime.data.datasets import SequenceDataset
from throughtime.data.pieces import SEQUENCE, START, STOP
from throughtime.data.schema import Column, Kind, Schema
from throughtime.data.types import Split

Floats = npt.NDArray[np.float64]

FITTED: tuple[Split, ...] = ("train", "validation")
TEST: tuple[Split, ...] = ("test",)

_AT_ONCE = 65_536


def asked_next(schema: Schema, kind: Kind) -> tuple[Column, ...]:
    """Return the columns whose next steps are asked for, of one kind.

    They are the targets or, where there are none, the features of this kind.
    """
    columns = schema.targets or schema.features
    return tuple(column for column in columns if column.kind == kind)


class Steps(NamedTuple):
    """Steps of one sequence: `rows[first:stop]` count, the others are around them."""

    rows: Floats
    first: int
    stop: int


def steps(
    dataset: SequenceDataset,
    columns: Sequence[Column],
    parts: Sequence[Split],
    *,
    before: int = 0,
    after: int = 0,
) -> Iterator[Steps]:
    """Read every step that counts once, never much at a time.

    Parameters
    ----------
    dataset
        The sequences.
    columns
        What to read of each step.
    parts
        Of which parts.
    before, after
        How many steps around them to read, too, where the piece has them.
    """
    places = dataset.schema.places(columns)
    for part in parts:
        for sequence, start, stop, first in dataset.splits[part].tolist():
            for begin in range(first, stop, _AT_ONCE):
                end = min(begin + _AT_ONCE, stop)
                low, high = max(start, begin - before), min(stop, end + after)
                rows = dataset.frames.read(sequence, low, high)[:, places]
                yield Steps(rows.astype(np.float64), begin - low, end - low)


class Summaries:
    """One row for each sequence of some parts.

    `mean` and `deviation` are `(n, F)`, over the steps, of each feature, a category
    being a column of 0 and 1 for each of its values; NaN where nothing is known.
    `items` is `(n, d)`, how often each sequence names each item, or None. `targets` is
    `(n, K)`.
    """

    def __init__(self, dataset: SequenceDataset, parts: Sequence[Split]) -> None:
        schema = dataset.schema
        places = schema.places(schema.targets)
        means: list[Floats] = []
        deviations: list[Floats] = []
        targets: list[Floats] = []
        for part in parts:
            for piece in dataset.splits[part].tolist():
                matrix = dataset.frames.read(
                    piece[SEQUENCE], piece[START], piece[STOP]
                ).astype(np.float64)
                wide = wide_numbers(dataset, matrix)
                means.append(known_mean(wide))
                deviations.append(np.sqrt(known_mean((wide - means[-1]) ** 2)))
                targets.append(matrix[0, places])
        self.mean, self.deviation = np.array(means), np.array(deviations)
        self.targets = np.array(targets)
        self.items: Any = None
        if dataset.items is not None:
            pieces = np.concatenate([dataset.splits[part] for part in parts])
            self.items = dataset.items.summed(pieces)


def known_mean(rows: Floats) -> Floats:
    """Return the mean of each column over what is known; NaN where nothing is."""
    known = ~np.isnan(rows)
    with np.errstate(invalid="ignore"):
        return np.where(known, rows, 0.0).sum(axis=0) / known.sum(axis=0)


def wide_numbers(dataset: SequenceDataset, matrix: Floats) -> Floats:
    """Return the features of a matrix `(T, C)` as numbers `(T, F)` that have a mean.

    A category is a column of 0 and 1 for each of its values.
    """
    features = dataset.schema.features
    columns: list[Floats] = [matrix[:, :0]]  # steps may name items alone
    for column, place in zip(features, dataset.schema.places(features), strict=True):
        values = matrix[:, [place]]
        if column.kind == "category":
            one_hot = values == np.arange(len(column.categories))
            values = np.where(np.isnan(values), np.nan, one_hot)
        columns.append(values)
    return np.concatenate(columns, axis=1)
