"""Small sequences of different lengths, and estimators that learn them in a moment."""

from typing import Any

import numpy as np

from throughtime.estimators.sequences import Array

SETTINGS: dict[str, Any] = {
    "hidden_size": 6,
    "epochs": 4,
    "learning_rate": 0.03,
    "batch_size": 16,
    "threads": 1,
    "random_state": 0,
}


def sequences(count: int = 60, features: int = 2, seed: int = 0) -> list[Array]:
    """N arrays `(T_i, F)`, T_i from 1 to 8."""
    draw = np.random.default_rng(seed)
    return [draw.normal(size=(int(n), features)) for n in draw.integers(1, 9, count)]


def signs(X: list[Array]) -> Array:
    """The sign of the last step's first feature, in words."""
    return np.array(["above" if one[-1, 0] > 0 else "below" for one in X])
