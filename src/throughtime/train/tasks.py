"""What is to be learned: batches of the data, and the model's answers to them."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from throughtime.data import (
    Dataset,
    SequenceBatches,
    SequenceDataset,
    Split,
    Standardiser,
    TextDataset,
    TextStreams,
)
from throughtime.graph import Cell
from throughtime.nn import Recurrent
from throughtime.nn.heads import Softmax
from throughtime.train.model import Model
from throughtime.train.progress import Counted
from throughtime.train.readers import Embed, Standardise
from throughtime.train.settings import Settings

# Without gradients larger pieces fit: fewer, larger products.
_EVALUATED_SEQUENCES = 256
_EVALUATED_STEPS = 1000
EMBEDDING = 64


class Answers(NamedTuple):
    """What the model says to one batch.

    `logits` is `(B, K)` or `(T, B, K)`, `targets` and `losses` have its shape without
    K. `sequences` says how many sequences the batch holds, `steps` how many time steps.
    """

    logits: Tensor
    targets: Tensor
    losses: Tensor
    sequences: int
    steps: int

    def loss(self) -> Tensor:
        """Give the mean over all answers that count; what training makes small."""
        return self.losses.sum() / (self.targets >= 0).sum().clamp(min=1)


class Task(Protocol):
    """One kind of learning."""

    name: str
    metric: str
    counted: Counted

    def batches(self) -> int:
        """Count the updates of an epoch."""

    def train(self, model: Model, order: torch.Generator) -> Iterator[Answers]:
        """Give one epoch; each batch is answered by the weights as they are then."""

    def evaluate(self, model: Model, split: Split) -> Iterator[Answers]:
        """Answer everything of one part once."""

    def glimpse(self) -> tuple[Tensor, Tensor]:
        """Give a piece of the validation part: input for the model, and lengths."""


class Classify:
    """One of K classes for a whole sequence.

    Parameters
    ----------
    dataset
        The sequences.
    batch_size
        B in training.
    dtype
        That of the inputs.
    """

    name = "classify"
    metric = "accuracy"
    counted: Counted = "sequences"

    def __init__(
        self, dataset: SequenceDataset, batch_size: int, dtype: torch.dtype
    ) -> None:
        self.dataset, self.batch_size, self.dtype = dataset, batch_size, dtype

    def batches(self) -> int:
        """Count the updates of an epoch."""
        return len(self._cut("train", self.batch_size, None))

    def train(self, model: Model, order: torch.Generator) -> Iterator[Answers]:
        """Give one epoch in a new order."""
        return self._answers(model, self._cut("train", self.batch_size, order))

    def evaluate(self, model: Model, split: Split) -> Iterator[Answers]:
        """Answer every sequence of one part."""
        return self._answers(model, self._cut(split, _EVALUATED_SEQUENCES, None))

    def glimpse(self) -> tuple[Tensor, Tensor]:
        """Give the shortest sequences of the validation part."""
        batch = next(iter(self._cut("validation", self.batch_size, None)))
        return batch.inputs, batch.lengths

    def _cut(
        self, split: Split, batch_size: int, order: torch.Generator | None
    ) -> SequenceBatches:
        data = self.dataset
        places = data.splits[split]
        return SequenceBatches(
            data.sequences, data.targets, places, batch_size, order, self.dtype
        )

    def _answers(self, model: Model, batches: SequenceBatches) -> Iterator[Answers]:
        device = model.head.weight.device
        for batch in batches:
            targets = batch.targets.to(device)
            logits, _ = model.logits(batch.inputs.to(device), lengths=batch.lengths)
            losses = model.head.loss(logits, targets)
            steps = int(batch.lengths.sum())
            yield Answers(logits, targets, losses, len(targets), steps)


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

    def glimpse(self) -> tuple[Tensor, Tensor]:
        """Give the beginning of the validation part."""
        symbols = self.dataset.part("validation")
        chunk = next(iter(TextStreams(symbols, 1, self.training.steps, whole=True)))
        return chunk.inputs, chunk.lengths

    def _answers(self, model: Model, streams: TextStreams) -> Iterator[Answers]:
        device, state = model.head.weight.device, None
        for chunk in streams:
            targets = chunk.targets.to(device)
            lengths = chunk.lengths if streams.whole else None
            logits, state = model.logits(
                chunk.inputs.to(device), state, lengths=lengths
            )
            # The state goes on, the gradient does not.
            state = type(state)(*(value.detach() for value in state))
            losses = model.head.loss(logits, targets)
            steps = int(chunk.lengths.sum())
            yield Answers(logits, targets, losses, targets.shape[1], steps)


def make_task(dataset: Dataset, settings: Settings) -> Task:
    """Choose the task that follows from the data."""
    if isinstance(dataset, TextDataset):
        # A text has steps in its settings: `settle` and `open_run` see to it.
        return NextSymbol(dataset, settings.batch_size, settings.steps or 0)
    return Classify(dataset, settings.batch_size, settings.torch_dtype)


def make_model(cell: Cell, dataset: Dataset, settings: Settings) -> Model:
    """Build preprocessing, network and output; torch's generator draws the weights."""
    options = {"device": settings.device, "dtype": settings.torch_dtype}
    reader: Standardise | Embed
    if isinstance(dataset, TextDataset):
        labels = dataset.vocabulary
        reader = Embed(len(labels), EMBEDDING, **options)
    else:
        labels = dataset.classes
        reader = Standardise(Standardiser.fit(dataset.part("train")))
    network = Recurrent(
        cell,
        reader.size,
        settings.hidden_size,
        settings.num_layers,
        bidirectional=settings.bidirectional,
        backend=settings.backend,
        **options,
    )
    units = network.graphs[-1].output_size * network.directions
    backend = "auto" if settings.backend == "cudnn" else settings.backend
    head = Softmax(units, len(labels), backend=backend, **options)
    if isinstance(dataset, TextDataset):
        pooling = None
    else:
        # Without a state the last step knows nothing of the others.
        pooling = "last" if network.state_names else "mean"
    return Model(reader, network, head, labels, pooling)
