"""The parts of a diagnosis that are measured inside the recurrent layers."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from throughtime.diagnose import GradientFlow
from throughtime.diagnose.diagnosis import (
    Dead,
    Flow,
    FlowOfLayer,
    Horizon,
    Lags,
    LagsOfLayer,
    Memory,
    Saturation,
)
from throughtime.diagnose.lags import (
    Floats,
    GradientsByLag,
    lags_of,
    mean,
)
from throughtime.diagnose.memory import horizon, judge_window, needed_history
from throughtime.diagnose.thresholds import HORIZON
from throughtime.train.diagnosing.looking import Look

MOST_STEPS = 200
"""Lists by step are thinned to so many."""


def flow(found: GradientFlow) -> Flow | None:
    """Say how much of the error of all answers reaches each step, if any does."""
    if not found.norms:
        return None
    steps = evenly(len(found.alive))
    layers: list[FlowOfLayer] = []
    for key, norms in found.norms.items():
        each = _living(norms, found)[steps]
        low, median, high = (quantile(each, q) for q in (0.1, 0.5, 0.9))
        layers.append(FlowOfLayer(*key, median, low, high))
    return Flow(steps, layers)


def saturation(found: GradientFlow) -> list[Saturation]:
    """Say what share of each sigmoid and tanh is saturated."""
    parts: list[Saturation] = []
    for key, shares in found.saturation.items():
        each = _living(shares, found)
        steps = mean(each, 1)[evenly(len(each))]
        share = float(mean(each.reshape(1, -1), 1)[0])
        parts.append(Saturation(*key, found.functions[key], share, steps.tolist()))
    return parts


def dead(found: GradientFlow) -> list[Dead]:
    """Say which units of a ReLU are 0 at every step of every sequence."""
    return [
        Dead(*key, len(units), int(units.sum())) for key, units in found.dead.items()
    ]


def _living(values: npt.NDArray[np.floating], found: GradientFlow) -> Floats:
    return np.where(found.alive, values.astype(np.float64), np.nan)


def gradients(look: Look, lags: int | None) -> GradientsByLag:
    """Measure how much of the error of single steps reaches those before."""
    return lags_of(look.model.recurrent, look.answer, counts=look.counts, lags=lags)


def lags_part(found: GradientsByLag) -> Lags:
    """Say what was measured by lag."""
    means, by_step = found.means(), found.by_step()
    layers = [
        LagsOfLayer(*key, means[key].tolist(), by_step[key].tolist())
        for key in found.norms
    ]
    return Lags(list(found.sampled), list(found.lags), layers)


def horizons(found: GradientsByLag) -> list[Horizon]:
    """Say how far error reaches in each layer."""
    return [
        Horizon(*key, horizon(found.lags, norms), HORIZON)
        for key, norms in found.means().items()
    ]


def memory(
    look: Look, layers: list[Horizon], window: int | None, *, learned: bool
) -> Memory:
    """Say how far back answers look, beside how far error flows back in training."""
    reason = _uncuttable(look)
    if reason is not None:
        verdict = judge_window(None, None, learned=False)
        return Memory(layers, None, [], None, "cut", window, verdict, reason)
    full = look.answer().detach()
    found = needed_history(lambda history: _cut(look, full, history), _longest(look))
    return Memory(
        layers,
        found.steps if learned else None,
        [one._asdict() for one in found.curve],
        found.full_loss,
        "cut",
        window,
        judge_window(window, found.steps, learned=learned),
        None if learned else "it did not learn, so that no history is of use to it",
    )


def _uncuttable(look: Look) -> str | None:
    """Say why the history of an answer cannot be cut; None: it can."""
    network, pooling = look.model.recurrent, look.model.pooling
    if not network.state_names:
        return "the cell has no state"
    if network.bidirectional:
        return "a bidirectional network reads both what was and what comes"
    if pooling not in (None, "last"):
        return f"the answer is the {pooling} over all steps, which all reach it"
    if look.steps < 2:
        return "sequences have one step"
    return None


def _longest(look: Look) -> int:
    """The longest history that the answers of some sequences have."""
    last = look.lengths - 1
    if look.per_step:
        counts = look.counts.cpu().numpy()
        last = np.where(counts, np.arange(len(counts))[:, None], 0).max(0)
    return max(int(np.sort(last)[::-1][min(8, len(last) // 2)]), 1)


@torch.no_grad()
def _cut(look: Look, full: Tensor, history: int) -> tuple[Floats, Floats]:
    """Losses with so much history, and with all, by sequence.

    Of answers per step those are compared that are just so many steps behind a cut:
    cuts follow each other as closely as that allows.
    """
    steps = torch.arange(look.steps)[:, None]
    if look.per_step:
        resets = (steps % (history + 1) == 0).expand(-1, len(look.lengths))
        compared = (steps % (history + 1) == history).to(full.device)
    else:
        resets = steps == look.sample.lengths - 1 - history
        compared = torch.ones_like(look.counts)
    there = look.counts & compared
    short = look.answer(resets.to(full.device))
    return look.by_sequence(short, there), look.by_sequence(full, there)


def evenly(count: int, most: int = MOST_STEPS) -> list[int]:
    """The numbers below ``count``, or ``most`` of them, evenly spread."""
    chosen = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return chosen.tolist()


def quantile(values: Floats, share: float) -> list[float]:
    """A quantile over the rows ``(T, B)`` that are there, ``(T,)``."""
    there = ~np.isnan(values).all(1)
    found = np.full(len(values), np.nan)
    found[there] = np.nanquantile(values[there], share, axis=1)
    return found.tolist()
