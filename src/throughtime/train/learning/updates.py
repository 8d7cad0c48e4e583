"""From losses to new weights, one update after the other."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch.optim import SGD, Adam, Optimizer

from throughtime.train.model import Model
from throughtime.train.settings import Settings
from throughtime.train.tasks import Answers


class NotFinite(Exception):
    """A loss or gradient that is no finite number; the weights are as they were."""

    def __init__(self, what: str, value: float, *, of_loss: bool) -> None:
        super().__init__(what, value)
        self.what, self.value, self.of_loss = what, value, of_loss


class Update(NamedTuple):
    """What an update was.

    The loss before it, the norm of its gradient and whether that was clipped, and the
    step width.
    """

    loss: float
    norm: float
    clipped: bool
    step_width: float


class Updates:
    """Gradient descent: all that changes the weights.

    Parameters
    ----------
    model
        Whose weights.
    settings
        Optimiser, step width, clipping.
    expected
        How many updates there will be at most: over them the step width falls.
    """

    def __init__(self, model: Model, settings: Settings, expected: int) -> None:
        self.settings, self.expected = settings, expected
        self.parameters = list(model.parameters())
        self.optimizer = make_optimizer(self.parameters, settings)
        self.done = 0

    def take(self, answers: Answers) -> Update:
        """Take one step of gradient descent.

        Raises
        ------
        NotFinite
            The loss or its gradient is not.
        """
        loss = answers.loss()
        if not math.isfinite(loss.item()):
            raise NotFinite("The loss", loss.item(), of_loss=True)
        self.optimizer.zero_grad()
        loss.backward()
        limit = self.settings.clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, limit)
        if not math.isfinite(norm.item()):
            raise NotFinite("The norm of the gradient", norm.item(), of_loss=False)
        step_width = self.optimizer.param_groups[0]["lr"]
        self.optimizer.step()
        self._turn_down()
        return Update(loss.item(), norm.item(), bool(norm > limit), step_width)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next update depends on, beside the weights."""
        return {"done": self.done, "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.done = state["done"]
        self.optimizer.load_state_dict(state["optimizer"])

    def _turn_down(self) -> None:
        """Set the step width of the next update."""
        self.done += 1
        if self.settings.schedule == "constant":
            return
        # Where pieces are cut anew in each epoch, there may be some updates more.
        done = min(1.0, self.done / self.expected)
        for group in self.optimizer.param_groups:
            share = (1 + math.cos(math.pi * done)) / 2
            group["lr"] = share * self.settings.learning_rate


def make_optimizer(
    parameters: list[torch.nn.Parameter], settings: Settings
) -> Optimizer:
    """Build the optimiser of the settings."""
    if settings.optimizer == "sgd":
        return SGD(parameters, lr=settings.learning_rate)
    return Adam(parameters, lr=settings.learning_rate, fused=True)
