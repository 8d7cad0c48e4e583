"""Memory: how far back error reaches, and how far back an answer needs to look."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from throughtime.diagnose.lags import Floats
from throughtime.diagnose.thresholds import (
    HORIZON,
    NEGLIGIBLE_GAIN,
    WASTEFUL,
    WASTEFUL_WINDOW,
)

Window = Literal["too short", "enough", "wasteful", "unknown"]
LossAt = Callable[[int], tuple[Floats, Floats]]
"""Of a history of so many steps: each sequence's mean loss with no more than that, and
with all of it, over the same answers, ``(n,)`` each; none, if no answer has so much."""


def horizon(
    lags: Sequence[int], norms: Floats, threshold: float = HORIZON
) -> float | None:
    """The lag at which a gradient falls below a share of that at lag 0, for good.

    Parameters
    ----------
    lags
        The K lags, rising from 0.
    norms
        The gradient's norm at each, ``(K,)``; NaN is left out.
    threshold
        The share.

    Returns
    -------
    float or None
        Between two lags by a straight line through the logarithms. None: it has not
        fallen so far at the last lag, or there is no gradient at all.
    """
    known = np.isfinite(norms)
    places, heights = np.asarray(lags, float)[known], norms[known]
    if not len(heights) or places[0] != 0 or heights[0] <= 0:
        return None
    relative = heights / heights[0]
    above = np.flatnonzero(relative >= threshold)
    last = int(above[-1])
    if last == len(places) - 1:
        return None
    high, low = math.log(relative[last]), math.log(max(relative[last + 1], 1e-300))
    share = (high - math.log(threshold)) / (high - low)
    return float(places[last] + share * (places[last + 1] - places[last]))


class Cut(NamedTuple):
    """What answers lose that see no more than so many steps before their own.

    `low` and `high` are the loss with all of the history, plus the 95 % interval of the
    difference between the two, paired over sequences (Student's t).
    """

    history: int
    loss: float
    low: float
    high: float


@dataclass(frozen=True)
class Needed:
    """The history that answers make use of.

    Parameters
    ----------
    steps
        The fewest steps before an answer's own with which, and with all more that were
        tried, the loss is within noise of the full one; None: more than were tried.
    full_loss
        The loss with all of the history.
    curve
        What was tried, by history.
    """

    steps: int | None
    full_loss: float
    curve: tuple[Cut, ...]


def needed_history(loss_at: LossAt, longest: int) -> Needed:
    """Find how much history answers need, by cutting it shorter and shorter.

    Histories of 0, 1, 2, 4, … steps are tried, then what lies between the last that is
    too short and the first that is enough, to within a twentieth. A loss is within
    noise of the full one where the 95 % interval of the difference reaches down to 0,
    or where the difference is less than 1 % of what history brings at all.

    Parameters
    ----------
    loss_at
        Runs the model.
    longest
        The longest history to try.
    """
    tried: dict[int, Cut] = {}
    full = math.nan

    def attempt(history: int) -> None:
        nonlocal full
        short, whole = loss_at(history)
        if math.isnan(full) and len(whole):
            full = float(whole.mean())
        if len(whole):
            tried[history] = _paired(history, short - whole, full)

    def fails(history: int) -> bool:
        found = tried.get(history)
        if found is None:
            return False
        return found.low > full and found.loss - full > NEGLIGIBLE_GAIN * worst

    powers = [2**k for k in range(longest.bit_length()) if 2**k < longest]
    for history in sorted({0, *powers, longest}):
        attempt(history)
    curve = sorted(tried)
    worst = tried[curve[0]].loss - full
    low = max(filter(fails, curve), default=-1)
    if low == curve[-1]:
        return Needed(None, full, _curve(tried))
    high = min(history for history in curve if history > low)
    while high - low > max(1, high // 20):
        middle = (low + high) // 2
        attempt(middle)
        low, high = (middle, high) if fails(middle) else (low, middle)
    return Needed(high, full, _curve(tried))


def _paired(history: int, differences: Floats, full: float) -> Cut:
    count = len(differences)
    more = float(differences.mean())
    reach = math.inf
    if count > 1:
        error = float(differences.std(ddof=1)) / math.sqrt(count)
        reach = float(stats.t.ppf(0.975, count - 1)) * error
    return Cut(history, full + more, full + more - reach, full + more + reach)


def _curve(tried: dict[int, Cut]) -> tuple[Cut, ...]:
    return tuple(tried[history] for history in sorted(tried))


def judge_window(window: int | None, needed: int | None, *, learned: bool) -> Window:
    """Say whether error flows back as far as answers look, and no further than that.

    Parameters
    ----------
    window
        The steps that error flows back in training; None: through whole sequences.
    needed
        The history that the answers make use of; None: more than was tried.
    learned
        Whether the model knows anything: of one that does not, nobody knows what it
        would need.

    Returns
    -------
    str
        ``"too short"``: answers use what lies at the window's edge, or further back.
        ``"wasteful"``: they use less than a quarter of a window of more than 16 steps.
    """
    if not learned:
        return "unknown"
    if window is None:
        return "enough"
    # Of a window of W steps the last one looks back over W − 1.
    if needed is None or needed >= window - 1:
        return "too short"
    if window > WASTEFUL_WINDOW and needed + 1 < WASTEFUL * window:
        return "wasteful"
    return "enough"
