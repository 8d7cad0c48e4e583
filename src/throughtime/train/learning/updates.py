"""From losses to new weights, one update after the other."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from throughtime.train.model import Model
from throughtime.train.ranks import ALONE, Ranks
from throughtime.train.ranks.ranks import share_gradient
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
    ranks
        Whose answers make one update together.
    """

    def __init__(
        self, model: Model, settings: Settings, expected: int, ranks: Ranks = ALONE
    ) -> None:
        self.settings, self.expected, self.ranks = settings, expected, ranks
        self.parameters = list(model.parameters())
        self.optimizer = make_optimizer(self.parameters, settings)
        self.count = 0
        # How many of the expected ones these are, where batches differ in length.
        self.done = 0.0

    def take(self, answers: Answers) -> Update:
        """Take one step of gradient descent.

        Raises
        ------
        NotFinite
            The loss or its gradient is not.
        """
        loss = self._gradient(answers)
        limit = self.settings.clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, limit)
        if not math.isfinite(norm.item()):
            raise NotFinite("The norm of the gradient", norm.item(), of_loss=False)
        step_width = self.optimizer.param_groups[0]["lr"]
        self.optimizer.step()
        self._turn_down(answers.updates)
        return Update(loss.item(), norm.item(), bool(norm > limit), step_width)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next update depends on, beside the weights."""
        optimizer = self.optimizer.state_dict()
        return {"count": self.count, "done": self.done, "optimizer": optimizer}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.count, self.done = state["count"], state["done"]
        self.optimizer.load_state_dict(state["optimizer"])

    def _gradient(self, answers: Answers) -> Tensor:
        """Find the gradient of the mean loss over all answers, of all ranks."""
        loss = answers.loss()
        self.optimizer.zero_grad()
        if self.ranks.alone:
            _check_loss(loss)
            loss.backward()
            return loss
        weight = answers.weight()
        (loss * weight).backward()
        loss = share_gradient(self.ranks, self.parameters, loss, weight)
        _check_loss(loss)
        return loss

    def _turn_down(self, updates: float) -> None:
        """Set the step width of the next update."""
        self.count, self.done = self.count + 1, self.done + updates
        if self.settings.schedule == "constant":
            return
        # Where pieces are cut anew in each epoch, there may be some updates more.
        done = min(1.0, self.done / self.expected)
        for group in self.optimizer.param_groups:
            share = (1 + math.cos(math.pi * done)) / 2
            group["lr"] = share * self.settings.learning_rate


def _check_loss(loss: Tensor) -> None:
    if not math.isfinite(loss.item()):
        raise NotFinite("The loss", loss.item(), of_loss=True)


def make_optimizer(
    parameters: list[torch.nn.Parameter], settings: Settings
) -> Optimizer:
    """Build the optimiser of the settings."""
    if settings.optimizer == "sgd":
        return SGD(parameters, lr=settings.learning_rate)
    return Adam(parameters, lr=settings.learning_rate, fused=True)
