"""Networks: one recipe for all of them, so that the cell alone is another.

A budget of seconds ends each training, so nothing of it may follow from a number of
epochs: the step width falls when validation grows no better.
"""

from collections.abc import Mapping
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, Final

import torch

from throughtime.baselines import LastSteps
from throughtime.bench.comparing.learning import Learned
from throughtime.cells import GRU, LSTM, Elman
from throughtime.data import Dataset, Split, TextDataset
from throughtime.graph import Cell
from throughtime.train import fit
from throughtime.train.asking.defaults import settle
from throughtime.train.asking.settings import Settings
from throughtime.train.measuring import Predicted
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import make_task

WINDOW: Final = 8
"""The steps that the window sees."""

RECURRENT: Final[Mapping[str, type[Cell]]] = {
    "elman": Elman,
    "gru": GRU,
    "lstm": LSTM,
}

_RECIPE: Final[Mapping[str, Any]] = {
    "epochs": 10_000,
    "patience": 15,
    "schedule": "plateau",
    "schedule_factor": 0.3,
    "schedule_epochs": 4,
    "learning_rate": 3e-3,
}
_OF_TEXT: Final[Mapping[str, Any]] = {
    "patience": 5,
    "schedule_epochs": 1,
    "batch_size": 64,
    "steps": 64,
}
CUT: Final = {"time": "time was up", "interrupted": "interrupted"}
"""What ends a training that might go on, and how it is told."""
# Characters that each stream of a text is to have.
_STREAM = 1000


def recipe(dataset: Dataset) -> dict[str, Any]:
    """Return the settings of `fit` that all networks are trained by."""
    if not isinstance(dataset, TextDataset):
        return dict(_RECIPE)
    streams = max(1, len(dataset.part("train")) // _STREAM)
    most = min(_OF_TEXT["batch_size"], streams)
    return {**_RECIPE, **_OF_TEXT, "batch_size": most}


def settings_of(dataset: Dataset, machine: Mapping[str, Any]) -> Settings:
    """Return all settings of the recipe, with where and how to compute."""
    unsaid = {
        name: argument.default
        for name, argument in signature(fit).parameters.items()
        if argument.default is not argument.empty
    }
    return settle(dataset, {**unsaid, **recipe(dataset), **machine})


def check_machine(dataset: Dataset, machine: Mapping[str, Any]) -> None:
    """Refuse what no network could be trained with, before anything is learned.

    Raises
    ------
    ThroughtimeError
        As `fit` raises it.
    """
    settings = settings_of(dataset, machine)
    with torch.random.fork_rng(devices=[]):
        model = make_model(GRU(), dataset, settings)
    weight = model.head.weight
    model.recurrent.choice(weight.dtype, weight.device)


def learn_network(
    name: str,
    dataset: Dataset,
    seconds: float,
    machine: Mapping[str, Any],
    folder: Path,
) -> Learned:
    """Train a network for so many seconds; its run lies in the folder.

    Parameters
    ----------
    name
        `"window"`, or one of `RECURRENT`.
    dataset
        What is learned.
    seconds
        Learning and validation end by then.
    machine
        `seed`, `backend`, `dtype`, `device` and `threads` of `fit`.
    folder
        A new one.
    """
    options = {**recipe(dataset), **machine}
    if name == "window":
        cell: Cell = LastSteps(WINDOW)
        if not isinstance(dataset, TextDataset) and dataset.question.per == "sequence":
            options["pool"] = "mean"
    else:
        cell = RECURRENT[name]()
    run = fit(cell, dataset, **options, time_limit=seconds, out=folder)
    said = [f"epoch {run.best_epoch} of {len(run.metrics)}"]
    said += [words for stopped, words in CUT.items() if stopped == run.stopped]
    return replace(
        learned(run.model, run.settings, dataset, run.seconds),
        note=", ".join(said),
        time_up=run.stopped in CUT,
    )


def learned(
    model: Model, settings: Settings, dataset: Dataset, seconds: float
) -> Learned:
    """Say what has learned of a network."""

    def answers(split: Split) -> Predicted:
        return make_task(dataset, settings).predict(model, split)[0]

    parameters = sum(one.numel() for one in model.parameters())
    return Learned(answers, parameters, seconds, network=(model, settings))
