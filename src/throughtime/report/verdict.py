"""In sentences: did it learn, how far does it remember, what to change."""

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from throughtime.report.curves import words
from throughtime.report.figures import count, named, written
from throughtime.report.reading import Row, RunFolder

Tone = Literal["good", "note", "alarm", "unknown"]

# A loss that fell by less of what it was has not been moved by what was read.
_LEAST_FALL: Final = 0.05
# In the last of its epochs a training that was about to end still gained so much.
_STILL_FALLING: Final = 0.01


@dataclass(frozen=True)
class Said:
    """One answer of the verdict.

    Parameters
    ----------
    tone
        How it stands: `"good"`, `"note"`, `"alarm"`, or `"unknown"`.
    word
        The answer in a word or two.
    sentence
        The answer in full.
    remedy
        An option or a command to copy; None: there is nothing to do.
    """

    tone: Tone
    word: str
    sentence: str
    remedy: str | None = None


@dataclass(frozen=True)
class Verdict:
    """The three answers that come first; the last has one for each finding."""

    learned: Said
    memory: Said
    changes: tuple[Said, ...]


def judge(run: RunFolder) -> Verdict:
    """Say of a run what matters most."""
    learned = _learned(run)
    return Verdict(learned, _memory(run), tuple(_changes(run, learned)))


# ----------------------------------------------------------------------- did it learn
def _learned(run: RunFolder) -> Said:
    best = run.best
    if run.training["stopped"] == "diverged":
        kept = (
            "no weights were kept" if best is None else f"kept: epoch {best['epoch']}"
        )
        sentence = f"A loss or a gradient was no finite number any more; {kept}."
        return Said("alarm", "No, it diverged", sentence)
    if best is None or run.metric is None:
        return Said("unknown", "Not yet", "No epoch was finished so far.")
    known = _beside_trivial(run)
    return known or _by_loss(run, best)


def _beside_trivial(run: RunFolder) -> Said | None:
    """Judge by the test part; None where it was not measured or nothing compares."""
    result = run.result
    if result is None:
        return None
    metric, value = result["metric"], result["test"][result["metric"]]
    trivial = {n: v for n, v in result["trivial"].items() if v is not None}
    if value is None or not trivial:
        return None
    better = max if result["higher_is_better"] else min
    name = better(trivial, key=trivial.__getitem__)
    said = (
        f"On test data {words(metric)} is {written(value)}; the best trivial method "
        f"({name}) reaches {written(trivial[name])}. {_kept(run)}"
    )
    if value != trivial[name] and better(value, trivial[name]) == value:
        return Said("good", "Yes", said)
    weakest = min(trivial.values()) if better is max else max(trivial.values())
    if value != weakest and better(value, weakest) == value:
        return Said("note", "A little", said)
    return Said("alarm", "No", said)


def _by_loss(run: RunFolder, best: Row) -> Said:
    """Judge by the validation loss: beside guessing, or beside the first epoch."""
    assert run.metric is not None
    loss, first = best["validation_loss"], run.rows[0]["validation_loss"]
    start, what = first, "after the first epoch"
    if run.classes is not None:
        start, what = (
            math.log(run.classes),
            f"when guessing among {run.classes} classes",
        )
    value = written(best[f"validation_{run.metric}"])
    said = (
        f"The validation loss is {written(loss)}, {written(start)} {what}; validation "
        f"{words(run.metric)} is {value}. {_kept(run)}"
    )
    if start is None or (run.classes is None and len(run.rows) == 1):
        return Said("unknown", "Too early to say", said)
    if loss < start - _LEAST_FALL * abs(start):
        return Said("good", "Yes", said)
    return Said("alarm", "No", said)


def _kept(run: RunFolder) -> str:
    best = run.best
    assert best is not None
    last, stopped = run.rows[-1], run.training["stopped"]
    ends = {
        "epochs": "all epochs were done",
        "patience": "it no longer got better",
        "interrupted": "it was interrupted",
        None: "it has not ended yet",
    }
    ended = ends.get(stopped, stopped)
    return f"Weights of epoch {best['epoch']} of {last['epoch']} are kept; {ended}."


