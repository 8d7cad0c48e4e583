"""The verdict: one sentence that says what was decided, by which test, and what not."""

from typing import NamedTuple

from throughtime.bench.comparing.history import History
from throughtime.bench.comparing.networks import WINDOW
from throughtime.bench.comparing.pairing import Compared
from throughtime.train.showing.progress import words


class Gain(NamedTuple):
    """What the network is better by than a model that knows no order.

    `over` is that model, `whole` the gain with the whole history, `near` that with the
    last `steps` steps alone, all of the same answers.
    """

    over: str
    whole: float
    near: float
    steps: int


def gain_of(past: History, over: str, value: float, higher: bool) -> Gain:
    """Split a gain in what near steps give and what needs more of them.

    Parameters
    ----------
    past
        The network's metric by its history.
    over, value
        The model that knows no order, and its metric for the same answers.
    higher
        Whether more of the metric is better.
    """
    place = max(at for at, k in enumerate(past.steps) if k <= WINDOW)
    sign = 1 if higher else -1
    near = sign * (past.values[place] - value)
    return Gain(over, sign * (past.whole - value), near, past.steps[place])


def sentence(
    network: str,
    baseline: str,
    metric: str,
    higher: bool,
    compared: Compared,
    gain: Gain | None,
) -> str:
    """Say whether the recurrent network is needed.

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
    """
    low, high = compared.low, compared.high
    size, ends = abs(compared.effect), (low, high)
    if compared.decided and compared.effect < 0:
        ends = (-high, -low)
    better, worse = ("higher", "lower") if higher else ("lower", "higher")
    evidence = _evidence(compared, ends)
    of = words(metric)
    if not compared.decided:
        side = better if compared.effect >= 0 else worse
        said = (
            f"Undecided: {of} of the best recurrent network, {network}, is {side} by "
            f"{number(size)} than that of the best baseline, {baseline}, but the "
            f"interval of what it is better by contains zero ({evidence}), so that it "
            "is not shown to be needed here"
        )
    elif compared.effect > 0:
        said = (
            f"The best recurrent network, {network}, is better than the best baseline, "
            f"{baseline}: its {of} is {better} by {number(size)} ({evidence})"
        )
    else:
        said = (
            f"A recurrent network is not needed here: the best baseline, {baseline}, "
            f"is better than the best of them, {network}: its {of} is {better} by "
            f"{number(size)} ({evidence})"
        )
    return f"{said}{_split(gain, network)}."


def _evidence(compared: Compared, ends: tuple[float, float]) -> str:
    share = 100 * compared.confidence
    count = compared.comparisons
    corrected = f"corrected for {count} comparisons by Holm's method"
    return (
        f"{share:.4g} % interval {number(ends[0])} to {number(ends[1])}, paired "
        f"sign-flip test over {compared.units}, p {p_value(compared.p)}, "
        f"{corrected if count > 1 else 'the only comparison'}"
    )


def _split(gain: Gain | None, network: str) -> str:
    if gain is None:
        return ""
    steps = f"{gain.steps} steps" if gain.steps > 1 else "step"
    if gain.whole <= 0:
        return f"; {network} gains nothing over {gain.over}, which knows no order"
    start = (
        f"; of its gain of {number(gain.whole)} over {gain.over}, which knows no order,"
    )
    if gain.near <= 0:
        return f"{start} nothing is left when it sees the last {steps} alone"
    share = gain.near / gain.whole
    if share >= 1:
        return f"{start} all is there when it sees the last {steps} alone"
    return (
        f"{start} {share:.0%} is there when it sees the last {steps} alone, and "
        f"{1 - share:.0%} needs a longer memory"
    )


def p_value(p: float) -> str:
    """Write what a p-value is; of the smallest ones only that they are small."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def number(value: float) -> str:
    """Write a number with three digits that count."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
