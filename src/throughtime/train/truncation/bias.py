"""How much a truncated gradient is off, from how error decays with its lag.

After Aicher, Foti and Fox (2019). ``φ_k`` is the mean norm of ``∂L_s/∂h_{s−k}``, and
``ĝ_k`` the sum of these gradients over the lags 1 to k: up to a common factor, which
cancels, what a gradient is that stops there. Beyond the lag τ error is taken to decay
by ``β`` a lag, the slope of a line through ``log φ`` (`diagnose.decay`)::

    E(k) = Σ_{k < j < τ} φ_j + φ_τ / (1 − β)     k < τ, else φ_τ β^(k − τ) / (1 − β)
    δ(k) = E(k) / max_j (‖ĝ_j‖ − E(j))

bounds the bias of a gradient that stops after lag k, relative to its norm. It needs
k + 1 steps: that of the loss, and one for each lag.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from throughtime.diagnose.decay import decay
from throughtime.train.truncation.window import Window


def relative_bias(norms: Tensor, cumulative: Tensor, tau: int) -> Tensor:
    """δ(k) for k = 1, 2, …, as far as lags were measured.

    Parameters
    ----------
    norms
        φ_k for k = 1, 2, …, float64.
    cumulative
        ‖ĝ_k‖ for the same lags.
    tau
        τ, one of them.

    Returns
    -------
    bias
        As many; infinite where error does not decay, or where nothing is known of the
        gradient's norm.
    """
    beta = decay(norms)
    if beta >= 1:
        return torch.full_like(norms, torch.inf)
    lags = torch.arange(1, len(norms) + 1)
    error = beta ** (lags - tau).clamp(min=0).to(norms.dtype)
    error *= norms[tau - 1] / (1 - beta)
    after = norms[: tau - 1].flip(0).cumsum(0).flip(0)  # Σ from a lag to before τ
    error[: tau - 2] += after[1:]
    least = (cumulative - error).max()
    if least <= 0:
        return torch.full_like(norms, torch.inf)
    return error / least


def steps_needed(bias: Tensor, most: float, longest: int) -> int:
    """The fewest steps whose gradient has at most such a relative bias.

    ``longest`` at most, and where no lag that was measured is enough.
    """
    enough = (bias <= most).nonzero()
    return min(int(enough[0]) + 2, longest) if len(enough) else longest


class LagGradients(NamedTuple):
    """φ and ‖ĝ‖ for the lags 1, 2, …, float64 on the CPU."""

    norms: Tensor
    cumulative: Tensor


def lag_gradients(window: Window, losses: Tensor, samples: int) -> LagGradients:
    """Measure them in a window that was run step by step.

    ``losses`` ``(N, B)`` are those of its newest steps; as many of the last as
    ``samples`` says are looked at, in every row that has them.
    """
    steps = len(window.inputs)
    samples = min(samples, window.steps)
    norms, sums, rows = 0.0, 0.0, 0
    for step in range(steps - samples, steps):
        counts = window.counts[step - steps]
        if not counts.any():
            continue
        gradients = _of_states(window, losses[step - steps][counts].sum(), step)
        # Of as many lags as the first of the sampled losses has.
        vectors = gradients[: steps - samples, counts].double().cpu()
        norms = norms + vectors.norm(dim=2).sum(1)
        sums = sums + vectors.sum(1)
        rows += len(vectors[0])
    if not isinstance(norms, Tensor) or not isinstance(sums, Tensor):
        return LagGradients(torch.zeros(0), torch.zeros(0))
    return LagGradients(norms / rows, sums.cumsum(0).norm(dim=1) / rows)


def _of_states(window: Window, loss: Tensor, step: int) -> Tensor:
    """Gradients of a step's loss at all states before it, ``(lags, B, Σ L·n)``."""
    states = [window.ends[before] for before in range(step, 0, -1)]
    flat = [value for values in states for value in values]
    found = torch.autograd.grad(loss, flat, retain_graph=True, materialize_grads=True)
    each = len(states[0])
    return torch.stack(
        [
            torch.cat([g.transpose(0, 1).flatten(1) for g in found[k : k + each]], 1)
            for k in range(0, len(found), each)
        ]
    )