# ---------------------------------------------------------------------------- memory
_ENOUGH: Final[dict[str, tuple[Tone, str]]] = {
    "enough": ("good", "Far enough"),
    "too short": ("alarm", "Too short"),
    "wasteful": ("note", "Further than needed"),
    "unknown": ("unknown", "Not clear"),
}


def _memory(run: RunFolder) -> Said:
    found = run.part("memory")
    if found is None:
        sentence = "It was not measured for this run."
        if run.diagnosis is not None:
            sentence = "The diagnosis of this run says nothing of its memory."
        return Said("unknown", "Not measured", sentence, _command(run))
    tone, word = _ENOUGH[found["verdict"]]
    return Said(tone, _with_steps(found, word), " ".join(_reach(found)))


def _with_steps(found: Row, word: str) -> str:
    """Say first how far: `23 steps: too short`."""
    reached = [one["horizon"] for one in found["layers"]]
    if not reached:
        return word
    longest = None if None in reached else max(reached)
    far = "Beyond all lags" if longest is None else count(round(longest), "step")
    return f"{far}: {word.lower()}"


def _reach(found: Row) -> Iterator[str]:
    layers = found["layers"]
    endless = [one for one in layers if one["horizon"] is None]
    if layers:
        farthest = endless[0] if endless else max(layers, key=_horizon)
        share = f"{farthest['threshold']:.2g} of what it was"
        if endless:
            yield f"Error stays above {share} at every lag looked at"
        else:
            steps = count(round(farthest["horizon"]), "step")
            yield f"Error that flows back falls below {share} after {steps}"
        yield f"({named(farthest)})."
    if found["needed"] is not None:
        yield f"The data need {count(found['needed'], 'step')} of history."
    elif found.get("curve"):
        yield "The data may need more history than was tried."
    if found.get("window") is not None:
        yield f"Training lets it flow back {count(found['window'], 'step')}."


def _horizon(layer: Row) -> float:
    return layer["horizon"]


# --------------------------------------------------------------------------- changes
def _changes(run: RunFolder, learned: Said) -> Iterator[Said]:
    """What was found, alarms first; then what the curves say."""
    found: list[Row] = [] if run.diagnosis is None else run.diagnosis["findings"]
    wrong = [one for one in found if one["severity"] != "good"]
    for one in sorted(wrong, key=lambda one: one["severity"] != "alarm"):
        yield Said(one["severity"], _title(one), one["sentence"], one["remedy"])
    falling = _still_falling(run)
    if falling:
        epochs = run.document["settings"]["epochs"]
        sentence = "The loss was still falling when the last epoch ended."
        yield Said("note", "Not finished", sentence, f"--epochs {2 * epochs}")
    if run.diagnosis is None:
        sentence = "Gradients, memory and stability were not looked at yet."
        yield Said("unknown", "Not diagnosed", sentence, _command(run))
    elif not wrong and not falling:
        yield from _nothing_wrong(run, learned, found)


def _nothing_wrong(run: RunFolder, learned: Said, found: list[Row]) -> Iterator[Said]:
    """Say what is left where the diagnosis raised no alarm."""
    if learned.tone in {"note", "alarm"}:
        size = run.document["settings"]["hidden_size"]
        sentence = (
            "Error flows as it should, and yet the result is not good enough: a larger "
            "network, or another cell, may do better."
        )
        yield Said("note", "A larger network", sentence, f"--hidden-size {2 * size}")
        return
    for one in found:
        yield Said("good", _title(one), one["sentence"], one["remedy"])
    if not found:
        yield Said("good", "Nothing", "The diagnosis found nothing that must change.")


def _title(finding: Row) -> str:
    wrong = finding["severity"] != "good"
    where = f": {finding['where']}" if wrong and finding.get("where") else ""
    return f"{finding['kind'].capitalize()}{where}"


def _still_falling(run: RunFolder) -> bool:
    losses = [row["validation_loss"] for row in run.rows]
    if run.training["stopped"] != "epochs" or len(losses) < 2 or None in losses:
        return False
    before, last = min(losses[:-1]), losses[-1]
    return last < before - _STILL_FALLING * abs(before)


def _command(run: RunFolder) -> str:
    return f"throughtime diagnose {shlex.quote(str(run.path))}"
