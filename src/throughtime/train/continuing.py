"""One more pass over new data, for a model that has learned already."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch

from throughtime.data import SequenceDataset
from throughtime.train.asking.settings import Settings
from throughtime.train.descent.optimizers import load_optimizer
from throughtime.train.files.folder import WEIGHTS, passing
from throughtime.train.files.storage import weights_of, write_weights
from throughtime.train.interruption import interruptible
from throughtime.train.learning import Loop
from throughtime.train.model import Model
from throughtime.train.showing.progress import Row, Silent
from throughtime.train.tasks import make_task

ONE_PASS: Final[dict[str, Any]] = {
    "epochs": 1,
    "schedule": "constant",
    "schedule_factor": None,
    "schedule_epochs": None,
    "schedule_options": None,
    "warmup": 0,
    "average": None,
    "ema_decay": None,
    "swa_start": None,
}
"""Settings of one pass among many: nothing falls or rises along it, or is averaged."""


def go_on(
    model: Model,
    dataset: SequenceDataset,
    settings: Settings,
    optimizer: dict[str, Any] | None = None,
) -> tuple[Row, dict[str, Any]]:
    """Train a model for one more pass, its step width as it was at first.

    Its scales and its output stay those of the data it was made for.

    Parameters
    ----------
    model
        It is changed.
    dataset
        The sequences, with the columns of the model.
    settings
        Those of its training.
    optimizer
        The state of the optimiser after the pass before; None: it begins.

    Returns
    -------
    row : dict
        What the pass brought, as in `Run.metrics`.
    optimizer : dict
        The state for the next pass.

    Raises
    ------
    TrainingDiverged
        A loss or gradient is not finite; the model is as it was.
    """
    once = replace(settings, **ONE_PASS)
    before = weights_of(model)
    with (
        TemporaryDirectory(prefix="throughtime-") as folder,
        passing(),
        torch.random.fork_rng(devices=[]),
        interruptible() as interruption,
    ):
        torch.manual_seed(settings.seed)
        write_weights(Path(folder) / WEIGHTS, before, epoch=0)
        task = make_task(dataset, once)
        loop = Loop(model, task, once, Path(folder), Silent(), interruption)
        if optimizer is not None:
            load_optimizer(loop.updates.optimizer, optimizer)
        try:
            outcome = loop.run()
        except BaseException:
            model.load_state_dict(before)
            raise
        finally:
            model.eval()
    return outcome.rows[-1], loop.updates.optimizer.state_dict()
