"""From losses to new weights, one update after the other."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from torch import Tensor
from torch.optim import Optimizer

from throughtime.optim.base import RowOptimizer
from throughtime.optim.lazy import LazyOptimizer
from throughtime.train.asking.settings import Settings
from throughtime.train.descent.clipping import clip, divide
from throughtime.train.descent.gradients import make_dense
from throughtime.train.descent.optimizers import (
    load_optimizer,
    make_optimizer,
    takes_rows,
)
from throughtime.train.descent.penalties import weights_of_input
from throughtime.train.descent.schedules import Schedule
from throughtime.train.descent.torch_schedules import OF_TORCH, TorchSchedule
from throughtime.train.learning.flow import Flow
from throughtime.train.model import Model
from throughtime.train.ranks import ALONE, Ranks
from throughtime.train.ranks.ranks import share_gradient
from throughtime.train.tasks import Answers


class NotFinite(Exception):
    """A loss or gradient that is no finite number; the weights are as they were."""

    def __init__(self, what: str, value: float, *, of_loss: bool) -> None:
        super().__init__(what, value)
        self.what, self.value, self.of_loss = what, value, of_loss


class Update(NamedTuple):
    """What a batch came to.

    Its loss, before the weights changed; the norm of the gradient, whether that was
    clipped, and the step width of the update that was made, if one was.
    """

    loss: float
    norm: float = math.nan
    clipped: bool = False
    step_width: float = math.nan
    made: int = 0


class Updates:
    """Gradient descent: all that changes the weights.

    The gradient of an update is that of the mean over all answers of its batches, on
    all ranks, and of the flow penalty, which shows in no loss.

    Parameters
    ----------
    model
        Whose weights.
    settings
        Optimiser, step width, clipping, batches to an update.
    expected
        How many updates there will be at most: over them the step width falls.
    ranks
        Whose answers make one update together.
    """

    def __init__(
        self, model: Model, settings: Settings, expected: int, ranks: Ranks = ALONE
    ) -> None:
        self.settings, self.ranks = settings, ranks
        self.parameters = list(model.parameters())
        network = model.recurrent
        self.flow = Flow(network, settings.flow_penalty)
        # Weights that only have gradients for the rows that a batch names.
        self.tables = [network.get_parameter(name) for name in network.tables]
        self.optimizer = make_optimizer(
            settings.descent, self.parameters, weights_of_input(network)
        )
        own = self.optimizer
        self._lazy = own if isinstance(own, LazyOptimizer) else None
        self.schedule = _schedule(self.optimizer, settings, expected)
        self.count = 0
        # Of an update that is not made yet: its batches, how many they were expected
        # to be, their answers, and the sum of their losses.
        self._batches, self._expected = 0, 0.0
        self._weight, self._loss = 0.0, 0.0

    @property
    def shared(self) -> bool:
        """Whether an update is of several batches, here or on all ranks."""
        return self.settings.accumulate > 1 or not self.ranks.alone

    def take(self, answers: Answers) -> Update:
        """Take in the loss of a batch, and change the weights if it is their turn.

        Raises
        ------
        NotFinite
            The loss or its gradient is not.
        """
        loss = answers.loss()
        if self.ranks.alone:
            _check_loss(loss)
        if not self._batches:
            self.optimizer.zero_grad()
        weight = float(answers.weight()) if self.shared else 1.0
        (loss * weight if self.shared else loss).backward()
        self.flow.add(answers, weight)
        self._batches += 1
        self._expected += answers.updates
        self._weight += weight
        self._loss += loss.item() * weight
        if self._batches < self.settings.accumulate:
            return Update(loss.item())
        return self._change()

    def finish(self) -> Update:
        """Make an update of the batches that are left at the end of an epoch."""
        return self._change() if self._batches else Update(math.nan)

    def settle(self) -> None:
        """Do to the weights what the optimiser has put off."""
        if self._lazy is not None:
            self._lazy.settle()

    def unsettled(self) -> AbstractContextManager[None]:
        """Let the weights be saved as they are, for a training that goes on.

        A checkpoint that settled them would give it other bits.
        """
        return nullcontext() if self._lazy is None else self._lazy.unsettled()

    def state_dict(self) -> dict[str, Any]:
        """Return what all updates to come depend on, beside the weights."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "waiting": [] if self._lazy is None else self._lazy.waiting(),
            "schedule": self.schedule.state_dict(),
            "count": self.count,
        }

    def begun(self) -> dict[str, Any]:
        """Return this rank's part of an update that is not made yet."""
        return {
            **{name: getattr(self, f"_{name}") for name in _OF_BATCHES},
            "gradients": [one.grad for one in self.parameters] if self._batches else [],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        load_optimizer(self.optimizer, state["optimizer"])
        if self._lazy is not None:
            self._lazy.wait_on(state["waiting"])
        self.schedule.load_state_dict(state["schedule"])
        self.count = state["count"]

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Take up what `begun` gave."""
        for name in _OF_BATCHES:
            setattr(self, f"_{name}", state[name])
        if not self._batches:
            return
        for own, gradient in zip(self.parameters, state["gradients"], strict=True):
            if gradient is not None:
                gradient = gradient.to(own.device, own.dtype, copy=True)
            own.grad = gradient

    def _change(self) -> Update:
        """Change the weights by the gradient of all batches."""
        loss, settings = self._mean_loss(), self.settings
        if not takes_rows(self.optimizer):
            make_dense(self.tables)
        clipped, norm = clip(
            self.parameters, settings.clip, settings.clip_value, _check_norm
        )
        step_width = self.optimizer.param_groups[0]["lr"]
        self.optimizer.step()
        self.count += 1
        self.schedule.update(self._expected / self._batches)
        self._batches, self._expected = 0, 0.0
        self._weight, self._loss = 0.0, 0.0
        return Update(loss, norm, clipped, step_width, made=1)

    def _mean_loss(self) -> float:
        """Make of sums over batches and ranks the mean, of gradients as of the loss."""
        if not self.shared:
            return self._loss
        mean, weight = self._loss / max(self._weight, 1.0), max(self._weight, 1.0)
        if self.ranks.alone:
            divide(self.parameters, weight)
            return mean
        sums = self.parameters[0].new_tensor([mean, self._weight])
        of_all = sums[0], sums[1]
        loss = share_gradient(self.ranks, self.parameters, *of_all, self.tables)
        self._catch_up()
        _check_loss(loss)
        return loss.item()

    def _catch_up(self) -> None:
        """Do what was put off to the rows that other ranks have read."""
        if isinstance(self.optimizer, RowOptimizer):
            for table in self.tables:
                if table.grad is not None:
                    self.optimizer.catch_up(table.grad._indices()[0], table)


def _schedule(
    optimizer: Optimizer, settings: Settings, expected: int
) -> Schedule | TorchSchedule:
    name, rate = settings.schedule, settings.learning_rate
    if name in OF_TORCH:
        options = settings.schedule_options or {}
        return TorchSchedule(optimizer, name, rate, expected, options, settings.warmup)
    return Schedule(
        optimizer,
        name,
        rate,
        expected,
        settings.schedule_factor,
        settings.schedule_epochs,
        settings.warmup,
    )


_OF_BATCHES = ("batches", "expected", "weight", "loss")


def _check_loss(loss: Tensor) -> None:
    if not math.isfinite(loss.item()):
        raise NotFinite("The loss", loss.item(), of_loss=True)


def _check_norm(norm: Tensor) -> None:
    if not math.isfinite(norm.item()):
        raise NotFinite("The norm of the gradient", norm.item(), of_loss=False)
