"""Pieces of sequences as a stream takes them: read stretch by stretch.

What is read of a step may depend on steps before it, the last known value or that of a
season ago, and what is true at it on steps to come. A piece keeps the few steps that it
needs, so that stretches give the numbers of the whole piece, and no more of it than a
stretch is ever in memory.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from throughtime.data import SequenceDataset
from throughtime.data.pieces import FIRST, SEQUENCE, START, STOP
from throughtime.data.stream_batches import Chunk, StreamBatches
from throughtime.train.model import Model
from throughtime.train.preparing.outputs import Classes
from throughtime.train.preparing.readers import Read
from throughtime.train.preparing.truth import truth_of
from throughtime.train.truncation import Window

# In the middle of a piece, what came before is read again in stretches of so many.
_CATCHING_UP = 1024


class PieceStream:
    """The pieces of the training part side by side, each in one row from end to end.

    Parameters
    ----------
    dataset
        The data.
    model
        Whose preprocessing and output give the numbers.
    rows
        B; no more than there are pieces.
    steps
        Of a chunk.
    order
        Draws the order of the pieces, a new one for each pass.
    share
        Which rows are given.
    """

    def __init__(
        self,
        dataset: SequenceDataset,
        model: Model,
        rows: int,
        steps: int,
        order: torch.Generator,
        share: slice = slice(None),
    ) -> None:
        layout = Layout(dataset, model)
        pieces = [Piece(layout, one) for one in dataset.splits["train"].tolist()]
        self._inputs, self._classes = layout.inputs, layout.classes
        self._dataset, self.weighs = dataset, layout.weights is not None
        rows = min(rows, len(pieces))
        self._batches = StreamBatches(pieces, rows, steps, generator=order, share=share)

    def __iter__(self) -> Iterator[Chunk]:
        """Give what is left of a pass.

        Inputs are what is read, the place of the step, and how much it counts.
        """
        for chunk in self._batches:
            inputs, targets = chunk.inputs.tensor_split([self._inputs], -1)
            if self._classes:
                targets = targets.long()
            yield Chunk(inputs, targets, chunk.lengths, chunk.resets)

    def sequences(self, window: Window) -> int:
        """Count the sequences that begin in the newest steps of a window."""
        return int(window.resets[-window.steps :].sum())

    def place(self, step: Tensor) -> str:
        """Name the sequence and step that were read."""
        return place_in(self._dataset, *step[-3:-1].long().tolist())

    def state_dict(self) -> dict[str, Any]:
        """Say which steps come next."""
        return self._batches.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self._batches.load_state_dict(state)


class Layout:
    """What stands where in the numbers of a step, of every piece alike.

    Parameters
    ----------
    dataset
        The data.
    model
        Whose preprocessing and output give the numbers.
    """

    def __init__(self, dataset: SequenceDataset, model: Model) -> None:
        self.frames, self.question = dataset.frames, dataset.question
        self.output, self.readers = model.output, readers_of(model)
        schema = dataset.schema
        groups = [schema.features, *(schema.inputs[name] for name in model.inputs)]
        self.places = [schema.places(columns) for columns in groups]
        self.asked = schema.places(model.output.columns)
        # How many steps to come say what is true at one.
        self.ahead = 1 if self.question.task == "next" else 0
        if self.question.task == "forecast":
            self.ahead = self.question.horizon
        self.classes = isinstance(model.output, Classes)
        many = model.output.columns if self.classes else model.output.labels
        # Beside what is read: the sequence, its step, and how much it counts.
        self.inputs = sum(reader.width for reader in self.readers) + 3
        self.width = self.inputs + len(many)
        self.weights = dataset.weights


class Piece:
    """One piece of the data, in the numbers that a model reads and is compared with.

    Of each step `Read.numbers` of the features and of each further input of the cell,
    its sequence, its step in it, how much that counts, then the targets of the loss:
    ``(T, n + 3 + G)``, float64. To slice it reads its steps, best from the first to the
    last.

    Parameters
    ----------
    layout
        What its numbers are.
    piece
        `sequence, start, stop, first`, as `data.pieces` says.
    """

    dtype = torch.float64

    def __init__(self, layout: Layout, piece: list[int]) -> None:
        self.layout, self.piece = layout, piece
        self.shape = piece[STOP] - piece[START], layout.width
        self._begin()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, steps: slice) -> Tensor:
        first, last, _ = steps.indices(len(self))
        if first == last:
            return torch.empty(0, self.shape[1], dtype=self.dtype)
        if self._done != first:
            self._catch_up(first)
        found = self._stretch(first, last)
        if last == len(self):
            self._begin()  # many pieces: none keeps what it needs no more
        return found

    def _begin(self) -> None:
        self._done = 0
        # Of each reader, the filled numbers of the last steps, (n, 1, F).
        self._before: list[Tensor | None] = [None] * len(self.layout.readers)

    def _catch_up(self, first: int) -> None:
        """Go through all that is before this step."""
        self._begin()
        for start in range(0, first, _CATCHING_UP):
            self._stretch(start, min(start + _CATCHING_UP, first))

    def _stretch(self, first: int, last: int) -> Tensor:
        """Read the steps behind those that were read last."""
        layout, start = self.layout, self.piece[START]
        stop = min(last + layout.ahead, len(self))
        rows = layout.frames.read(self.piece[SEQUENCE], start + first, start + stop)
        frame = torch.tensor(rows, dtype=torch.float64)[:, None]
        truth = self._truth(frame, first, last)
        raw = [frame[: last - first, :, columns] for columns in layout.places]
        targets = self._targets(raw[0], truth)  # before the steps it looks at are gone
        numbers = [self._numbers(place, one) for place, one in enumerate(raw)]
        self._done = last
        own = targets.new_empty(len(targets), 1, 3)
        own[..., 0] = self.piece[SEQUENCE]
        own[:, 0, 1] = torch.arange(start + first, start + last)
        own[..., 2] = self._weight()
        return torch.cat([*numbers, own, targets], -1)[:, 0]

    def _weight(self) -> float:
        weights = self.layout.weights
        return 1.0 if weights is None else float(weights[self.piece[SEQUENCE]])

    def _numbers(self, place: int, raw: Tensor) -> Tensor:
        """Read ``(T, 1, F)`` raw numbers, and keep what the next stretch needs."""
        reader, before = self.layout.readers[place], self._before[place]
        reader.check(raw)
        numbers = reader.numbers(raw, before)
        if reader.reach:
            self._before[place] = reader.known(raw, before)[-reader.reach :]
        return numbers

    def _truth(self, frame: Tensor, first: int, last: int) -> Tensor:
        """What is true at each step, NaN before the piece's first one that counts."""
        asked = frame[..., self.layout.asked]
        truth = truth_of(asked, self.layout.question)[: last - first]
        step = torch.arange(first, last)[:, None, None] + self.piece[START]
        return truth.where(step >= self.piece[FIRST], torch.nan)

    def _targets(self, features: Tensor, truth: Tensor) -> Tensor:
        filled = self.layout.readers[0].known(features, self._before[0])
        more = len(filled) - len(truth)
        truth = torch.cat(
            [torch.full_like(truth[:1], torch.nan).tile(more, 1, 1), truth]
        )
        return self.layout.output.encode(truth, lambda: filled)[more:].double()


def place_in(dataset: SequenceDataset, sequence: int, step: int | None) -> str:
    """Name a step of a sequence; None: the sequence."""
    named = f"sequence '{dataset.keys[sequence]}'"
    return named if step is None else f"step {step} of {named}"


def readers_of(model: Model) -> list[Read]:
    """What reads, in the order in which its numbers stand: the features first."""
    return [model.columns, *model.inputs.values()]
