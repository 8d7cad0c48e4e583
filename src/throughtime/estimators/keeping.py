"""A run in memory: what a fitted estimator holds, pickles and saves.

A model comes back from `model.json` and weights alone, so nothing of the user's code is
needed to go on predicting, and all bits are as they were.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from throughtime.errors import DamagedModel
from throughtime.train import Model
from throughtime.train.asking.configuration import read_toml
from throughtime.train.asking.settings import Settings
from throughtime.train.files.documents import (
    metrics_lines,
    read_metrics,
    read_settings,
)
from throughtime.train.files.folder import (
    COMMAND,
    CONFIG,
    INITIAL,
    METRICS,
    MODEL,
    WEIGHTS,
    check_run,
    make_folder,
    passing,
    write,
)
from throughtime.train.files.storage import (
    load_model,
    one_line,
    read_document,
    weights_of,
    write_weights,
)

ESTIMATOR: Final = "estimator.json"
_KEPT: Final = (MODEL, WEIGHTS, INITIAL, METRICS, COMMAND, CONFIG, ESTIMATOR)


class Kept:
    """The files of a run.

    Parameters
    ----------
    files
        What is in each, by name.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    @classmethod
    def of(cls, folder: str | os.PathLike[str]) -> "Kept":
        """Read a folder; what nothing is read from again stays where it is.

        Raises
        ------
        NotARun
            It holds no run.
        """
        path = check_run(folder)
        there = [name for name in _KEPT if (path / name).is_file()]
        return cls({name: (path / name).read_bytes() for name in there})

    def write(self, out: str | os.PathLike[str]) -> Path:
        """Write them to a folder that is new or empty.

        Raises
        ------
        RunExists, CannotWrite
            There is something, or the system does not let us.
        """
        folder = make_folder(out, "arrays", "estimator")
        for name, content in self.files.items():
            write(folder / name, content)
        return folder

    def model(self, backend: str, device: str) -> Model:
        """Build the model, in evaluation mode."""
        with self._unpacked() as folder:
            return load_model(folder, backend=backend, device=device)

    def document(self) -> dict[str, Any]:
        """Return what `model.json` says."""
        with self._unpacked() as folder:
            return read_document(folder)

    def metrics(self) -> list[dict[str, Any]]:
        """Return what `metrics.jsonl` says of each epoch."""
        with self._unpacked() as folder:
            return read_metrics(folder / METRICS)

    def settings(self) -> Settings:
        """Return the settings of the training."""
        try:
            return read_settings(self.document())
        except (TypeError, ValueError) as error:
            raise DamagedModel(path=MODEL, reason=one_line(error)) from None

    def cell(self) -> str | None:
        """Return the cell as it was named; None: it had no name."""
        if CONFIG not in self.files:
            return None
        with self._unpacked() as folder:
            return read_toml(folder / CONFIG).get("cell")

    def put_pass(self, model: Model, metrics: Sequence[Mapping[str, Any]]) -> None:
        """Keep the weights after one more pass, and what all passes brought."""
        with self._unpacked() as folder, passing():
            write_weights(folder / WEIGHTS, weights_of(model), len(metrics))
            self.files[WEIGHTS] = (folder / WEIGHTS).read_bytes()
        self.files[METRICS] = metrics_lines(metrics)

    def put_facts(self, facts: Mapping[str, Any]) -> None:
        """Keep what only an estimator knows."""
        text = json.dumps(facts, indent=1, default=_plain)
        self.files[ESTIMATOR] = f"{text}\n".encode()

    def facts(self) -> dict[str, Any]:
        """Return what `put_facts` kept; nothing if no estimator wrote the run."""
        try:
            facts = json.loads(self.files.get(ESTIMATOR, b"{}"))
        except ValueError as error:
            raise DamagedModel(path=ESTIMATOR, reason=one_line(error)) from None
        if not isinstance(facts, dict):
            raise DamagedModel(path=ESTIMATOR, reason="it holds no table")
        return facts

    @contextmanager
    def _unpacked(self) -> Iterator[Path]:
        """Lay the files out for a while, where what reads a run finds them."""
        with TemporaryDirectory() as folder:
            for name, content in self.files.items():
                (Path(folder) / name).write_bytes(content)
            yield Path(folder)


def _plain(value: object) -> Any:
    """Say a number of NumPy as JSON can hold it."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} cannot be saved")
