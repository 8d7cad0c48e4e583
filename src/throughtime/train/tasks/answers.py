"""What a task is, and what it gives."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from throughtime.data import Split
from throughtime.train.measuring import Predicted
from throughtime.train.model import Model, Raw
from throughtime.train.ranks import Ranks
from throughtime.train.showing.progress import Counted


class Rerun(NamedTuple):
    """How the answers to a batch are given once more, to look inside.

    Parameters
    ----------
    answer
        Does so.
    random
        The state of torch's generator before: with it the masks are the same.
    place
        Says of which sequence and step a row and step of the batch are; None: of which
        sequence.
    """

    answer: Callable[[], "Answers"]
    random: Tensor
    place: Callable[[int, int | None], str]


class Answers(NamedTuple):
    """What the model says to one batch.

    Parameters
    ----------
    logits
        `(…, K)`, `…` being `B` for one answer per sequence, `(T, B)` for one per step.
    targets
        What the loss compares them with, on its scale: `(…, G)` places of classes,
        `IGNORED` where none is known, or `(…, K)` numbers, NaN where none is known.
    losses
        `(…)`, the loss of each answer, as training counts it; 0 where `counts` is not.
    plain
        The same without weights of classes and without replicated targets.
    counts
        `(…)`, which answers there are: those with at least one known target.
    sequences, steps
        How many sequences the batch holds, and how many time steps.
    updates
        How many of the updates that `Task.batches` counts this is; other than 1 where
        batches differ in length, and nobody knows how many there will be.
    penalty
        `(…)`, what training adds to each of the losses, and no metric counts; None:
        nothing.
    over
        What the sum of the losses is divided by; None: how many answers count.
    rerun
        Gives them once more, where training may ask for it; None: in evaluation.
    """

    logits: Tensor
    targets: Tensor
    losses: Tensor
    plain: Tensor
    counts: Tensor
    sequences: int
    steps: int
    updates: float = 1.0
    penalty: Tensor | None = None
    over: float | None = None
    rerun: Rerun | None = None

    def loss(self) -> Tensor:
        """Give the mean over all answers that count; what training makes small."""
        return self.penalised().sum() / self.weight().clamp(min=1)

    def penalised(self) -> Tensor:
        """Give each answer's loss with its penalty."""
        return self.losses if self.penalty is None else self.losses + self.penalty

    def weight(self) -> Tensor:
        """Say how much the loss weighs beside those of other batches."""
        if self.over is not None:
            return self.losses.new_tensor(self.over)
        return self.counts.sum()


class Sample(NamedTuple):
    """Some sequences to look into, with the answers that are true.

    Parameters
    ----------
    features, inputs
        What the model reads.
    lengths
        `(B,)`, the steps of each.
    targets
        As in `Answers`.
    """

    features: Raw
    inputs: dict[str, Tensor]
    lengths: Tensor
    targets: Tensor


class Training(Protocol):
    """The training part, epoch after epoch, that knows where it is."""

    @property
    def tbptt(self) -> str | None:
        """The truncation that was chosen last, as one would ask for it.

        None: none is chosen.
        """

    def __iter__(self) -> Iterator[Answers]:
        """Give what is left of this epoch, or the next one, batch by batch.

        Each batch is answered by the weights as they are then.
        """

    def state_dict(self) -> dict[str, Any]:
        """Say what comes after the last batch, as `torch.save` holds it."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""


class Task(Protocol):
    """One kind of learning.

    Training and measuring are of the rows that `ranks` gives this process.
    """

    ranks: Ranks
    name: str
    metric: str
    counted: Counted

    def batches(self) -> int:
        """Count the updates of an epoch; where pieces are cut anew, about so many."""

    def training(self, model: Model, order: torch.Generator) -> Training:
        """Give the training part to a model, in an order that is drawn."""

    def evaluate(self, model: Model, split: Split) -> Iterator[Answers]:
        """Answer everything of one part once; of several ranks, this one's share."""

    def predict(self, model: Model, split: Split) -> list[Predicted]:
        """Give all answers of one part as arrays; one for each target of classes."""

    def sample(
        self, model: Model, split: Split, rows: int, steps: int, order: torch.Generator
    ) -> Sample:
        """Draw so many sequences of one part, or stretches of at most so many steps.

        A sequence with one answer is never cut.
        """

    def pieces(
        self, order: torch.Generator, size: int
    ) -> Iterator[tuple[Raw, dict[str, Tensor], Tensor]]:
        """Give the training part once, so many sequences at a time, in a drawn order.

        Features, further inputs and lengths, of all ranks, without what is asked.
        """

    def glimpse(self) -> tuple[Raw, dict[str, Tensor], Tensor]:
        """Give a piece of the validation part: features, further inputs, lengths."""


def known(targets: Tensor) -> Tensor:
    """Say which answers `(…)` have a known target among `(…, G)`."""
    if targets.is_floating_point():
        return (~targets.isnan()).any(-1)
    return (targets >= 0).any(-1)
