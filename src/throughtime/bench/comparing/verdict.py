"""The verdict: one sentence that says what was decided, by which test, and what not."""

from collections.abc import Sequence
from typing import NamedTuple

from throughtime.bench.comparing.history import History
from throughtime.bench.comparing.networks import WINDOW
from throughtime.bench.comparing.pairing import Compared
from throughtime.train.showing.progress import words


class Gain(NamedTuple):
    """What the network is better by than a model that knows no order.

    `over` is that model, and what it sees; `whole` the gain with the whole history,
    `near` that with the last `steps` steps alone, all of the same answers.
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
        The model that knows no order, what it sees, and its metric for the same
        answers.
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
    *,
    metric: str,
    higher: bool,
    compared: Compared,
    gain: Gain | None,
    seconds: float,
    time_up: Sequence[str] = (),
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
    seconds
        The time that each model had.
    time_up
        Which of both might have learned more in more time.
    """
    better, worse = ("higher", "lower") if higher else ("lower", "higher")
    of, size = words(metric), number(abs(compared.effect))
    evidence = f"({duration(seconds)} for each model; {_evidence(compared)})"
    if not compared.decided:
        side = better if compared.effect >= 0 else worse
        said = (
            f"Undecided: {of} of the best recurrent network, {network}, is {side} by "
            f"{size} than that of the best baseline, {baseline}, but the interval of "
            f"what it is better by contains zero {evidence}, so that it is not shown "
            "to be needed here"
        )
    elif compared.effect > 0:
        said = (
            f"The best recurrent network, {network}, is better than the best baseline, "
            f"{baseline}: its {of} is {better} by {size} {evidence}"
        )
    else:
        said = (
            f"A recurrent network is not needed here: the best baseline, {baseline}, "
            f"is better than the best of them, {network}: its {of} is {better} by "
            f"{size} {evidence}"
        )
    winner = compared.decided and (network if compared.effect > 0 else baseline)
    unfinished = [name for name in time_up if name != winner]
    if unfinished:
        said += f", though {' and '.join(unfinished)} might be better in more time"
    return f"{said}{_split(gain, network)}."


def _evidence(compared: Compared) -> str:
    share, ends = 100 * compared.confidence, (compared.low, compared.high)
    if compared.decided and compared.effect < 0:
        ends = (-compared.high, -compared.low)
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
        return f"; {network} gains nothing over {gain.over}"
    start = f"; of its gain of {number(gain.whole)} over {gain.over},"
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


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds >= 60:
        return f"{seconds / 60:.1f} min"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
