"""Labels: their frequencies, a chain for each of them, and ridge per sequence."""

from collections.abc import Sequence

import numpy as np

from throughtime.data.datasets import SequenceDataset
from throughtime.data.schema import Column
from throughtime.data.trivial.counted import FITTED, TEST, Floats, Summaries, steps
from throughtime.data.trivial.ridge import KINDS, ridge
from throughtime.data.types import Split


def labels(dataset: SequenceDataset) -> dict[str, float]:
    """Return areas under the curve over all labels at once.

    That of frequencies, the same for every answer, is what comes of knowing which
    labels are rare. Where every label of the test part is true, or none is, no area is
    defined, and nothing returned.
    """
    answers: dict[str, Floats] = {}
    if dataset.question.per == "sequence":
        fitted, test = Summaries(dataset, FITTED), Summaries(dataset, TEST)
        known, truth = fitted.targets, test.targets
        answers = {
            method: ridge(fitted, test, method, fitted.targets) for method in KINDS
        }
    else:
        known, truth = (_targets(dataset, parts) for parts in (FITTED, TEST))
    frequency = _frequency(np.nansum(known, axis=0), (~np.isnan(known)).sum(axis=0))
    answers = {"frequencies": np.broadcast_to(frequency, truth.shape), **answers}
    counted = ~np.isnan(truth).any(axis=1)
    if np.unique(truth[counted]).size < 2:
        return {}
    # Loaded here: it takes a moment that reading data can do without.
    from sklearn.metrics import roc_auc_score

    return {
        method: float(roc_auc_score(truth[counted].ravel(), answer[counted].ravel()))
        for method, answer in answers.items()
    }


def next_labels(dataset: SequenceDataset) -> dict[str, float]:
    """Return nats per frame: binary cross-entropies, summed over the labels.

    A label's probability is its frequency, or its frequency after a step with, or
    without, that same label; one step with and one without are added to every count.
    """
    columns = [one for one in dataset.schema.features if one.kind == "boolean"]
    true, count = np.zeros((2, len(columns)))
    # By what the label was the step before, 0 or 1.
    true_after, count_after = np.zeros((2, 2, len(columns)))
    for rows, first, stop in steps(dataset, columns, FITTED, after=1):
        true += np.nansum(rows[first:stop], axis=0)
        count += (~np.isnan(rows[first:stop])).sum(axis=0)
        last, now = _pairs(rows, first, stop)
        for value in (0, 1):
            here = (last == value) & ~np.isnan(now)
            true_after[value] += np.where(here, now, 0.0).sum(axis=0)
            count_after[value] += here.sum(axis=0)
    frequency = _frequency(true, count)
    chain = _frequency(true_after, count_after)
    nats, frames = {"frequencies": 0.0, "first-order chain": 0.0}, 0
    for rows, first, stop in steps(dataset, columns, TEST, after=1):
        last, now = _pairs(rows, first, stop)
        # A frame of which one label is missing counts nowhere.
        known = ~np.isnan(now).any(axis=1)
        last, now = last[known], now[known]
        followed = np.where(last == 1, chain[1], chain[0])
        followed = np.where(np.isnan(last), frequency, followed)
        nats["frequencies"] += _cross_entropy(frequency, now)
        nats["first-order chain"] += _cross_entropy(followed, now)
        frames += len(now)
    return {method: total / frames for method, total in nats.items()} if frames else {}


def _targets(dataset: SequenceDataset, parts: Sequence[Split]) -> Floats:
    targets: Sequence[Column] = dataset.schema.targets
    read = [rows[first:stop] for rows, first, stop in steps(dataset, targets, parts)]
    return np.concatenate(read)


def _pairs(rows: Floats, first: int, stop: int) -> tuple[Floats, Floats]:
    """Return the steps that count and have a next one, and those next ones."""
    now = rows[first + 1 : stop + 1]
    return rows[first : first + len(now)], now


def _frequency(true: Floats, count: Floats) -> Floats:
    return (true + 1) / (count + 2)


def _cross_entropy(probability: Floats, truth: Floats) -> float:
    return float(-np.log(np.where(truth == 1, probability, 1 - probability)).sum())
