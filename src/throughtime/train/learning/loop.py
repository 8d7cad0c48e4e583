"""The loop: epochs, updates, early stopping, the best weights kept."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from throughtime.errors import TrainingDiverged
from throughtime.train.descent.averages import Average
from throughtime.train.folder import CHECKPOINT, METRICS, WEIGHTS, write
from throughtime.train.interruption import Interruption, Stopped
from throughtime.train.learning.checkpoints import write_checkpoint
from throughtime.train.learning.epoch import Epoch
from throughtime.train.learning.updates import NotFinite, Update, Updates
from throughtime.train.metrics import Meter, measure
from throughtime.train.model import Model
from throughtime.train.progress import Reporter, Row
from throughtime.train.settings import Settings
from throughtime.train.storage import read_weights, weights_of, write_weights
from throughtime.train.tasks import Answers, Task
from throughtime.train.zeros import ZeroCounter


@dataclass
class Outcome:
    """How a training went: a row per epoch, and why it ended.

    `stopped` is `"epochs"` (all were run), `"patience"` (validation grew no better),
    `"interrupted"` (Ctrl-C), or None as long as it goes on. `best_epoch` 0 stands for
    the weights before training.
    """

    rows: list[Row] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = math.inf
    stopped: str | None = None


class Loop:
    """One training of a model.

    Parameters
    ----------
    model, task, settings
        What learns what, and how.
    folder
        The run, where weights and metrics are kept as they come.
    reporter
        Told of all that happens.
    interruption
        Looked at after every update, and in validation. An epoch whose validation is
        stopped does not count, unless it is the only one: then it is finished, or
        nothing would be kept.
    """

    def __init__(
        self,
        model: Model,
        task: Task,
        settings: Settings,
        folder: Path,
        reporter: Reporter,
        interruption: Interruption,
    ) -> None:
        self.model, self.task, self.settings = model, task, settings
        self.folder, self.reporter = folder, reporter
        self.interruption = interruption
        order = torch.Generator().manual_seed(settings.seed)
        self.training = task.training(model, order)
        # Updates of an epoch; the last one may be of fewer batches.
        self.expected = -(-task.batches() // settings.accumulate)
        self.updates = Updates(model, settings, settings.epochs * self.expected)
        self.average = Average(
            self.updates.parameters,
            settings.average,
            settings.ema_decay,
            (settings.swa_start or 0.0) * settings.epochs,
        )
        self.zeros = ZeroCounter(model.network)
        self.outcome = Outcome()
        self.epoch = self._new_epoch(1)
        self.best: dict[str, Tensor] | None = None
        self._saved = time.monotonic()

    def run(self) -> Outcome:
        """Train until the end, and leave the model with its best weights.

        Raises
        ------
        TrainingDiverged
            A loss or gradient is not finite.
        CannotWrite
            The folder cannot be written to any more.
        """
        outcome = self.outcome
        outcome.stopped = self._end()
        while outcome.stopped is None:
            try:
                row = self._learn()
            except Stopped:
                outcome.stopped = "interrupted"
                break
            self._keep(row)
            self.reporter.epoch(row)
            outcome.stopped = self._end()
            if self.interruption.wanted:
                outcome.stopped = "interrupted"
        if outcome.stopped != "interrupted":
            self.save()
        read_weights(self.folder / WEIGHTS, self.model)
        return outcome

    def save(self) -> None:
        """Write a checkpoint: from it the training goes on to the same bits."""
        write_checkpoint(self.folder / CHECKPOINT, self.state_dict())
        self._saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Return all that what follows depends on."""
        outcome = self.outcome
        return {
            "model": self.model.state_dict(),
            "best": self.best,
            "updates": self.updates.state_dict(),
            "average": self.average.state_dict(),
            "training": self.training.state_dict(),
            "epoch": self.epoch.state_dict(),
            "rows": outcome.rows,
            "best_epoch": outcome.best_epoch,
            "best_loss": outcome.best_loss,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken; the folder is as it was then."""
        self.model.load_state_dict(state["model"])
        self.best = state["best"]
        self.updates.load_state_dict(state["updates"])
        self.average.load_state_dict(state["average"])
        self.training.load_state_dict(state["training"])
        self.epoch.load_state_dict(state["epoch"])
        self.outcome = Outcome(state["rows"], state["best_epoch"], state["best_loss"])
        self._write_metrics()
        if self.best is not None:
            path = self.folder / WEIGHTS
            write_weights(path, self.best, self.outcome.best_epoch)

    def _new_epoch(self, number: int) -> Epoch:
        return Epoch(number, Meter(self.task.metric, self.model), self.task.counted)

    def _end(self) -> str | None:
        """Say why there is no further epoch; None: there is one."""
        done, best = self.epoch.number - 1, self.outcome.best_epoch
        if done >= self.settings.epochs:
            return "epochs"
        if done - best >= self.settings.patience:
            return "patience"
        return None

    def _learn(self) -> Row:
        """Go through what is left of an epoch."""
        self.model.train()
        if not self.epoch.complete:
            self._go_through()
        if self.interruption.wanted:
            self.save()
        return self._validated()

    def _go_through(self) -> None:
        epoch = self.epoch
        for answers in self.training:
            update = self._update(answers)
            epoch.add(answers, update)
            self.reporter.batch(
                epoch.number, epoch.updates, self.expected, update.loss, epoch.rate
            )
            if self.interruption.wanted:
                return
            if time.monotonic() - self._saved >= self.settings.save_every:
                self.save()
        epoch.count(self._update(None))
        self.average.epoch(epoch.number)
        epoch.complete = True

    def _validated(self) -> Row:
        epoch, seconds = self.epoch, self.epoch.seconds
        try:
            with self.average.applied():
                may_stop = self._may_stop_validation()
                after = measure(self.task, self.model, "validation", may_stop)
                zeros = self._zero_fractions()
        except Stopped:
            self.save()
            raise
        return {**epoch.row(after, seconds), "zero_fraction": zeros}

    def _may_stop_validation(self) -> Interruption | None:
        """Give what may stop it: no wish that came before, as its epoch shall count."""
        early = self.interruption.wanted or not self.outcome.best_epoch
        return None if early else self.interruption

    def _update(self, answers: Answers | None) -> Update:
        """Take in a batch; None: the epoch has no more."""
        try:
            if answers is None:
                update = self.updates.finish()
            else:
                update = self.updates.take(answers)
        except NotFinite as found:
            raise TrainingDiverged(
                what=found.what,
                given=found.value,
                step=self.epoch.updates + 1,
                epoch=self.epoch.number,
                learning_rate=self.settings.learning_rate,
                clip=self.settings.clip,
                path=self.folder,
            ) from None
        if update.made:
            self.average.update()
        return update

    def _keep(self, row: Row) -> None:
        """Write the metrics, and the weights if they are the best so far.

        In this order: who opens the run tells by the weights, which know their epoch,
        whether a training was killed in between.
        """
        outcome = self.outcome
        row["best"] = row["validation_loss"] < outcome.best_loss
        outcome.rows.append(row)
        self._write_metrics()
        if row["best"]:
            with self.average.applied():
                self.best = weights_of(self.model)
            write_weights(self.folder / WEIGHTS, self.best, row["epoch"])
            outcome.best_loss = row["validation_loss"]
            outcome.best_epoch = row["epoch"]
        self.updates.schedule.epoch(row["validation_loss"])
        self.epoch = self._new_epoch(row["epoch"] + 1)

    def _write_metrics(self) -> None:
        lines = "".join(json.dumps(row) + "\n" for row in self.outcome.rows)
        write(self.folder / METRICS, lines.encode())

    @torch.no_grad()
    def _zero_fractions(self) -> list[float]:
        features, inputs, lengths = self.task.glimpse()
        device = self.model.head.weight.device
        inputs = {name: value.to(device) for name, value in inputs.items()}
        vectors, inputs = self.model.read(features.to(device), **inputs)
        return self.zeros.fractions(vectors, lengths, **inputs)
