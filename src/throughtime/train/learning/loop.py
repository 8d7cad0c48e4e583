"""The loop: epochs, updates, early stopping, the best weights kept."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from throughtime.diagnose.flow import Place, dead_units
from throughtime.errors import TrainingDiverged
from throughtime.train.asking.settings import Settings
from throughtime.train.descent.averages import Average
from throughtime.train.files.documents import metrics_lines
from throughtime.train.files.folder import CHECKPOINT, FLOW, METRICS, WEIGHTS, write
from throughtime.train.files.storage import read_weights, weights_of, write_weights
from throughtime.train.interruption import Interruption, Stopped
from throughtime.train.learning.blame import (
    advice,
    blame_gradient,
    blame_values,
    not_finite_weight,
)
from throughtime.train.learning.checkpoints import write_checkpoint
from throughtime.train.learning.epoch import Epoch
from throughtime.train.learning.flossing import Flossing
from throughtime.train.learning.updates import NotFinite, Update, Updates
from throughtime.train.learning.watching import FlowWatch
from throughtime.train.metrics import Meter, measure
from throughtime.train.model import Model
from throughtime.train.showing.progress import Moment, Reporter, Row
from throughtime.train.tasks import Answers, Task
from throughtime.train.zeros import count_zeros


@dataclass
class Outcome:
    """How a training went: a row per epoch, and why it ended.

    `stopped` is `"epochs"` (all were run), `"patience"` (validation grew no better),
    `"time"` (its limit is reached), `"interrupted"` (Ctrl-C), or None as long as it
    goes on. `best_epoch` 0 stands for the weights before training. `seconds` is the
    time that it took, the parts before an interruption included.
    """

    rows: list[Row] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = math.inf
    stopped: str | None = None
    seconds: float = 0.0


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

    Several ranks, those of the task, go through this together: each update, each end of
    an epoch and each wish to stop is that of all. The first of them writes.
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
        self.ranks = task.ranks
        self.batches = task.batches()
        expected = settings.updates(self.batches)
        self.updates = Updates(model, settings, expected, self.ranks)
        self.average = Average(
            self.updates.parameters,
            settings.average,
            settings.ema_decay,
            (settings.swa_start or 0.0) * settings.epochs,
            self.updates.settle,
        )
        self.watch = FlowWatch(
            model,
            wanted=settings.watch is not None,
            from_end=model.pooling is not None,
        )
        self.flossing = Flossing(model, task, settings)
        self.flossed = 0  # the last epoch before which that was done
        self.outcome = Outcome()
        self.epoch = self._new_epoch(1)
        self.best = weights_of(model)
        self._saved = time.monotonic()
        self._since, self._before = time.perf_counter(), 0.0

    @property
    def seconds(self) -> float:
        """How long it has gone on, the parts before an interruption included."""
        return self._before + time.perf_counter() - self._since

    def run(self) -> Outcome:
        """Train until the end, and leave the model with its best weights.

        Raises
        ------
        TrainingDiverged
            A loss, gradient or weight is not finite.
        CannotWrite
            The folder cannot be written to any more.
        """
        outcome = self.outcome
        outcome.stopped = self._end()
        self._align()
        while outcome.stopped is None:
            try:
                row = self._learn()
            except Stopped:
                outcome.stopped = "interrupted"
                break
            whole = self.epoch.complete
            self._keep(row)
            self.reporter.epoch(row)
            outcome.stopped = (self._end() if whole else None) or self._cut_short()
            if whole and outcome.stopped is not None:
                self.save()
        if self.ranks.first:
            read_weights(self.folder / WEIGHTS, self.model)
        self._align()
        outcome.seconds = self.seconds
        return outcome

    def save(self) -> None:
        """Write a checkpoint: from it the training goes on to the same bits.

        Raises
        ------
        TrainingDiverged
            A weight is not finite: the last checkpoint stays.
        """
        self._check_weights()
        write_checkpoint(self.folder / CHECKPOINT, self.state_dict(), self.ranks)
        self._saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Return all that what follows depends on."""
        outcome = self.outcome
        with self.updates.unsettled():
            model, updates = self.model.state_dict(), self.updates.state_dict()
        return {
            "model": model,
            "best": self.best,
            "updates": updates,
            "begun": self.updates.begun(),
            "average": self.average.state_dict(),
            "watch": self.watch.state_dict(),
            "training": self.training.state_dict(),
            "epoch": self.epoch.state_dict(),
            "flossed": self.flossed,
            "rows": outcome.rows,
            "best_epoch": outcome.best_epoch,
            "best_loss": outcome.best_loss,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken; the folder is as it was then."""
        self.model.load_state_dict(state["model"])
        self.best = state["best"]
        self.updates.load_state_dict(state["updates"])
        self.updates.go_on(state["begun"])
        self.average.load_state_dict(state["average"])
        self.watch.load_state_dict(state["watch"])
        self.training.load_state_dict(state["training"])
        self.epoch.load_state_dict(state["epoch"])
        self.flossed = state["flossed"]
        self.outcome = Outcome(state["rows"], state["best_epoch"], state["best_loss"])
        # A checkpoint of before there was a limit does not know it.
        self._since, self._before = time.perf_counter(), state.get("seconds", 0.0)
        self._write_metrics()
        self._write_best()

    def _new_epoch(self, number: int) -> Epoch:
        return Epoch(number, Meter(self.task.metric, self.model), self.task.counted)

    def _end(self) -> str | None:
        """Say why there is no further epoch; None: there is one."""
        done, best = self.epoch.number - 1, self.outcome.best_epoch
        if done >= self.settings.epochs:
            return "epochs"
        if done - best >= self.settings.patience:
            return "patience"
        # There is one epoch at least, and what one has learned is to be validated.
        begun = bool(self.epoch.done) or not self.outcome.rows
        return None if begun or not self._over() else "time"

    def _cut_short(self) -> str | None:
        """Say why it ends although there is more to do; None: it goes on."""
        if self._interrupted():
            return "interrupted"
        return "time" if self._over() else None

    def _over(self) -> bool:
        """Say whether the time of any rank is used up."""
        limit = self.settings.time_limit
        return limit is not None and self.ranks.any(self.seconds >= limit)[0]

    def _learn(self) -> Row:
        """Go through what is left of an epoch."""
        self.model.train()
        self._floss()
        over = bool(self.epoch.done) and self._over()
        if not self.epoch.complete and not over:
            with self.updates.flow.noted():
                self._go_through()
        if self._cut_short():
            self.save()
        return self._validated()

    def _floss(self) -> None:
        """Push exponents towards 0, where it is time for that and not done yet."""
        number = self.epoch.number
        if not self.flossing.due(number) or self.flossed == number:
            return
        self.updates.settle()
        self.reporter.say(self.ranks.from_first(lambda: self.flossing.run(number)))
        self._align()
        self.flossed = number
        self.epoch = self._new_epoch(number)  # whose time begins here
        self.save()

    def _go_through(self) -> None:
        """Learn from all batches that are left."""
        answers: Answers | None = None
        for answers in self.watch.over(self.training):
            update = self._update(partial(self.updates.take, answers), answers)
            self.watch.take()
            self.epoch.add(answers, update)
            self.reporter.batch(self._moment(update))
            due = time.monotonic() - self._saved >= self.settings.save_every
            over = self.seconds >= (self.settings.time_limit or math.inf)
            stop, save = self.ranks.any(self.interruption.wanted or over, due)
            if stop:
                return
            if save:
                self.save()
        update = self._update(self.updates.finish, answers)
        if update.made:
            self.epoch.count(update)
            self.reporter.batch(self._moment(update))
        self._check_weights()  # or the loss of validation would hide it
        self.average.epoch(self.epoch.number)
        self.epoch.complete = True

    def _moment(self, update: Update) -> Moment:
        return Moment(
            epoch=self.epoch.number,
            done=round(self.epoch.done),
            of=self.batches,
            update=self.updates.count,
            loss=update.loss,
            norm=update.norm,
            step_width=update.step_width,
            rate=self.epoch.rate * self.ranks.world,
        )

    def _validated(self) -> Row:
        epoch, seconds = self.epoch, self.epoch.seconds
        self.updates.settle()
        self._align()
        try:
            with self.average.applied():
                may_stop = self._may_stop_validation()
                after = measure(self.task, self.model, "validation", may_stop)
                zeros, dead = self._zeros()
        except Stopped:
            self.save()
            raise
        self.watch.epoch(epoch.number, dead)
        row = epoch.row(after, seconds, self.ranks)
        chosen = self.training.tbptt
        return {
            **row,
            **zeros,
            **({"tbptt": chosen} if chosen else {}),
        }

    def _may_stop_validation(self) -> Interruption | None:
        """Give what may stop it: no wish that came before, as its epoch shall count."""
        early = self._interrupted() or not self.outcome.best_epoch
        return None if early else self.interruption

    def _interrupted(self) -> bool:
        """Say whether the person has asked any rank to stop."""
        return self.ranks.any(self.interruption.wanted)[0]

    def _align(self) -> None:
        """Give all ranks the weights of the first; machines may round differently."""
        self.ranks.spread(self.model.parameters())

    def _update(self, make: Callable[[], Update], last: Answers | None) -> Update:
        """Make what may be an update; `last` are the newest answers, if any are."""
        try:
            update = make()
        except NotFinite as found:
            blame = blame_values if found.of_loss else blame_gradient
            # Of several processes, one may have read what is to blame.
            found_by = filter(None, self.ranks.gather(blame(self.model, last)))
            where = next(found_by, "not when its last batch was run again")
            update = self.epoch.updates + 1
            raise self._diverged(found.what, found.value, where, update) from None
        if update.made:
            self.average.update()
        return update

    def _check_weights(self) -> None:
        weight = not_finite_weight(self.model)
        if weight is not None:
            where, update = "made so by this update", self.epoch.updates
            raise self._diverged(f"The weight {weight}", math.nan, where, update)

    def _diverged(
        self, what: str, given: float, where: str, update: int
    ) -> TrainingDiverged:
        return TrainingDiverged(
            what=what,
            given=given,
            where=where,
            update=update,
            epoch=self.epoch.number,
            path=self.folder,
            advice=advice(self.settings, first=not self.updates.count),
        )

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
            outcome.best_loss = row["validation_loss"]
            outcome.best_epoch = row["epoch"]
            self._write_best()
        self.updates.schedule.epoch(row["validation_loss"])
        self.epoch = self._new_epoch(row["epoch"] + 1)

    def _write_best(self) -> None:
        if self.ranks.first:
            write_weights(self.folder / WEIGHTS, self.best, self.outcome.best_epoch)

    def _write_metrics(self) -> None:
        if self.ranks.first:
            write(self.folder / METRICS, metrics_lines(self.outcome.rows))
            if self.watch.wanted:
                write(self.folder / FLOW, metrics_lines(self.watch.rows))

    @torch.no_grad()
    def _zeros(self) -> tuple[dict[str, Any], dict[Place, Tensor]]:
        """Count what is exactly 0 in a few sequences, and units that always are."""
        features, inputs, lengths = self.task.glimpse()
        device = self.model.head.weight.device
        inputs = {name: value.to(device) for name, value in inputs.items()}
        vectors, inputs = self.model.read(features.to(device), **inputs)
        zeros = count_zeros(self.model.recurrent, vectors, lengths, **inputs)
        if not self.watch.wanted:
            return zeros, {}
        network = self.model.recurrent
        keywords = inputs if network.sparse_input else {**inputs, "lengths": lengths}
        return zeros, dead_units(network, (vectors,), keywords)
