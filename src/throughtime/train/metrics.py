"""Loss and metric over many batches, as they come."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from throughtime.data import Split
from throughtime.train.interruption import Interruption, Stopped
from throughtime.train.model import Model
from throughtime.train.preparing.outputs import Classes, Numbers
from throughtime.train.ranks import ALONE, Ranks
from throughtime.train.tasks import Answers, Task

HIGHER_IS_BETTER = {"accuracy", "auroc_micro"}


class Meter:
    """Loss and metric over many batches, every answer weighing the same.

    Parameters
    ----------
    metric
        The task's: `"accuracy"`, of several targets the share of all their classes that
        are right; `"auroc_micro"`, over all labels at once, NaN where all are alike;
        `"rmse"`, over all numbers at once, in their own units; `"nats_per_frame"`,
        `"bits_per_symbol"` or `"bits_per_character"`, the loss without weights.
    model
        What answers.
    """

    def __init__(self, metric: str, model: Model) -> None:
        self.metric = metric
        # In float64: a sum of a million float32 losses would lose digits.
        self._loss = _Mean()
        self._value: _Mean | _Auroc = _Mean()
        self._take: Callable[[Answers], None] = self._take_plain
        if metric == "accuracy":
            assert isinstance(model.output, Classes)
            self._sizes, self._take = model.output.sizes, self._take_classes
        elif metric == "rmse":
            assert isinstance(model.output, Numbers)
            self._std, self._take = model.output.scale.std, self._take_errors
        elif metric == "auroc_micro":
            self._value, self._take = _Auroc(), self._take_labels

    @torch.no_grad()
    def update(self, answers: Answers) -> None:
        """Take in the answers to one batch."""
        self._loss.add(answers.losses, answers.counts)
        self._take(answers)

    def result(self, ranks: Ranks = ALONE) -> dict[str, float]:
        """Return `loss` in nats, and the metric under its name, over all ranks."""
        value = self._value.result(ranks)
        if self.metric.startswith("bits"):
            value /= math.log(2)
        elif self.metric == "rmse":
            value = math.sqrt(value)
        return {"loss": self._loss.result(ranks), self.metric: value}

    def state_dict(self) -> dict[str, Any]:
        """Return all that was taken in."""
        return {"loss": self._loss.state_dict(), "value": self._value.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self._loss.load_state_dict(state["loss"])
        self._value.load_state_dict(state["value"])

    def _take_plain(self, answers: Answers) -> None:
        self._value.add(answers.plain, answers.counts)

    def _take_classes(self, answers: Answers) -> None:
        groups = answers.logits.split(self._sizes, -1)
        chosen = torch.stack([group.argmax(-1) for group in groups], -1)
        self._value.add(chosen == answers.targets, answers.targets >= 0)

    def _take_errors(self, answers: Answers) -> None:
        # Answers and targets are apart by as much as their changes are.
        error = answers.logits.double() - answers.targets
        square = (error * error.new_tensor(self._std)).square()
        self._value.add(square, ~answers.targets.isnan())

    def _take_labels(self, answers: Answers) -> None:
        self._value.add(answers.logits, answers.targets)


class _Mean:
    """The mean of many numbers."""

    def __init__(self) -> None:
        self._sum: Tensor | float = 0.0
        self._count: Tensor | int = 0

    def add(self, values: Tensor, counts: Tensor) -> None:
        # Nothing is read back from the device until the end.
        self._sum = self._sum + values.double().where(counts, 0).sum()
        self._count = self._count + counts.sum()

    def state_dict(self) -> dict[str, Any]:
        return {"sum": float(self._sum), "count": int(self._count)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._sum, self._count = state["sum"], state["count"]

    def result(self, ranks: Ranks = ALONE) -> float:
        parts = ranks.gather(self.state_dict())
        count = sum(part["count"] for part in parts)
        return sum(part["sum"] for part in parts) / max(count, 1)


class _Auroc:
    """The area under the receiver operating characteristic of all labels at once."""

    def __init__(self) -> None:
        self._scores: list[Tensor] = []
        self._targets: list[Tensor] = []

    def add(self, scores: Tensor, targets: Tensor) -> None:
        known = ~targets.isnan()
        self._scores.append(scores[known].cpu())
        self._targets.append(targets[known].cpu() > 0.5)

    def state_dict(self) -> dict[str, Any]:
        return {"scores": list(self._scores), "targets": list(self._targets)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._scores, self._targets = list(state["scores"]), list(state["targets"])

    def result(self, ranks: Ranks) -> float:
        # Loaded here: only labels need it.
        from sklearn.metrics import roc_auc_score

        parts = ranks.gather(self.state_dict())
        targets = torch.cat([each for part in parts for each in part["targets"]])
        scores = torch.cat([each for part in parts for each in part["scores"]])
        if len(np.unique(targets)) < 2:
            return math.nan
        return float(roc_auc_score(targets.numpy(), scores.numpy()))


@torch.no_grad()
def measure(
    task: Task, model: Model, split: Split, interruption: Interruption | None = None
) -> dict[str, float]:
    """Return loss and metric of a model on one part of the data.

    Several ranks measure each its share, and all return the same numbers.

    Raises
    ------
    Stopped
        An interruption is given, and it came to any rank.
    """
    model.eval()
    meter = Meter(task.metric, model)
    stopped = False
    for answers in task.evaluate(model, split):
        meter.update(answers)
        if interruption is not None and interruption.wanted:
            stopped = True
            break
    if task.ranks.any(stopped)[0]:
        raise Stopped
    return meter.result(task.ranks)
