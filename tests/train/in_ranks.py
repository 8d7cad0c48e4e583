"""What each of several processes runs, and one alone: trainings of every kind.

`torchrun --nproc-per-node 2 -m tests.train.in_ranks FOLDER` leaves what each process
found in `FOLDER/<rank>.json`.
"""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import throughtime as tt
from tests.data.events import events
from tests.train.conftest import SENTENCE
from tests.train.learning.items import ITEMS, model_of
from tests.train.learning.test_row_gradients import WAYS
from tests.train.learning.training import settings_of
from tests.train.test_tasks import EVERY
from throughtime.cli import main as command
from throughtime.data import Frames, Reading, SequenceDataset, read, text_dataset
from throughtime.errors import ThroughtimeError
from throughtime.train import Run
from throughtime.train.learning.checkpoints import read_checkpoint
from throughtime.train.learning.updates import Updates
from throughtime.train.ranks import Ranks, joined
from throughtime.train.tasks import OfSequences

# Of the 12 sequences of training, batches of 11 leave one of 1: the second process has
# no row of it.
COMMON: Mapping[str, Any] = {
    "hidden_size": 4,
    "epochs": 2,
    "threads": 1,
    "dtype": "float64",
    "batch_size": 11,
}
TRAININGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "multilabel": (EVERY["multilabel"], {"flossing": 2}),
    "classify per sequence": (
        EVERY["classify per sequence"],
        {
            "class_weights": "balanced",
            "target_replication": 0.5,
            "activity_l1": 0.1,
            "flow_penalty": 0.1,
        },
    ),
    "forecast of changes": (
        EVERY["forecast of changes"],
        {"steps": 5, "activity_l1": 0.1},
    ),
    "next symbol": (
        EVERY["next symbol"],
        {"tbptt": "3:5", "accumulate": 2, "flow_penalty": 0.1},
    ),
    "items": (
        read(events(30), Reading("who", "when", items="what:how", target="label")),
        {"optimizer": "lazy-fobos", "l1": 1e-3, "l2": 1e-3},
    ),
    "text": (text_dataset(SENTENCE * 25, "text"), {"steps": 20}),
    "text, cut at random": (
        text_dataset(SENTENCE * 25, "text"),
        {
            "tbptt": "random:9",
            "activity_l1": 0.1,
            "average": "ema",
            "schedule": "plateau",
        },
    ),
}
OF_ROWS = ("lazy-fobos", "ftrl-proximal", "adam")
INTERRUPTED: Mapping[str, Any] = {
    **COMMON,
    "hidden_size": 3,
    "num_layers": 2,
    "dropout": 0.3,
    "epochs": 4,
    "accumulate": 2,
}


def trained(name: str, out: Path) -> Run:
    data, options = TRAININGS[name]
    return tt.fit(tt.cells.GRU(), data, out=out / name, **COMMON, **options)


def found(run: Run) -> list[dict[str, float]]:
    """All that was measured, epoch by epoch, and at the end."""
    names = ("loss", "validation_loss", f"validation_{run.metric}", run.metric)
    rows = [{name: row[name] for name in names} for row in run.metrics]
    return [*rows, run.evaluate("test")]


def fingerprint(run: Run) -> str:
    return hashlib.sha256((run.path / "model.safetensors").read_bytes()).hexdigest()


class Interrupting:
    """Sequences; who reads for the n-th time sends a SIGINT."""

    def __init__(self, frames: Frames, time: int) -> None:
        self.frames, self.time = frames, time

    def __getattr__(self, name: str) -> Any:
        return getattr(self.frames, name)

    def read(self, sequence: int, start: int, stop: int) -> Any:
        self.time -= 1
        if not self.time:
            signal.raise_signal(signal.SIGINT)
        return self.frames.read(sequence, start, stop)


def interrupted_and_whole(out: Path, rank: int) -> list[str]:
    """A training that the last process alone was asked to stop, and one in one go."""
    data: SequenceDataset = EVERY["classify per step"]
    cell = tt.cells.GRU()
    whole = tt.fit(cell, data, out=out / "whole", **INTERRUPTED)
    frames: Any = Interrupting(data.frames, 40)
    stopped = replace(data, frames=frames) if rank == 1 else data
    folder = out / "stopped"
    run = tt.fit(cell, stopped, out=folder, **INTERRUPTED)
    assert run.stopped == "interrupted"
    assert 0 < len(run.metrics) < INTERRUPTED["epochs"]
    ranks = Ranks(rank, 2)
    begun = read_checkpoint(folder / "checkpoint.pt", ranks)["loop"]["begun"]
    assert begun["batches"] == 1  # in the middle of an update
    first, second = ranks.gather(begun["gradients"][0])
    assert not first.equal(second)
    run = tt.fit(cell, data, out=folder, resume=True, **INTERRUPTED)
    assert run.stopped == "epochs"
    return [fingerprint(whole), fingerprint(run)]


def refused(out: Path, rank: int) -> list[str]:
    """What all processes are refused with the same words."""
    asked: list[dict[str, Any]] = [
        {"batch_size": 1},
        {"out": out / "whole"},
        {"seed": rank},
        {"optimizer": "sgd", "learning_rate": 1e300},
    ]
    said: list[str] = []
    for options in asked:
        try:
            data = EVERY["forecast of changes"]
            tt.fit(tt.cells.GRU(), data, **{**COMMON, "out": out / "new", **options})
        except ThroughtimeError as error:
            said.append(str(error))
    return said


def of_rows(optimizer: str, ranks: Ranks) -> dict[str, list[float]]:
    """The weights of items of which each rank names its own, and until when they are.

    The last batch is of one sequence: the second process has none.
    """
    settings = settings_of(ITEMS, batch_size=17, accumulate=2, **WAYS[optimizer])
    model, task = model_of(settings, sparse=True), OfSequences(ITEMS, settings, ranks)
    updates, order = Updates(model, settings, 20, ranks), torch.Generator()
    for _ in range(3):
        for batch in task.epoch(order):
            updates.take(task.learned(model, batch))
        updates.finish()
    (table,) = updates.tables
    assert table.grad is not None
    assert table.grad.is_sparse == (optimizer != "adam")
    with updates.unsettled():
        waiting = [one for one in updates.state_dict()["waiting"] if one is not None]
    stamps = [time for _, times in waiting for time in times.tolist()]
    weights = model.state_dict()["network.weight_ih_l0"]
    return {"weights": weights.flatten().tolist(), "stamps": stamps}


def patience() -> float:
    """For how many seconds one process waits for another that lives."""
    with joined() as ranks:
        cpu = ranks.group._get_backend(torch.device("cpu"))
        return cpu.options._timeout.total_seconds()


def main(out: Path) -> None:
    rank = int(os.environ["RANK"])
    told: dict[str, Any] = {name: found(trained(name, out)) for name in TRAININGS}
    told["fingerprints"] = interrupted_and_whole(out, rank)
    told["refused"] = refused(out, rank)
    with joined() as ranks:
        told["rows"] = {name: of_rows(name, ranks) for name in OF_ROWS}
    told["patience"] = patience()
    (out / "words.txt").write_text(SENTENCE * 25)
    options = ["--hidden-size", "4", "--epochs", "1", "--threads", "1", "--quiet"]
    words = ["train", str(out / "words.txt"), "--batch-size", "9", *options, "--json"]
    command([*words, "--out", str(out / "run")], standalone_mode=False)
    (out / f"{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
