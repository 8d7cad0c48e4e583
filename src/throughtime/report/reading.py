"""What a run folder holds, read as it lies there, without torch."""

import json
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from throughtime.errors import (
    DamagedModel,
    DamagedRunFile,
    NotARun,
    UnknownFormat,
)
from throughtime.graph import StepGraph
from throughtime.graph.serialize import from_json

MODEL: Final = "model.json"
METRICS: Final = "metrics.jsonl"
CONFIG: Final = "config.toml"
COMMAND: Final = "command.txt"
DIAGNOSIS: Final = "diagnosis.json"
FLOW: Final = "flow.jsonl"
_VERSION: Final = 1  # of diagnosis.json

Row = dict[str, Any]
_Read = TypeVar("_Read")


@dataclass(frozen=True)
class RunFolder:
    """What the files of a run say.

    Parameters
    ----------
    path
        The folder.
    document
        `model.json`.
    rows
        `metrics.jsonl`: an epoch each; a number that is not finite is None.
    graphs
        What one step of each layer computes.
    config
        `config.toml`; empty where there is none.
    command
        `command.txt`; empty where there is none.
    diagnosis
        `diagnosis.json`; None where there is none.
    flow
        `flow.jsonl`: an epoch each; empty where nobody watched.
    """

    path: Path
    document: Row
    rows: list[Row]
    graphs: tuple[StepGraph, ...]
    config: Row
    command: str
    diagnosis: Row | None
    flow: list[Row]

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def cell(self) -> str:
        """Name of the cell's class."""
        return self.graphs[0].cell

    @property
    def training(self) -> Row:
        """How the training ended, and where it ran."""
        return self.document["training"]

    @property
    def result(self) -> Row | None:
        """Test and trivial results; None before the end, or without a test part."""
        return self.training.get("result")

    @property
    def metric(self) -> str | None:
        """What is measured beside the loss; None before the first epoch."""
        if not self.rows:
            return None
        names = [name for name in self.rows[0] if f"validation_{name}" in self.rows[0]]
        return next((name for name in names if name != "loss"), None)

    @property
    def best(self) -> Row | None:
        """The epoch whose weights were kept; None before there is one."""
        return next((row for row in reversed(self.rows) if row["best"]), None)

    @property
    def classes(self) -> int | None:
        """Among how many classes one is chosen; None where no single one is."""
        targets = self.document["model"]["schema"]["targets"]
        if self.document["task"] != "classify" or len(targets) != 1:
            return None
        return len(targets[0]["categories"]) or 2

    def part(self, name: str) -> Any:
        """One part of the diagnosis; None where it was not made."""
        return None if self.diagnosis is None else self.diagnosis.get(name)


def read_run(path: str | os.PathLike[str]) -> RunFolder:
    """Read the folder of a run, finished or not.

    Raises
    ------
    NotARun
        There is none.
    DamagedModel, DamagedRunFile
        A file of it is not what throughtime wrote.
    """
    folder = Path(path)
    if not folder.is_dir():
        reason = "it is a file" if folder.exists() else "there is nothing"
        raise NotARun(path=folder, reason=reason)
    if not (folder / MODEL).is_file():
        raise NotARun(path=folder, reason=f"it has no {MODEL}")
    document, graphs = _model(folder / MODEL)
    return RunFolder(
        folder,
        document,
        _optional(folder / METRICS, _metrics, []),
        graphs,
        _optional(folder / CONFIG, tomllib.loads, {}),
        _optional(folder / COMMAND, str.strip, ""),
        _optional(folder / DIAGNOSIS, _diagnosis, None),
        _optional(folder / FLOW, _flow, []),
    )


def _text(path: Path) -> str:
    # A path in it may hold bytes that are no text.
    return path.read_text(encoding="utf-8", errors="replace")


def _model(path: Path) -> tuple[Row, tuple[StepGraph, ...]]:
    try:
        document = json.loads(_text(path))
        graphs = [from_json(json.dumps(one)) for one in document["model"]["graphs"]]
        _need(document["training"], "stopped")
        _need(document["data"], "name")
        _need(document, "task")
        _need(document["settings"], "seed")
        _need(document["model"]["schema"], "targets")
        _need(graphs, 0)
    except (*_DAMAGE, UnknownFormat) as error:
        raise DamagedModel(path=path, reason=_one_line(error)) from None
    return document, tuple(graphs)


def _optional(path: Path, read: Callable[[str], _Read], missing: Any) -> _Read:
    try:
        return read(_text(path)) if path.is_file() else missing
    except _DAMAGE as error:
        raise DamagedRunFile(path=path, reason=_one_line(error)) from None


def _lines(text: str) -> list[Row]:
    # While a training goes on, a line may be only half there.
    whole = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]


def _metrics(text: str) -> list[Row]:
    rows = _lines(text)
    for row in rows:
        for name in ("epoch", "loss", "validation_loss", "best", "seconds"):
            _need(row, name)
    return rows


def _flow(text: str) -> list[Row]:
    rows = _lines(text)
    for row in rows:
        for name in ("epoch", "steps", "aligned", "layers"):
            _need(row, name)
    return rows


def _diagnosis(text: str) -> Row:
    diagnosis = json.loads(text)
    if diagnosis["version"] != _VERSION:
        raise ValueError(f"it is of version {diagnosis['version']}, not {_VERSION}")
    _need(diagnosis, "findings")
    return diagnosis


_DAMAGE: Final = (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError)


def _need(holder: Any, name: str | int) -> None:
    """Raise what `_DAMAGE` names where something is not there."""
    holder[name]


def _one_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"`{error.args[0]}` is missing"
    return " ".join(str(error).split()) or type(error).__name__
