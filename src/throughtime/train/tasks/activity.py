"""A penalty on activity: Σ|h|, so that training leaves more units near 0, or at it.

As used for rectifier networks (Glorot, Bordes & Bengio, 'Deep sparse rectifier neural
networks', AISTATS 2011).
"""

from collections.abc import Iterable

import torch
from torch import Tensor


def activity(layers: Iterable[Tensor]) -> Tensor:
    """Add up the magnitudes of all units of all layers, ``(T, B, n)``: ``(T, B)``."""
    sums = [layer.abs().sum(-1) for layer in layers]
    return torch.stack(sums).sum(0)


def penalty(factor: float, active: Tensor, alive: Tensor, shares: Tensor) -> Tensor:
    """Give what each answer's activity adds to its loss.

    It is the mean activity of the steps of its row, so that the steps of a sequence
    weigh the same whether one of them has an answer or all.

    Parameters
    ----------
    factor
        λ.
    active
        ``(T, B)``, as `activity` gives it.
    alive
        ``(T, B)``, which steps there are.
    shares
        ``(B,)`` or ``(T, B)``, how much each answer counts; 0 where there is none.
    """
    total, steps = active.where(alive, 0).sum(0), alive.sum(0).clamp(min=1)
    return factor * (total / steps) * shares
