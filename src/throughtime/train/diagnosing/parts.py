"""The parts of a diagnosis that are measured inside the recurrent layers."""

import numpy as np
import numpy.typing as npt
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
    lags_of,
    mean,
)
from throughtime.diagnose.memory import horizon, judge_window, needed_history
from throughtime.diagnose.thresholds import HORIZON
from throughtime.graph.names import value_names
from throughtime.nn import watch
from throughtime.train.diagnosing.looking import Look

MOST_STEPS = 200
"""Lists by step are thinned to so many."""


def watched(look: Look) -> tuple[Flow, list[Saturation]]:
    """Watch the backward pass of the loss of all answers.

    It says ``‖∂L/∂s_t‖`` of every state, and what is saturated.
    """
    network = look.model.network
    with watch(network) as watching, torch.enable_grad():
        loss = look.mean_loss()
    (call,) = watching.calls
    call.report(loss)
    alive = call.alive.cpu().numpy()
    steps = evenly(len(alive))
    layers: list[FlowOfLayer] = []
    for key, norms in call.norms.items():
        each = _living(norms, alive)[steps]
        low, median, high = (quantile(each, q) for q in (0.1, 0.5, 0.9))
        layers.append(FlowOfLayer(*key, median, low, high))
    functions = call.functions()
    saturated = [
        _saturation(key, functions[key], _living(shares, alive))
        for key, shares in call.saturation.items()
    ]
    return Flow(steps, layers), saturated


def _living(values: Tensor, alive: npt.NDArray[np.bool_]) -> Floats:
    return np.where(alive, values.double().cpu().numpy(), np.nan)


def _saturation(where: Key, function: str, each: Floats) -> Saturation:
    steps = mean(each, 1)[evenly(len(each))]
    share = float(mean(each.reshape(1, -1), 1)[0])
    return Saturation(*where, function, share, steps.tolist())


def gradients(look: Look, lags: int | None) -> GradientsByLag:
    """Measure how much of the error of single steps reaches those before."""
    return lags_of(look.model.network, look.answer, counts=look.counts, lags=lags)


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
def dead_units(look: Look) -> list[Dead]:
    """Say which units of a ReLU are 0 at every step of every sequence."""
    network = look.model.network
    nodes = [
        (layer, name)
        for layer, graph in enumerate(network.graphs)
        for name, index in value_names(graph).items()
        if graph.nodes[index].operation == "relu"
    ]
    if not nodes:
        return []
    dead: list[Dead] = []
    for (layer, direction, name), value in look.values().items():
        if (layer, name) in nodes:  # behind the end of a sequence values are 0
            active = (value > 0).flatten(0, 1).any(0)
            units = len(active)
            count = units - int(active.sum())
            dead.append(Dead(layer, direction, name, units, count))
    return dead


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
