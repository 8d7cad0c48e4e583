"""One of K classes: the most frequent one, and ridge per sequence."""

import numpy as np

from throughtime.data.datasets import SequenceDataset
from throughtime.data.schema import Column
from throughtime.data.trivial.counted import FITTED, TEST, Summaries, steps
from throughtime.data.trivial.ridge import methods, ridge
from throughtime.data.types import IntegerArray, Split


def classes(dataset: SequenceDataset) -> dict[str, float]:
    """Return accuracies, the mean over targets where there are several."""
    targets = dataset.schema.targets
    if dataset.question.per == "step":
        found = [{"majority": _most_frequent(dataset, column)} for column in targets]
    else:
        fitted, test = Summaries(dataset, FITTED), Summaries(dataset, TEST)
        found = [
            _per_sequence(fitted, test, place, len(column.categories))
            for place, column in enumerate(targets)
        ]
    return {
        method: float(np.mean([results[method] for results in found]))
        for method in found[0]
    }


def _most_frequent(dataset: SequenceDataset, column: Column) -> float:
    counts, asked = (_counts(dataset, column, parts) for parts in (FITTED, TEST))
    return float(asked[counts.argmax()] / asked.sum())


def _counts(
    dataset: SequenceDataset, column: Column, parts: tuple[Split, ...]
) -> IntegerArray:
    """Count the steps at which each class is true."""
    size = len(column.categories)
    counts = np.zeros(size, dtype=np.int64)
    for rows, first, stop in steps(dataset, [column], parts):
        values = rows[first:stop, 0]
        counts += np.bincount(values[values >= 0].astype(np.int64), minlength=size)
    return counts


def _per_sequence(
    fitted: Summaries, test: Summaries, place: int, size: int
) -> dict[str, float]:
    known, asked = fitted.targets[:, place], test.targets[:, place]
    rows, counted = ~np.isnan(known), ~np.isnan(asked)
    majority = np.bincount(known[rows].astype(np.int64), minlength=size).argmax()
    signs = np.where(known[:, None] == np.arange(size), 1.0, -1.0)
    signs[~rows] = np.nan
    answers = {"majority": np.full(len(asked), majority)}
    for method in methods(fitted):
        answers[method] = ridge(fitted, test, method, signs).argmax(axis=1)
    return {
        method: float((answer == asked)[counted].mean())
        for method, answer in answers.items()
    }
