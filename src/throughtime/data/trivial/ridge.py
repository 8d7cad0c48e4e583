"""Least squares on means and deviations: what is known without the order of steps."""

from typing import Final

import numpy as np

from throughtime.data.trivial.counted import Floats, Summaries

KINDS: Final = {
    "ridge on the mean": ("mean",),
    "ridge on mean and deviation": ("mean", "deviation"),
}
_PENALTY = 1.0


def ridge(fitted: Summaries, test: Summaries, method: str, goals: Floats) -> Floats:
    """Answer each test sequence, after least squares on the others.

    Parameters
    ----------
    fitted, test
        The sequences.
    method
        One of `KINDS`.
    goals
        `(n, K)`, what the fitted sequences should give; NaN: nobody knows.

    Returns
    -------
    numpy.ndarray
        `(m, K)`.
    """
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


def _answer(known: Floats, asked: Floats, goal: Floats) -> Floats:
    rows = ~np.isnan(goal)
    inputs, outputs = known[rows], goal[rows]
    middle, level = inputs.mean(axis=0), outputs.mean()
    inputs = inputs - middle
    gram = inputs.T @ inputs + _PENALTY * np.eye(inputs.shape[1])
    weights = np.linalg.solve(gram, inputs.T @ (outputs - level))
    return (asked - middle) @ weights + level
