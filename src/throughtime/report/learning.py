"""In sentences: did it learn, and how its training ended."""

import math
from collections.abc import Mapping
from typing import Final

from throughtime.report.answers import Said
from throughtime.report.curves import words
from throughtime.report.figures import count, written
from throughtime.report.reading import Row, RunFolder

# A loss that fell by less of what it was has not been moved by what was read.
_LEAST_FALL: Final = 0.05
# Where a trivial method does so well, nothing can be much better.
_NEARLY_PERFECT: Final = 0.99


def learned(run: RunFolder) -> Said:
    """Say whether a run learned.

    On test data beside trivial methods; before the end by the validation loss.
    """
    best = run.best
    if run.training["stopped"] == "diverged":
        kept = (
            "no weights were kept" if best is None else f"kept: epoch {best['epoch']}"
        )
        sentence = f"A loss or a gradient was no finite number any more; {kept}."
        return Said("alarm", "No, it diverged", sentence)
    if best is None or run.metric is None:
        return Said("unknown", "Not yet", "No epoch was finished so far.")
    return _beside_trivial(run) or _by_loss(run, best)


def _beside_trivial(run: RunFolder) -> Said | None:
    """Judge by the test part; None where it was not measured or nothing compares."""
    result = run.result
    if result is None:
        return None
    metric, value = result["metric"], result["test"][result["metric"]]
    trivial = {n: v for n, v in result["trivial"].items() if v is not None}
    if value is None or not trivial:
        return None
    higher = result["higher_is_better"]
    name = (max if higher else min)(trivial, key=trivial.__getitem__)
    said = (
        f"On test data {words(metric)} is {written(value)}; the best trivial method "
        f"({name}) reaches {written(trivial[name])}. {_kept(run)}"
    )
    return _judged(value, trivial, name, higher, said)


def _judged(
    value: float, trivial: Mapping[str, float], name: str, higher: bool, said: str
) -> Said:
    best, values = trivial[name], trivial.values()
    if value != best and _better(value, best, higher):
        return Said("good", "Yes", said)
    if _perfect(value, higher) or (
        _nearly_perfect(best, higher) and _nearly_perfect(value, higher)
    ):
        return Said("good", "Yes", said + _also(best, name, higher))
    weakest = min(values) if higher else max(values)
    if value != weakest and _better(value, weakest, higher):
        return Said("note", "A little", said)
    return Said("alarm", "No", said)


def _also(best: float, name: str, higher: bool) -> str:
    """Say where a method that knows no order of steps does as well."""
    if not (_perfect(best, higher) or _nearly_perfect(best, higher)):
        return ""
    if not name.startswith("ridge on"):
        return f" But {name} solves it, too."
    return f" But {name} solves it, too: no recurrence is needed."


def _better(one: float, other: float, higher: bool) -> bool:
    return one >= other if higher else one <= other


def _perfect(value: float, higher: bool) -> bool:
    """Measures of which more is better end at 1, the others at 0."""
    return value == (1.0 if higher else 0.0)


def _nearly_perfect(value: float, higher: bool) -> bool:
    return higher and value >= _NEARLY_PERFECT


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
    return f"The weights of epoch {best['epoch']} were kept."


def ended(run: RunFolder) -> str:
    """Say how many epochs were done, and why no more."""
    done, settings = len(run.rows), run.document["settings"]
    asked, stopped = settings["epochs"], run.training["stopped"]
    of = f"{done} of {count(asked, 'epoch')}"
    if stopped == "patience":
        waited = count(settings["patience"], "epoch")
        return f"It stopped early, after {of}: validation grew no better for {waited}."
    ends = {
        "epochs": f"All {count(done, 'epoch')} were done.",
        "time": f"Its time was up after {of}.",
        "interrupted": f"It was interrupted after {of}.",
        "diverged": f"It diverged after {of}.",
        None: f"It has not ended yet: {of} are done.",
    }
    return ends.get(stopped, f"It ended after {of}: {stopped}.")
