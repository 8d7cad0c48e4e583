"""Gradients by lag: how much of the error of a step reaches the states before it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from throughtime.errors import (
    BadLags,
    CalledSeveralTimes,
    LossNotPerAnswer,
    NothingWatched,
)
from throughtime.nn import watch
from throughtime.nn.finding import recurrent_module
from throughtime.nn.layers import Layers

Key = tuple[int, int, str]
"""Layer, direction, and name of a state."""
Floats = npt.NDArray[np.float64]

LAST = -1
"""Stands for the last step of each sequence among the steps that are looked at."""

_MOST_LAGS = 200


@dataclass(frozen=True, eq=False)
class GradientsByLag:
    """How much of the error of some steps reaches the states before them.

    Parameters
    ----------
    sampled
        The S steps whose losses were looked at; −1 is the last one of each sequence.
    lags
        The K lags.
    norms
        ``(layer, direction, state) -> (S, K, B)``: ``‖∂L_t/∂s_{t−k}‖``, the total
        derivative by the new state of a step. NaN where there is no such step, or no
        such answer. The reverse direction reads from the end: there it is
        ``‖∂L_t/∂s_{t+k}‖``.
    seconds
        What the pass took.
    """

    sampled: tuple[int, ...]
    lags: tuple[int, ...]
    norms: Mapping[Key, Floats]
    seconds: float

    def by_step(self) -> dict[Key, Floats]:
        """Mean over the rows that have such a step, ``(S, K)``; NaN where none has."""
        return {key: mean(norms, 2) for key, norms in self.norms.items()}

    def means(self) -> dict[Key, Floats]:
        """Mean over sampled steps and rows, ``(K,)``; NaN where there are none."""
        flat = {key: norms.transpose(1, 0, 2) for key, norms in self.norms.items()}
        return {
            key: mean(norms.reshape(len(norms), -1), 1) for key, norms in flat.items()
        }


def mean(values: Floats, axis: int) -> Floats:
    """Mean of the numbers that are not NaN; NaN where there are none."""
    there = ~np.isnan(values)
    count = there.sum(axis)
    total = np.where(there, values, 0.0).sum(axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def gradients_by_lag(
    model: nn.Module,
    inputs: Any,
    targets: Any,
    loss: Callable[[Any, Any], Tensor],
    *,
    samples: int | Sequence[int] = 8,
    lags: int | Sequence[int] | None = None,
) -> GradientsByLag:
    """Measure ``‖∂L_t/∂s_{t−k}‖`` of the loss of single steps, for every state.

    A backward pass for each sampled step, of the loss of that step alone; the model is
    in evaluation mode meanwhile, and gradients of weights stay as they are. The
    derivative is the total one by the new state at a step: an LSTM's ``c`` acts through
    ``h`` of the same step, too.

    Parameters
    ----------
    model
        A module with one recurrent module of `throughtime.nn` in it.
    inputs
        What it is called with; sequences ``(T, B, F)`` where it is recurrent itself.
    targets
        What the loss compares its answers with.
    loss
        Called with what the model gives, of a tuple its first, and the targets; gives
        the loss of each answer: ``(T, B)``, or ``(B,)`` where a sequence has one
        answer, which stands at its last step. In the form of the recurrent module:
        ``(B, T)`` with ``batch_first``, ``(T,)`` or one number for one sequence.
    samples
        How many steps to look at, evenly spread up to the last one, or which.
    lags
        The largest lag, or which; None: all there are, thinned to 200.

    Returns
    -------
    GradientsByLag

    Raises
    ------
    NoRecurrentModule, SeveralRecurrentModules
        The model has no recurrent module, or more than one.
    CalledSeveralTimes, NothingWatched
        The model did not call it exactly once, or its cell has no state.
    LossNotPerAnswer
        The loss is not one number per answer.
    BadLags
        A step or lag is not there.
    """
    _, network = recurrent_module("gradients_by_lag", model)

    def answer() -> Tensor:
        given = model(inputs)
        return loss(given[0] if isinstance(given, tuple) else given, targets)

    with evaluating(model):
        return lags_of(network, answer, samples=samples, lags=lags)


def lags_of(
    network: Layers,
    answer: Callable[[], Tensor],
    *,
    counts: Tensor | None = None,
    samples: int | Sequence[int] = 8,
    lags: int | Sequence[int] | None = None,
) -> GradientsByLag:
    """Do so for the losses of what ``answer`` runs, which calls the network once.

    ``counts`` says which answers there are, shaped like the losses; None: all that lie
    within a sequence.
    """
    start = time.perf_counter()
    with watch(network) as watching, torch.enable_grad():
        losses = answer()
    if len(watching.calls) > 1:
        raise CalledSeveralTimes(call="gradients_by_lag", count=len(watching.calls))
    if not watching.calls:
        raise NothingWatched
    (call,) = watching.calls
    steps, size = call.alive.shape
    lengths = call.alive.sum(0).cpu().numpy()
    losses = _in_time_order(losses, steps, size, network.batch_first)
    there = torch.ones_like(losses, dtype=torch.bool)
    if counts is not None:
        there = _in_time_order(counts, steps, size, network.batch_first)
    sampled, chosen = _sampled(samples, there, steps), _lags(lags, steps)
    shape = len(sampled), len(chosen), size
    found: dict[Key, Floats] = {}
    for place, step in enumerate(sampled):
        call.report(losses.sum() if step == LAST else losses[step].sum())
        for key, norms in call.norms.items():
            own = norms.double().cpu().numpy()
            answers = (there if step == LAST else there[step]).cpu().numpy()
            whole = found.setdefault(key, np.full(shape, np.nan))
            whole[place] = np.where(
                answers, _by_lag(own, step, chosen, lengths, key[1]), np.nan
            )
    return GradientsByLag(
        tuple(sampled), tuple(chosen), found, time.perf_counter() - start
    )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Let a model be in evaluation mode for a while."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def thinned(count: int, most: int = _MOST_LAGS) -> list[int]:
    """The numbers below ``count``, or ``most`` of them: denser where they are small."""
    if count <= most:
        return list(range(count))
    dense = most // 2
    spread = np.geomspace(dense, count - 1, most - dense).round().astype(int)
    return sorted({*range(dense), *spread.tolist()})


def _in_time_order(losses: Tensor, steps: int, size: int, batch_first: bool) -> Tensor:
    """Losses as ``(T, B)``, or ``(B,)`` for answers per sequence."""
    given = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
    of_steps = (size, steps) if batch_first else (steps, size)
    if given == of_steps:
        return losses.T if batch_first else losses
    if size == 1 and given == (steps,):  # one sequence may come without an axis for it
        return losses[:, None]
    if given == (size,) or (size == 1 and given == ()):
        return losses.reshape(size)
    raise LossNotPerAnswer(given=given, steps=of_steps, sequences=(size,))


def _sampled(samples: int | Sequence[int], there: Tensor, steps: int) -> list[int]:
    """The steps to look at, rising; −1 where a sequence has one answer."""
    if there.dim() == 1:
        return [LAST]
    if isinstance(samples, int):
        _check(samples >= 1, "samples", samples, "at least 1, or steps")
        answered = np.flatnonzero(there.any(1).cpu().numpy())
        if not len(answered):
            answered = np.arange(steps)
        spread = np.arange(1, samples + 1) * len(answered) / samples
        places = sorted({max(int(np.ceil(one)) - 1, 0) for one in spread})
        return answered[places].tolist()
    chosen = sorted(set(samples))
    inside = bool(chosen) and chosen[0] >= 0 and chosen[-1] < steps
    _check(inside, "samples", samples, f"steps from 0 to {steps - 1}")
    return chosen


def _lags(lags: int | Sequence[int] | None, steps: int) -> list[int]:
    if lags is None:
        return thinned(steps)
    if isinstance(lags, int):
        _check(lags >= 0, "lags", lags, "at least 0, or lags")
        return thinned(min(lags + 1, steps))
    chosen = sorted(set(lags))
    inside = bool(chosen) and chosen[0] >= 0 and chosen[-1] < steps
    _check(inside, "lags", lags, f"lags from 0 to {steps - 1}")
    return chosen


def _check(fine: bool, argument: str, given: object, expected: str) -> None:
    if not fine:
        raise BadLags(argument=argument, given=given, expected=expected)


def _by_lag(
    norms: Floats,
    step: int,
    lags: Sequence[int],
    lengths: npt.NDArray[np.int64],
    direction: int,
) -> Floats:
    """Norms ``(T, B)`` at each lag from a step, ``(K, B)``."""
    rows, lag = np.arange(len(lengths)), np.asarray(lags)[:, None]
    at = lengths - 1 if step == LAST else np.full(len(lengths), step)
    there = (at >= 0) & (at < lengths)
    if direction:  # of one answer, what it has read last is its first step
        places = lag if step == LAST else at + lag
        inside = there & (places < lengths)
    else:
        places = at - lag
        inside = there & (places >= 0)
    found = norms[np.where(inside, places, 0), rows]
    return np.where(inside, found, np.nan)
