"""What follows from the scores: intervals, comparisons, who was chosen, the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf, isnan
from typing import NamedTuple

from throughtime.bench.comparing.comparison import Chosen, Row
from throughtime.bench.comparing.competing import Entry, kind_of
from throughtime.bench.comparing.contestants import field_of
from throughtime.bench.comparing.history import History, history
from throughtime.bench.comparing.pairing import Compared, flips, holm
from throughtime.bench.comparing.scoring import Scored, common
from throughtime.bench.comparing.verdict import gain_of, sentence
from throughtime.data import Dataset
from throughtime.train.measuring.intervals import resampled


class Judgement(NamedTuple):
    """All that follows; `blind` is the model that knows no order, if it is there."""

    rows: tuple[Row, ...]
    answers: int
    chosen: Chosen | None
    history: History | None
    blind: str | None
    verdict: str


def judge(
    dataset: Dataset, entries: Sequence[Entry], seconds: float, seed: int
) -> Judgement:
    """Compare the chosen recurrent network with all that is none.

    Parameters
    ----------
    dataset
        What was learned.
    entries
        The models; the recurrent network and the baseline that the verdict is about
        are the best of theirs on the validation part.
    seconds
        The time that each had.
    seed
        Draws resamples, flips, and the answers whose history is cut.
    """
    measured = [entry for entry in entries if entry.test is not None]
    tests = [entry.test for entry in measured if entry.test is not None]
    kept = common(tests) if tests else []
    names = [entry.name for entry in measured]
    scores = dict(zip(names, kept, strict=True))
    answers = len(kept[0].steps) if kept else 0
    chosen = _choose(measured)
    compared = _compare(chosen, scores, seed)
    rows = tuple(_row(one, scores.get(one.name), compared, seed) for one in entries)
    if chosen is None:
        return Judgement(rows, answers, None, None, None, _NOTHING)
    network = next(entry for entry in measured if entry.name == chosen.network)
    assert network.learned is not None and network.learned.network is not None
    past = history(*network.learned.network, dataset, scores[chosen.network], seed)
    field = field_of(dataset)
    blind = field.blind
    higher = scores[chosen.network].higher
    gain = None
    if blind in scores:
        over = f"{blind}, {field.sees}"
        to_blind = compared[blind]
        shown = to_blind.decided and to_blind.effect > 0
        value = scores[blind].of(past.kept).value
        gain = gain_of(past, over, value, higher, shown)
    verdict = sentence(
        *chosen,
        metric=network.metric,
        higher=higher,
        compared=compared[chosen.baseline],
        gain=gain,
        seconds=seconds,
        time_up=_unfinished(measured, compared[chosen.baseline]),
    )
    return Judgement(rows, answers, chosen, past, blind if gain else None, verdict)


_NOTHING = (
    "Nothing can be said: a recurrent network and a baseline are needed for that, and "
    "both were not measured."
)


def _choose(measured: Sequence[Entry]) -> Chosen | None:
    """Choose the best of each side on validation data; the first of equals."""
    recurrent = [one for one in measured if kind_of(one.name) == "recurrent"]
    others = [one for one in measured if kind_of(one.name) in ("baseline", "window")]
    if not recurrent or not others:
        return None
    return Chosen(*(min(side, key=_loss).name for side in (recurrent, others)))


def _unfinished(measured: Sequence[Entry], compared: Compared) -> list[str]:
    """Name the models of the side that did not win whose time was up."""
    sides = {"recurrent", "baseline", "window"}
    if compared.decided:
        sides -= {"recurrent"} if compared.effect > 0 else {"baseline", "window"}
    return [
        one.name
        for one in measured
        if kind_of(one.name) in sides and one.learned and one.learned.time_up
    ]


def _loss(entry: Entry) -> float:
    """Return the validation loss; one that is no number is chosen last."""
    assert entry.validation is not None
    loss = entry.validation.loss
    return inf if isnan(loss) else loss


def _compare(
    chosen: Chosen | None, scores: Mapping[str, Scored], seed: int
) -> Mapping[str, Compared]:
    """Compare the chosen network with every model that is not recurrent."""
    if chosen is None:
        return {}
    others = [name for name in scores if kind_of(name) != "recurrent"]
    network = scores[chosen.network]
    found = [flips(network, scores[name], seed) for name in others]
    return dict(zip(others, holm(found), strict=True))


def _row(
    entry: Entry, scored: Scored | None, compared: Mapping[str, Compared], seed: int
) -> Row:
    row = Row(name=entry.name, kind=kind_of(entry.name), note=entry.note)
    if scored is None or entry.learned is None or entry.validation is None:
        return row
    return replace(
        row,
        value=scored.value,
        interval=resampled(scored.additive, scored.sequences, seed=seed),
        validation=entry.validation.value,
        parameters=entry.learned.parameters,
        seconds=entry.learned.seconds,
        step_seconds=entry.step_seconds,
        compared=compared.get(entry.name),
    )
