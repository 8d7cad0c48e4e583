"""The verdict: what was decided, by which test, and what not, in few sentences."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from throughtime.bench.comparing.history import History
from throughtime.bench.comparing.networks import WINDOW
from throughtime.bench.comparing.pairing import Compared
from throughtime.train.showing.progress import words


class Gain(NamedTuple):
    """What the network is better by than a model that knows no order.

    `over` is that model, and what it sees; `whole` the gain with the whole history,
    `near` that with the last `steps` steps alone, all of the same answers; `shown` says
    whether a test decided that there is any.
    """

    over: str
    whole: float
    near: float
    steps: int
    shown: bool = True


def gain_of(
    past: History, over: str, value: float, higher: bool, shown: bool = True
) -> Gain:
    """Split a gain in what near steps give and what needs more of them.

    Parameters
    ----------
    past
        The network's metric by its history.
    over, value
        The model that knows no order, what it sees, and its metric for the same
        answers.
    higher
        Whether more of the metric is better.
    shown
        Whether a test decided that the network is better than that model.
    """
    place = max(at for at, k in enumerate(past.steps) if k <= WINDOW)
    sign = 1 if higher else -1
    near = sign * (past.values[place] - value)
    return Gain(over, sign * (past.whole - value), near, past.steps[place], shown)


def sentence(
    network: str,
    baseline: str,
    *,
    metric: str,
    higher: bool,
    compared: Compared,
    gain: Gain | None,
    seconds: float,
    time_up: Sequence[str] = (),
) -> str:
    """Say whether the recurrent network is needed.

    The first sentence names decision, effect, interval, test and correction; those
    behind it the time, and what the network's history is worth.

    Parameters
    ----------
    network, baseline
        The best recurrent network and the best other model, on validation data.
    metric, higher
        What both are compared in, and whether more of it is better.
    compared
        By how much the network is better, and how sure that is.
    gain
        Of the network over a model that knows no order; None: it was not measured.
    seconds
        The time that each model had.
    time_up
        Those that did not win and might have learned more in more time.
    """
    said = _decision(network, baseline, metric, higher, compared)
    time = f"Each model had {duration(seconds)}"
    if time_up:
        time += f"; {_listed(time_up)} might be better in more time"
    parts = [f"{said} ({_evidence(compared)})", time, *_split(gain, network)]
    return " ".join(f"{part}." for part in parts)


def _decision(
    network: str, baseline: str, metric: str, higher: bool, compared: Compared
) -> str:
    better, worse = ("higher", "lower") if higher else ("lower", "higher")
    of, size = words(metric), number(abs(compared.effect))
    verb = "are" if metric.startswith(("bits", "nats")) else "is"
    both = f"the best recurrent network, {network}", f"the best baseline, {baseline}"
    if compared.decided and compared.effect > 0:
        return (
            f"T{both[0][1:]}, is better than {both[1]}: its {of} {verb} "
            f"{better} by {size}"
        )
    if compared.decided:
        return (
            f"A recurrent network is not needed here: {both[1]}, is better than the "
            f"best of them, {network}: its {of} {verb} {better} by {size}"
        )
    why = "" if compared.enough else ", as there are too few test units to decide"
    if size == "0":
        return f"Undecided{why}: {of} of {both[0]}, and {both[1]}, {verb} equal"
    side = better if compared.effect >= 0 else worse
    told = (
        f"Undecided{why}: {of} of {both[0]}, {verb} {side} by {size} than that of "
        f"{both[1]}"
    )
    if not compared.enough:
        return told
    return f"{told}, but the interval contains zero: it is not shown to be needed here"


def _evidence(compared: Compared) -> str:
    share, ends = 100 * compared.confidence, (compared.low, compared.high)
    if compared.decided and compared.effect < 0:
        ends = (-compared.high, -compared.low)
    interval = f"{share:.4g} % interval {number(ends[0])} to {number(ends[1])}"
    if not isfinite(ends[0]) or not isfinite(ends[1]):
        interval = f"no finite {share:.4g} % interval"
    count = compared.comparisons
    corrected = f"corrected for {count} comparisons by Holm's method"
    return (
        f"{interval}, paired sign-flip test over {compared.units}, "
        f"p {p_value(compared.p)}, {corrected if count > 1 else 'the only comparison'}"
    )


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _split(gain: Gain | None, network: str) -> list[str]:
    if gain is None:
        return []
    if not gain.shown:
        return [f"That {network} gains anything over {gain.over}, is not shown"]
    if gain.whole <= 0:
        return [f"{network} gains nothing over {gain.over}"]
    steps = f"{gain.steps} steps" if gain.steps > 1 else "step"
    start = f"Of the gain of {number(gain.whole)} of {network} over {gain.over},"
    if gain.near <= 0:
        return [f"{start} nothing is left when it sees the last {steps} alone"]
    share = gain.near / gain.whole
    if share >= 1:
        return [f"{start} all is there when it sees the last {steps} alone"]
    return [
        f"{start} {share:.0%} is there when it sees the last {steps} alone; for "
        f"{1 - share:.0%} this network used a longer memory"
    ]


def p_value(p: float) -> str:
    """Write what a p-value is; of the smallest ones only that they are small."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def number(value: float) -> str:
    """Write a number with three digits that count."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds >= 60:
        return f"{seconds / 60:.1f} min"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
