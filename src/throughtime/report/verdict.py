"""In sentences: did it learn, how far does it remember, what to change."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from throughtime.report.answers import Said, Tone
from throughtime.report.commands import again, diagnose
from throughtime.report.learning import learned as has_learned
from throughtime.report.reading import Row, RunFolder
from throughtime.report.remembering import remembers

# In the last of its epochs a training that was about to end still gained so much.
_STILL_FALLING: Final = 0.01
# What a remedy does; of `--init` and `--cell` the value says more.
_REMEDIES: Final = {
    "--init orthogonal": "Start from orthogonal recurrent weights",
    "--init chrono": "Start from gates that remember (chrono)",
    "--cell lstm": "Take an LSTM",
    "--flossing": "Floss the gradients",
    "--clip": "Clip the gradient",
    "--learning-rate": "Take another learning rate",
    "--epochs": "Train longer",
    "--restarts": "Start from other weights",
    "--tbptt": "Take another window",
    "--steps": "Take another window",
    "--variational-dropout": "Drop units out",
}


@dataclass(frozen=True)
class Verdict:
    """The three answers that come first; the last has one for each finding."""

    learned: Said
    memory: Said
    changes: tuple[Said, ...]


def judge(run: RunFolder) -> Verdict:
    """Say of a run what matters most."""
    learned = has_learned(run)
    return Verdict(learned, remembers(run), tuple(_changes(run, learned)))


def _changes(run: RunFolder, learned: Said) -> Iterator[Said]:
    """What is to be done, alarms first; then what the curves say."""
    found: list[Row] = [] if run.diagnosis is None else run.diagnosis["findings"]
    wrong = [one for one in found if one["severity"] != "good"]
    if learned.tone == "alarm":
        # The first answer has said so.
        wrong = [one for one in wrong if one["kind"] != "did not learn" or _mends(one)]
    falling = _still_falling(run)
    done = run.diagnosis is not None and not falling
    if done and not any(one["severity"] == "alarm" or _mends(one) for one in wrong):
        yield from _nothing_wrong(run, learned)
    for one in sorted(wrong, key=lambda one: one["severity"] != "alarm"):
        yield _change(run, one["severity"], _title(one), one["sentence"], one["remedy"])
    if falling:
        epochs = run.document["settings"]["epochs"]
        sentence = "The loss was still falling when the last epoch ended."
        yield _change(run, "note", "Train longer", sentence, f"--epochs {2 * epochs}")
    if run.diagnosis is None:
        sentence = "Gradients, memory and stability were not looked at yet."
        yield Said("unknown", "Not diagnosed", sentence, diagnose(run))


def _mends(finding: Row) -> bool:
    return finding["remedy"] is not None


def _change(
    run: RunFolder, tone: Tone, word: str, sentence: str, remedy: str | None
) -> Said:
    command = None if remedy is None else again(run, remedy)
    return Said(tone, word, sentence, remedy, command)


def _nothing_wrong(run: RunFolder, learned: Said) -> Iterator[Said]:
    """Say what is left where the diagnosis knows of nothing that mends."""
    if learned.tone in {"note", "alarm"}:
        size = run.document["settings"]["hidden_size"]
        sentence = (
            "Error flows as it should, and yet the result is not good enough: a larger "
            "network, or another cell, may do better."
        )
        remedy = f"--hidden-size {2 * size}"
        yield _change(run, "note", "Take a larger network", sentence, remedy)
        return
    yield Said("good", "Nothing", "The diagnosis found nothing that must change.")


def _title(finding: Row) -> str:
    """Say what is to be done; of what nothing mends, what it is."""
    remedy = finding["remedy"] or ""
    done = _REMEDIES.get(remedy) or _REMEDIES.get(remedy.partition(" ")[0])
    return done or finding["kind"].capitalize()


def _still_falling(run: RunFolder) -> bool:
    losses = [row["validation_loss"] for row in run.rows]
    if run.training["stopped"] != "epochs" or len(losses) < 2 or None in losses:
        return False
    before, last = min(losses[:-1]), losses[-1]
    return last < before - _STILL_FALLING * abs(before)
