"""The parts of a diagnosis that are measured inside the recurrent layers."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

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
    Key,
    capturing,
    lags_of,
    mean,
    state_norms,
)
from throughtime.diagnose.memory import horizon, judge_window, needed_history
from throughtime.diagnose.thresholds import HORIZON, SATURATED
from throughtime.graph.names import value_names
from throughtime.train.diagnosing.looking import Look

MOST_STEPS = 200
"""Lists by step are thinned to so many."""


def flow(look: Look) -> Flow:
    """Measure ``‖∂L/∂s_t‖`` of the loss of all answers, for every state."""
    with capturing(look.model.network) as calls, torch.enable_grad():
        loss = look.mean_loss()
    steps = evenly(look.steps)
    alive = np.arange(look.steps)[:, None] < look.lengths
    layers: list[FlowOfLayer] = []
    for (layer, direction, state), norms in state_norms(calls[0], loss).items():
        each = np.where(alive, norms, np.nan)[steps]
        low, median, high = (quantile(each, q) for q in (0.1, 0.5, 0.9))
        layers.append(FlowOfLayer(layer, direction, state, median, low, high))
    return Flow(steps, layers)


def gradients(look: Look, lags: int | None) -> GradientsByLag:
    """Measure how much of the error of single steps reaches those before."""
    return lags_of(look.model.network, look.answer, lags=lags)


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


@torch.no_grad()
def activations(look: Look) -> tuple[list[Saturation], list[Dead]]:
    """Say what sigmoids and tanhs are saturated, and which units of a ReLU are dead."""
    network, sample = look.model.network, look.sample
    with capturing(network) as calls:
        look.answer()
    call = calls[0]
    given = {name: one for name, one in call.options.items() if "return" not in name}
    _, _, values = network(call.input, call.state, return_all=True, **given)
    steps = torch.arange(look.steps)[:, None]
    alive = (steps < sample.lengths).to(look.counts.device)
    saturated: list[Saturation] = []
    dead: list[Dead] = []
    for (layer, direction, name), value in values.items():
        graph = network.graphs[layer]
        function = graph.nodes[value_names(graph)[name]].operation
        where = layer, direction, name
        if function in _LIMITS:
            saturated.append(_saturation(where, function, value, alive))
        elif function == "relu":
            active = (value.where(alive[..., None], 0) > 0).flatten(0, 1).any(0)
            units = len(active)
            dead.append(Dead(*where, units, units - int(active.sum())))
    return saturated, dead


_LIMITS: Mapping[str, tuple[float, float]] = {
    "sigmoid": (SATURATED, 1 - SATURATED),
    "tanh": (SATURATED - 1, 1 - SATURATED),
}


def _saturation(where: Key, function: str, value: Tensor, alive: Tensor) -> Saturation:
    low, high = _LIMITS[function]
    there = ((value < low) | (value > high)).double().mean(-1).cpu().numpy()
    each = np.where(alive.cpu().numpy(), there, np.nan)
    steps = mean(each, 1)[evenly(len(each))]
    share = float(mean(each.reshape(1, -1), 1)[0])
    return Saturation(*where, function, share, steps.tolist())


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
        found.steps,
        [one._asdict() for one in found.curve],
        found.full_loss,
        "cut",
        window,
        judge_window(window, found.steps, learned=learned),
    )


def _uncuttable(look: Look) -> str | None:
    """Say why the history of an answer cannot be cut; None: it can."""
    network, pooling = look.model.network, look.model.pooling
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
    """The longest history that some sequences have."""
    lengths = np.sort(look.lengths)[::-1]
    return max(int(lengths[min(8, len(lengths) // 2)]) - 1, 1)


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
