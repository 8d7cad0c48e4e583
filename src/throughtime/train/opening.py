"""The folder of a run, opened again."""

import os
import warnings
from pathlib import Path
from typing import Any

from throughtime.errors import DamagedModel
from throughtime.train.files.documents import read_metrics, read_settings
from throughtime.train.files.folder import METRICS, MODEL, WEIGHTS
from throughtime.train.files.storage import (
    load_model,
    one_line,
    read_document,
    read_epoch,
)
from throughtime.train.model import Model
from throughtime.train.runs import Run

UNTRAINED = "untrained: no epoch was finished"


def open_run(
    path: str | os.PathLike[str],
    *,
    backend: str = "auto",
    device: str = "cpu",
    data: Any = None,
) -> Run:
    """Open the folder of a run.

    Parameters
    ----------
    path
        The folder that `fit` or `throughtime train` wrote.
    backend, device
        As in `load`.
    data
        The path of the data of the training, if they have moved, or the data, if they
        were given in memory; they must be the same. None: where they were.

    Raises
    ------
    NotARun, DamagedModel, DamagedWeights
        There is none, or it is damaged.
    """
    folder = Path(path)
    document = read_document(folder)
    try:
        settings = read_settings(document)
    except (TypeError, ValueError) as error:
        raise DamagedModel(path=folder / MODEL, reason=one_line(error)) from None
    best = read_epoch(folder / WEIGHTS)
    # An epoch counts from the moment its weights are kept: a training that was killed
    # just before has written its row already.
    metrics = [
        row
        for row in read_metrics(folder / METRICS)
        if row["epoch"] <= best or not row["best"]
    ]
    return Run(
        folder,
        document,
        metrics,
        settings,
        best,
        backend=backend,
        device=device,
        moved_to=data,
    )


def load(
    path: str | os.PathLike[str], *, backend: str = "auto", device: str = "cpu"
) -> Model:
    """Load the model of a run: preprocessing, network and output.

    Everything comes from the folder: no pickle, and not the source of the cell.

    Parameters
    ----------
    path
        The folder that `fit` or `throughtime train` wrote.
    backend
        As in `Recurrent`.
    device
        Where the model shall live.

    Returns
    -------
    Model
        With the best weights, in evaluation mode; a warning says if no epoch of its
        training was finished.

    Raises
    ------
    NotARun, DamagedModel, DamagedWeights
        There is no run, or it is damaged.
    """
    folder = Path(path)
    model = load_model(folder, backend=backend, device=device)
    if read_epoch(folder / WEIGHTS) == 0:
        warnings.warn(f"'{folder}' is {UNTRAINED}", stacklevel=2)
    return model
