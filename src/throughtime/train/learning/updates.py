"""From losses to new weights, one update after the other."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from throughtime.train.descent.clipping import clip, divide
from throughtime.train.descent.optimizers import load_optimizer, make_optimizer
from throughtime.train.descent.schedules import Schedule
from throughtime.train.model import Model
from throughtime.train.settings import Settings
from throughtime.train.tasks import Answers


class NotFinite(Exception):
    """A loss or gradient that is no finite number; the weights are as they were."""

    def __init__(self, what: str, value: float) -> None:
        super().__init__(what, value)
        self.what, self.value = what, value


class Update(NamedTuple):
    """What a batch came to: its loss, updates made, and whether one was clipped."""

    loss: float
    clipped: bool
    made: int = 1


class Updates:
    """Gradient descent: all that changes the weights.

    Parameters
    ----------
    model
        Whose weights.
    settings
        Optimiser, step width, clipping, batches to an update.
    expected
        How many updates there will be at most: over them the step width falls.
    """

    def __init__(self, model: Model, settings: Settings, expected: int) -> None:
        self.settings = settings
        self.parameters = list(model.parameters())
        self.optimizer = make_optimizer(
            settings.optimizer,
            self.parameters,
            settings.learning_rate,
            settings.weight_decay,
            settings.momentum,
            settings.optimizer_options,
        )
        self.schedule = Schedule(
            self.optimizer,
            settings.schedule,
            settings.learning_rate,
            expected,
            settings.schedule_factor,
            settings.schedule_epochs,
            settings.warmup,
        )
        # Of an update that is not made yet: its batches, and their answers.
        self._batches, self._weight = 0, 0.0

    def take(self, answers: Answers) -> Update:
        """Take in the loss of a batch, and change the weights if it is their turn.

        The gradient of an update is that of the mean over all answers of its batches.

        Raises
        ------
        NotFinite
            The loss or its gradient is not.
        """
        loss = answers.loss()
        _check_finite("The loss", loss)
        if not self._batches:
            self.optimizer.zero_grad()
        if self.settings.accumulate == 1:
            weight = 1.0
            loss.backward()
        else:
            weight = float(answers.counts.sum())
            (loss * weight).backward()
        self._batches, self._weight = self._batches + 1, self._weight + weight
        if self._batches < self.settings.accumulate:
            return Update(loss.item(), clipped=False, made=0)
        return Update(loss.item(), self._change())

    def finish(self) -> Update:
        """Make an update of the batches that are left at the end of an epoch."""
        if not self._batches:
            return Update(math.nan, clipped=False, made=0)
        return Update(math.nan, self._change())

    def _change(self) -> bool:
        """Change the weights, and say whether the gradient was clipped."""
        if self._weight not in (0.0, 1.0):
            divide(self.parameters, self._weight)
        self._batches, self._weight = 0, 0.0
        settings = self.settings
        clipped = clip(self.parameters, settings.clip, settings.clip_value, _check_norm)
        self.optimizer.step()
        self.schedule.update()
        return clipped

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next update depends on, beside the weights."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "batches": self._batches,
            "weight": self._weight,
            "gradients": [one.grad for one in self.parameters] if self._batches else [],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        load_optimizer(self.optimizer, state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self._batches, self._weight = state["batches"], state["weight"]
        if not self._batches:
            return
        for own, gradient in zip(self.parameters, state["gradients"], strict=True):
            own.grad = None if gradient is None else gradient.to(own, copy=True)


def _check_norm(norm: Tensor) -> None:
    _check_finite("The norm of the gradient", norm)


def _check_finite(what: str, value: Tensor) -> None:
    if not math.isfinite(value.item()):
        raise NotFinite(what, value.item())
