"""Each model learns in its turn, answers, and leaves a score behind."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from throughtime.bench.comparing.contestants import BASELINES
from throughtime.bench.comparing.examples import steps_read
from throughtime.bench.comparing.learning import FAILURES, Learned, learn_baseline
from throughtime.bench.comparing.networks import (
    CUT,
    RECURRENT,
    learn_network,
    learned,
    settings_of,
)
from throughtime.bench.comparing.scoring import Scored, metric_of, score
from throughtime.bench.comparing.verdict import duration
from throughtime.bench.successors import NAMES as SUCCESSORS
from throughtime.bench.successors import learn as learn_successor
from throughtime.bench.successors import without_recurrence
from throughtime.data import Dataset
from throughtime.train.files.storage import one_line
from throughtime.train.interruption import Interruption, interruptible
from throughtime.train.showing.progress import words
from throughtime.train.threads import using_threads


@dataclass(frozen=True, eq=False)
class Entry:
    """A model that has learned, and what it reached.

    Parameters
    ----------
    name
        Its name.
    learned
        The model; None: it failed.
    note
        What was chosen of it, or why it failed.
    metric
        What it was measured in.
    validation, test
        Its scores on both parts.
    step_seconds
        How long it took to read a step of the test part and answer it.
    """

    name: str
    learned: Learned | None
    note: str
    metric: str = ""
    validation: Scored | None = None
    test: Scored | None = None
    step_seconds: float | None = None


def kind_of(name: str) -> str:
    """Say what sort of model it is."""
    if name in BASELINES:
        return "baseline"
    if name in RECURRENT:
        return "recurrent"
    return "window" if name == "window" else "successor"


def compete(
    dataset: Dataset,
    names: Sequence[str],
    seconds: float,
    machine: Mapping[str, Any],
    folder: Path | None,
    say: Callable[[str], None],
) -> list[Entry]:
    """Let each model learn for so many seconds, and measure it.

    Parameters
    ----------
    dataset
        What is learned.
    names
        The models.
    seconds
        The time of each; to choose among its candidates is part of it.
    machine
        `seed`, `backend`, `dtype`, `device` and `threads` of `fit`.
    folder
        Where the runs of networks are kept; None: nowhere.
    say
        Told what each reached.

    Returns
    -------
    list of Entry
        One for each; after a Ctrl-C those that were measured till then.
    """
    found: list[Entry] = []
    with (
        _room(folder) as runs,
        using_threads(machine["threads"]),
        interruptible() as interruption,
    ):
        for name in names:
            found.append(_entry(dataset, name, seconds, machine, runs, interruption))
            say(_told(found[-1]))
            if interruption.wanted:
                say("interrupted: the other models are left out")
                break
    return found


@contextmanager
def _room(folder: Path | None) -> Iterator[Path]:
    """Give a folder for runs; one that nobody asked for does not stay."""
    if folder is not None:
        yield folder
        return
    with TemporaryDirectory(prefix="throughtime-") as room:
        yield Path(room)


def _entry(
    dataset: Dataset,
    name: str,
    seconds: float,
    machine: Mapping[str, Any],
    runs: Path,
    interruption: Interruption,
) -> Entry:
    try:
        model = _learn(dataset, name, seconds, machine, runs / name, interruption)
        validation = score(dataset, model.answers("validation"))
        start = time.perf_counter()
        answers = model.answers("test")
        took = time.perf_counter() - start
        test = score(dataset, answers)
    except FAILURES as failure:
        return Entry(name, None, f"not measured: {one_line(failure)}")
    return Entry(
        name,
        model,
        model.note,
        metric_of(dataset, answers),
        validation,
        test,
        took / max(1, steps_read(dataset, "test")),
    )


def _learn(
    dataset: Dataset,
    name: str,
    seconds: float,
    machine: Mapping[str, Any],
    folder: Path,
    interruption: Interruption,
) -> Learned:
    if name in BASELINES:
        baseline, seed = BASELINES[name], machine["seed"]
        return learn_baseline(baseline, dataset, seconds, seed, interruption)
    if name not in SUCCESSORS:
        return learn_network(name, dataset, seconds, machine, folder)
    settings = without_recurrence(settings_of(dataset, machine))
    trained = learn_successor(
        name, dataset, settings, seconds=seconds, interruption=interruption
    )
    model = learned(trained.model, settings, dataset, trained.seconds)
    cut = [told for stopped, told in CUT.items() if stopped == trained.stopped]
    note = ", ".join([f"{trained.epochs:.1f} epochs", *cut])
    return replace(model, note=note, time_up=trained.stopped in CUT)


def _told(entry: Entry) -> str:
    if entry.learned is None or entry.test is None:
        return f"{entry.name}: {entry.note}"
    note = f" ({entry.note})" if entry.note else ""
    return (
        f"{entry.name}: {words(entry.metric)} {entry.test.value:.4f} in "
        f"{duration(entry.learned.seconds)}{note}"
    )
