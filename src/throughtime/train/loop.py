"""The loop: epochs, updates, early stopping, the best weights kept."""

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from throughtime.errors import TrainingDiverged
from throughtime.train.folder import METRICS, WEIGHTS, write
from throughtime.train.interruption import Interruption, Stopped
from throughtime.train.metrics import Meter, measure
from throughtime.train.model import Model
from throughtime.train.progress import Reporter, Row
from throughtime.train.settings import Settings
from throughtime.train.storage import read_weights, write_weights
from throughtime.train.tasks import Task
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
    stopped: str | None = "epochs"


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
        self.parameters = list(model.parameters())
        self.optimizer = make_optimizer(self.parameters, settings)
        self.updates, self.batches = 0, task.batches()
        self.order = torch.Generator().manual_seed(settings.seed)
        self.zeros = ZeroCounter(model.network)
        self.outcome = Outcome()

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
        for epoch in range(1, self.settings.epochs + 1):
            try:
                row = self._epoch(epoch)
            except Stopped:
                outcome.stopped = "interrupted"
                break
            self._keep(row)
            self.reporter.epoch(row)
            if self.interruption.wanted:
                outcome.stopped = "interrupted"
                break
            if epoch - outcome.best_epoch >= self.settings.patience:
                outcome.stopped = "patience"
                break
        read_weights(self.folder / WEIGHTS, self.model)
        return outcome

    def _epoch(self, epoch: int) -> Row:
        model, task = self.model.train(), self.task
        meter = Meter(task.metric, model)
        started, sequences, steps, updates, clipped = time.perf_counter(), 0, 0, 0, 0
        for answers in task.train(model, self.order):
            loss = answers.loss()
            clipped += self._update(loss, epoch, updates + 1)
            meter.update(answers)
            updates += 1
            sequences, steps = sequences + answers.sequences, steps + answers.steps
            counted = sequences if task.counted == "sequences" else steps
            rate = counted / (time.perf_counter() - started)
            self.reporter.batch(epoch, updates, self.batches, loss.item(), rate)
            if self.interruption.wanted:
                break
        seconds = time.perf_counter() - started
        after = measure(task, model, "validation", self._may_stop_validation())
        return {
            "epoch": epoch,
            **meter.result(),
            **{f"validation_{name}": value for name, value in after.items()},
            "updates": updates,
            "seconds": seconds,
            "sequences_per_second": sequences / seconds,
            "steps_per_second": steps / seconds,
            "clip_rate": clipped / updates,
            "zero_fraction": self._zero_fractions(),
        }

    def _may_stop_validation(self) -> Interruption | None:
        """Give what may stop it: no wish that came before, as its epoch shall count."""
        early = self.interruption.wanted or not self.outcome.best_epoch
        return None if early else self.interruption

    def _update(self, loss: Tensor, epoch: int, step: int) -> bool:
        """Take one step of gradient descent; whether its gradient was clipped."""
        self._check_finite("The loss", loss, epoch, step)
        self.optimizer.zero_grad()
        loss.backward()
        limit = self.settings.clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, limit)
        self._check_finite("The norm of the gradient", norm, epoch, step)
        self.optimizer.step()
        self._turn_down()
        return bool(norm > limit)

    def _turn_down(self) -> None:
        """Set the step width of the next update."""
        self.updates += 1
        if self.settings.schedule == "constant":
            return
        # Where pieces are cut anew in each epoch, there may be some updates more.
        done = min(1.0, self.updates / (self.settings.epochs * self.batches))
        for group in self.optimizer.param_groups:
            share = (1 + math.cos(math.pi * done)) / 2
            group["lr"] = share * self.settings.learning_rate

    def _check_finite(self, what: str, value: Tensor, epoch: int, step: int) -> None:
        if not math.isfinite(value.item()):
            raise TrainingDiverged(
                what=what,
                given=value.item(),
                step=step,
                epoch=epoch,
                learning_rate=self.settings.learning_rate,
                clip=self.settings.clip,
                path=self.folder,
            )

    def _keep(self, row: Row) -> None:
        """Write the metrics, and the weights if they are the best so far.

        In this order: who opens the run tells by the weights, which know their epoch,
        whether a training was killed in between.
        """
        outcome = self.outcome
        row["best"] = row["validation_loss"] < outcome.best_loss
        outcome.rows.append(row)
        lines = "".join(json.dumps(row) + "\n" for row in outcome.rows)
        write(self.folder / METRICS, lines.encode())
        if row["best"]:
            write_weights(self.folder / WEIGHTS, self.model, row["epoch"])
            outcome.best_loss = row["validation_loss"]
            outcome.best_epoch = row["epoch"]

    @torch.no_grad()
    def _zero_fractions(self) -> list[float]:
        features, inputs, lengths = self.task.glimpse()
        device = self.model.head.weight.device
        inputs = {name: value.to(device) for name, value in inputs.items()}
        vectors, inputs = self.model.read(features.to(device), **inputs)
        return self.zeros.fractions(vectors, lengths, **inputs)


def make_optimizer(
    parameters: list[torch.nn.Parameter], settings: Settings
) -> Optimizer:
    """Build the optimiser of the settings."""
    if settings.optimizer == "sgd":
        return SGD(parameters, lr=settings.learning_rate)
    return Adam(parameters, lr=settings.learning_rate, fused=True)
