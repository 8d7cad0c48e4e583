"""Loss and metric over many batches."""

import math
from typing import TYPE_CHECKING

import torch

from throughtime.data import Split
from throughtime.train.interruption import Interruption, Stopped
from throughtime.train.model import Model
from throughtime.train.tasks import Answers, Task

if TYPE_CHECKING:
    from torchmetrics import Metric


class Meter:
    """Loss and metric over many batches, every answer weighing the same.

    Parameters
    ----------
    metric
        `"accuracy"` or `"bits_per_character"`.
    classes
        K.
    device
        Where the answers lie.
    """

    def __init__(self, metric: str, classes: int, device: torch.device) -> None:
        self.metric = metric
        # In float64: a sum of a million float32 losses would lose digits.
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._answers = 0
        self._accuracy: Metric | None = None
        if metric == "accuracy":
            # Loaded here: it takes seconds, and a text does without.
            from torchmetrics.classification import MulticlassAccuracy

            accuracy = MulticlassAccuracy(classes, average="micro", validate_args=False)
            self._accuracy = accuracy.to(device)

    def update(self, answers: Answers) -> None:
        """Take in the answers to one batch."""
        # What does not count has loss 0.
        self._loss += answers.losses.detach().double().sum()
        self._answers += int((answers.targets >= 0).sum())
        if self._accuracy is not None:
            self._accuracy.update(answers.logits.detach(), answers.targets)

    def result(self) -> dict[str, float]:
        """Return `loss` in nats, and the metric under its name."""
        loss = self._loss.item() / max(self._answers, 1)
        if self._accuracy is None:
            return {"loss": loss, self.metric: loss / math.log(2)}
        # It is a float32: the digits behind the millionth are noise.
        return {"loss": loss, "accuracy": round(self._accuracy.compute().item(), 6)}


@torch.no_grad()
def measure(
    task: Task, model: Model, split: Split, interruption: Interruption | None = None
) -> dict[str, float]:
    """Return loss and metric of a model on one part of the data.

    Raises
    ------
    Stopped
        An interruption is given, and it came.
    """
    model.eval()
    meter = Meter(task.metric, model.head.output_size, model.head.weight.device)
    for answers in task.evaluate(model, split):
        meter.update(answers)
        if interruption is not None and interruption.wanted:
            raise Stopped
    return meter.result()
