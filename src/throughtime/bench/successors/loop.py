"""Learning within a time: epochs, early stopping, the best weights kept."""

import math
import time
from functools import partial

import torch
from torch import Tensor

from throughtime.errors import SuccessorDiverged
from throughtime.train import Model
from throughtime.train.asking.settings import Settings
from throughtime.train.descent.clipping import clip
from throughtime.train.descent.schedules import Schedule
from throughtime.train.interruption import Interruption, Stopped
from throughtime.train.metrics import measure
from throughtime.train.tasks import Answers, Task

# The schedule counts shares of the whole, of which this many are all.
_WHOLE = 1000


class TimedLoop:
    """One training of a network that is no recurrent one, by Adam.

    It ends after `settings.epochs`, after `settings.patience` epochs without a better
    validation loss, or when time is up or a Ctrl-C has come, also in the middle of an
    epoch; `stopped` says which. The step width
    rises and falls along one cycle, spread over time or epochs, whichever is sooner at
    its end. Validation is part of the time; one update is always made.

    Parameters
    ----------
    model, task, settings
        What learns what, and how.
    seconds
        The time.
    learning_rate
        The largest step width.
    interruption
        Whether a Ctrl-C has come; None: nobody asks.
    """

    def __init__(
        self,
        model: Model,
        task: Task,
        settings: Settings,
        seconds: float,
        learning_rate: float,
        interruption: Interruption | None = None,
    ) -> None:
        self.model, self.task, self.settings = model, task, settings
        self.limit, self.learning_rate = seconds, learning_rate
        self.interruption = interruption or Interruption()
        self.stopped = "epochs"
        self._began = time.perf_counter()
        self.parameters = list(model.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, learning_rate, fused=True)
        self.schedule = Schedule(self.optimizer, "onecycle", learning_rate, _WHOLE)
        order = torch.Generator().manual_seed(settings.seed)
        self.training, self.batches = task.training(model, order), task.batches()
        self.updates, self.epochs, self.best_loss = 0, 0.0, math.inf
        self._share = 0.0  # of the whole that is done
        self._validating = 0.0  # seconds that the last validation took
        self._best: dict[str, Tensor] = {}

    def run(self) -> None:
        """Learn, and leave the model with its best weights.

        Raises
        ------
        SuccessorDiverged
            A loss or gradient is not finite.
        """
        self._validate()
        best = number = 0
        while number < self.settings.epochs:
            number += 1
            whole = self._epoch(number)
            if not self.interruption.wanted and self._validate():
                best = number
            if not whole or self._over():
                self.stopped = "interrupted" if self.interruption.wanted else "time"
                break
            if number - best >= self.settings.patience:
                self.stopped = "patience"
                break
        self.model.load_state_dict(self._best)
        self.model.eval()

    @property
    def seconds(self) -> float:
        """How long it has gone on."""
        return time.perf_counter() - self._began

    def _over(self) -> bool:
        if self.interruption.wanted:
            return True
        return self.seconds + self._validating >= self.limit

    def _epoch(self, number: int) -> bool:
        """Go through an epoch; say whether to its end."""
        self.model.train()
        done = 0.0
        for answers in self.training:
            self._update(answers)
            done = min(done + answers.updates, self.batches)
            self.epochs = number - 1 + done / self.batches
            self._go_on()
            if self._over():
                return done >= self.batches
        self.epochs = float(number)
        return True

    def _update(self, answers: Answers) -> None:
        loss = answers.loss()
        self._check("The loss", loss)
        self.optimizer.zero_grad()
        loss.backward()
        check = partial(self._check, "The norm of the gradient")
        clip(self.parameters, self.settings.clip, self.settings.clip_value, check)
        self.optimizer.step()
        self.updates += 1

    def _go_on(self) -> None:
        """Set the step width by what is done of time and epochs."""
        share = max(self.epochs / self.settings.epochs, self.seconds / self.limit)
        self.schedule.update((share - self._share) * _WHOLE)
        self._share = share

    def _validate(self) -> bool:
        """Measure, and keep the weights if they are the best so far."""
        before = self.seconds
        # The first weights are measured whatever comes: there are no others.
        asked = self.interruption if self._best else None
        try:
            loss = measure(self.task, self.model, "validation", asked)["loss"]
        except Stopped:
            return False
        self._validating = self.seconds - before
        if not loss < self.best_loss and self._best:
            return False
        self.best_loss = loss
        state = self.model.state_dict()
        self._best = {name: value.clone() for name, value in state.items()}
        return True

    def _check(self, what: str, value: Tensor) -> None:
        if not math.isfinite(value.item()):
            raise SuccessorDiverged(
                what=what,
                name=type(self.model.network).__name__,
                given=value.item(),
                update=self.updates + 1,
                rate=self.learning_rate,
            )
