"""The next symbol of a text."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from throughtime.data import Split, TextDataset, TextStreams
from throughtime.train.measuring import Predicted
from throughtime.train.model import Model
from throughtime.train.progress import Counted
from throughtime.train.tasks.answers import Answers, known

# Without gradients larger pieces fit: fewer, larger products.
_EVALUATED_STEPS = 1000


class NextSymbol:
    """The next symbol of a text, at every step; the state is carried all along.

    Parameters
    ----------
    dataset
        The text.
    batch_size
        B, the parallel streams of training.
    steps
        T, the steps between two updates.
    """

    name = "next"
    metric = "bits_per_character"
    counted: Counted = "characters"

    def __init__(self, dataset: TextDataset, batch_size: int, steps: int) -> None:
        self.dataset = dataset
        self.training = TextStreams(dataset.part("train"), batch_size, steps)

    def batches(self) -> int:
        """Count the updates of an epoch."""
        return len(self.training)

    def train(self, model: Model, order: torch.Generator) -> Iterator[Answers]:
        """Give one pass over the text; its order is its own."""
        return self._answers(model, self.training)

    def evaluate(self, model: Model, split: Split) -> Iterator[Answers]:
        """Answer every symbol of one part but the first, in one stream or a few.

        The test part is one stream, so that nothing but the first symbols of its
        blocks lacks context; validation, of which only changes matter, is quicker in
        several.
        """
        symbols = self.dataset.part(split)
        streams = 1 if split == "test" else min(self.training.batch_size, 16)
        streams = min(streams, len(symbols) - 1)
        pieces = TextStreams(symbols, streams, _EVALUATED_STEPS, whole=True)
        return self._answers(model, pieces)

    def glimpse(self) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Give the beginning of the validation part."""
        symbols = self.dataset.part("validation")
        chunk = next(iter(TextStreams(symbols, 1, self.training.steps, whole=True)))
        return chunk.inputs[..., None], {}, chunk.lengths

    @torch.no_grad()
    def predict(self, model: Model, split: Split) -> list[Predicted]:
        """Give the probabilities of every symbol but the first, in one stream."""
        symbols = self.dataset.part(split)
        pieces = TextStreams(symbols, 1, _EVALUATED_STEPS, whole=True)
        outputs = [
            model.head.activate(answers.logits.double())[:, 0].cpu()
            for answers in self._answers(model.eval(), pieces)
        ]
        count = len(symbols) - 1
        return [
            Predicted(
                outputs=torch.cat(outputs).numpy(),
                targets=symbols[1:],
                sequences=np.zeros(count, dtype=np.int64),
                steps=np.arange(count),
            )
        ]

    def _answers(self, model: Model, streams: TextStreams) -> Iterator[Answers]:
        device, state = model.head.weight.device, None
        for chunk in streams:
            targets = chunk.targets[..., None].to(device)
            lengths = chunk.lengths if streams.whole else None
            logits, state = model.logits(
                chunk.inputs[..., None].to(device), state, lengths=lengths
            )
            # The state goes on, the gradient does not.
            state = type(state)(*(value.detach() for value in state))
            losses = model.head.loss(logits, targets)
            counts = known(targets)
            steps = int(chunk.lengths.sum())
            sequences = counts.shape[1]
            yield Answers(logits, targets, losses, losses, counts, sequences, steps)
