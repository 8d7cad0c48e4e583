"""Loss and metric over many batches."""

import math

import torch

from throughtime.data import Split
from throughtime.train.model import Model
from throughtime.train.tasks import Answers, Task


class Meter:
    """Loss and metric over many batches, every answer weighing the same.

    Parameters
    ----------
    metric
        `"accuracy"` or `"bits_per_character"`.
    device
        Where the answers lie.
    """

    def __init__(self, metric: str, device: torch.device) -> None:
        # Loaded here: it takes seconds, and only who measures needs it.
        from torchmetrics import MeanMetric

        self.metric = metric
        # In float64: a sum of a million float32 losses would lose digits.
        self._loss = MeanMetric().set_dtype(torch.float64).to(device)
        self._right = MeanMetric().set_dtype(torch.float64).to(device)

    def update(self, answers: Answers) -> None:
        """Take in the answers to one batch."""
        counts = (answers.targets >= 0).double()
        self._loss.update(answers.losses.detach().double(), counts)
        if self.metric == "accuracy":
            right = answers.logits.argmax(-1) == answers.targets
            self._right.update(right.double(), counts)

    def result(self) -> dict[str, float]:
        """Return `loss` in nats, and the metric under its name."""
        loss = self._loss.compute().item()
        if self.metric == "accuracy":
            return {"loss": loss, "accuracy": self._right.compute().item()}
        return {"loss": loss, self.metric: loss / math.log(2)}


@torch.no_grad()
def measure(task: Task, model: Model, split: Split) -> dict[str, float]:
    """Return loss and metric of a model on one part of the data."""
    model.eval()
    meter = Meter(task.metric, model.head.weight.device)
    for answers in task.evaluate(model, split):
        meter.update(answers)
    return meter.result()
