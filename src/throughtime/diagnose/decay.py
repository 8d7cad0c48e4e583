"""How fast error decays with its lag."""

import math

import torch
from torch import Tensor

# Of log φ: what is smaller is rounding, or a gradient that was exactly 0.
NEGLIGIBLE = -50.0


def decay(norms: Tensor) -> float:
    """β, from the slope of log φ ``(k,)`` over all lags; 0 where nothing is left.

    φ is the norm of a gradient at the lags 1, 2, … or any that follow each other
    (Aicher, Foti and Fox 2019).
    """
    logs = norms.clamp(min=1e-100).log()
    known = logs >= NEGLIGIBLE
    lags, heights = torch.arange(len(logs), dtype=logs.dtype)[known], logs[known]
    if len(lags) < 2:
        return 0.0
    lags, heights = lags - lags.mean(), heights - heights.mean()
    return math.exp(float((lags * heights).sum() / lags.square().sum()))
