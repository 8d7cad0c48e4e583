"""Least squares on means and deviations: what is known without the order of steps."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from throughtime.data.trivial.counted import Floats, Summaries

KINDS: Final = {
    "ridge on the mean": ("mean",),
    "ridge on mean and deviation": ("mean", "deviation"),
}
ON_ITEMS: Final = "ridge on the items"
_PENALTY = 1.0
# More would take minutes, and predict no better.
_CLOSE = 1e-2


def methods(fitted: Summaries) -> Sequence[str]:
    """Return the methods there are for what the steps hold."""
    return list(KINDS) if fitted.items is None else [ON_ITEMS]


def ridge(fitted: Summaries, test: Summaries, method: str, goals: Floats) -> Floats:
    """Answer each test sequence, after least squares on the others.

    Parameters
    ----------
    fitted, test
        The sequences.
    method
        One of `methods`.
    goals
        `(n, K)`, what the fitted sequences should give; NaN: nobody knows.

    Returns
    -------
    numpy.ndarray
        `(m, K)`.
    """
    if method == ON_ITEMS:
        return _on_items(fitted, test, goals)
    known, asked = (
        np.hstack([getattr(one, kind) for kind in KINDS[method]])
        for one in (fitted, test)
    )
    present = ~np.isnan(known)
    count = np.maximum(present.sum(axis=0), 1)
    level = np.where(present, known, 0.0).sum(axis=0) / count
    spread = np.where(present, known - level, 0.0)
    scale = np.sqrt((spread**2).sum(axis=0) / count)
    # What does not vary, or is missing, says nothing: 0, as the mean.
    scale = np.where(scale > 0, scale, np.inf)
    known, asked = (np.nan_to_num((one - level) / scale) for one in (known, asked))
    columns = [_answer(known, asked, goal) for goal in goals.T]
    return np.stack(columns, axis=1)


def _on_items(fitted: Summaries, test: Summaries, goals: Floats) -> Floats:
    """Answer from how often each item is named, of very many ones."""
    # Loaded here: it takes a moment that reading data can do without.
    from sklearn.linear_model import Ridge

    assert fitted.items is not None
    answers: list[Floats] = []
    for goal in goals.T:
        rows = np.flatnonzero(~np.isnan(goal))
        model = Ridge(_PENALTY, solver="lsqr", tol=_CLOSE)
        model.fit(fitted.items[rows], goal[rows])
        answers.append(model.predict(test.items))
    return np.stack(answers, axis=1)


def _answer(known: Floats, asked: Floats, goal: Floats) -> Floats:
    rows = ~np.isnan(goal)
    inputs, outputs = known[rows], goal[rows]
    middle, level = inputs.mean(axis=0), outputs.mean()
    inputs = inputs - middle
    gram = inputs.T @ inputs + _PENALTY * np.eye(inputs.shape[1])
    weights = np.linalg.solve(gram, inputs.T @ (outputs - level))
    return (asked - middle) @ weights + level
