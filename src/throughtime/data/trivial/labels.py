"""Labels: how often each is true, a chain for each of them, and ridge per sequence."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from throughtime.data.datasets import SequenceDataset
from throughtime.data.schema import Column
from throughtime.data.trivial.counted import (
    FITTED,
    TEST,
    Floats,
    Summaries,
    asked_next,
    steps,
)
from throughtime.data.trivial.ridge import methods, ridge
from throughtime.data.types import Split


def labels(dataset: SequenceDataset) -> dict[str, float]:
    """Return areas under the curve over all labels at once.

    That of marginal probabilities, the same for every answer, is what comes of knowing
    which labels are rare. Where every label of the test part is true, or none is, no
    area is defined, and nothing returned.
    """
    answers: dict[str, Floats] = {}
    if dataset.question.per == "sequence":
        fitted, test = Summaries(dataset, FITTED), Summaries(dataset, TEST)
        known, truth = fitted.targets, test.targets
        answers = {
            method: ridge(fitted, test, method, fitted.targets)
            for method in methods(fitted)
        }
    else:
        known, truth = (_targets(dataset, parts) for parts in (FITTED, TEST))
    marginal = share(np.nansum(known, axis=0), (~np.isnan(known)).sum(axis=0))
    answers = {"marginal": np.broadcast_to(marginal, truth.shape), **answers}
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

    A label's probability is its share of the steps, or its share of the steps after one
    with, or without, that same label; one is added to every count. The first step of a
    piece is not predicted, and not counted; nor is a label whose truth is missing.
    """
    columns = asked_next(dataset.schema, "boolean")
    true, count = np.zeros((2, 2, len(columns)))
    for rows, first, stop in steps(dataset, columns, FITTED, after=1):
        last, now = _pairs(rows, first, stop)
        for place, here in enumerate((last != 1, last == 1)):
            known = here & ~np.isnan(now)
            true[place] += (known & (now == 1)).sum(axis=0)
            count[place] += known.sum(axis=0)
    marginal = share(true.sum(axis=0), count.sum(axis=0))
    without, with_it = share(true, count)
    nats, frames = {"marginal": 0.0, "first-order chain": 0.0}, 0
    for rows, first, stop in steps(dataset, columns, TEST, after=1):
        last, now = _pairs(rows, first, stop)
        after = np.where(last == 1, with_it, without)
        nats["marginal"] += cross_entropy(marginal, now)
        nats["first-order chain"] += cross_entropy(after, now)
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


def share(true: Any, count: Any) -> Floats:
    """Return the share of what is true, one added to both counts (Laplace)."""
    return (true + 1) / (count + 2)


def cross_entropy(probability: Floats, truth: Floats) -> float:
    """Return the sum of binary cross-entropies in nats; NaN: nobody knows, none.

    Parameters
    ----------
    probability
        Of each label, in the shape of `truth`, or one that is broadcast to it.
    truth
        `(n, K)`, 0 or 1.
    """
    right = np.where(truth == 1, probability, 1 - probability)
    return float(-np.log(right)[~np.isnan(truth)].sum())
