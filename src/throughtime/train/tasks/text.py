"""The next symbol of a text."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from throughtime.data import Split, TextChunk, TextDataset, TextStreams
from throughtime.train.measuring import Predicted
from throughtime.train.model import Model, Raw
from throughtime.train.ranks import ALONE, Ranks
from throughtime.train.showing.progress import Counted
from throughtime.train.tasks.activity import activity, penalty
from throughtime.train.tasks.answers import Answers, Rerun, Sample, Training, known
from throughtime.train.tasks.truncated import TextSource, Truncated
from throughtime.train.truncation import Rule

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
    rule
        How error is truncated; None: at the chunks of T steps.
    ranks
        Who follows which streams.
    activity_l1
        The factor of the penalty on activity; None: there is none.
    """

    name = "next"
    metric = "bits_per_character"
    counted: Counted = "characters"

    def __init__(
        self,
        dataset: TextDataset,
        batch_size: int,
        steps: int,
        rule: Rule | None = None,
        ranks: Ranks = ALONE,
        activity_l1: float | None = None,
    ) -> None:
        self.activity_l1 = activity_l1
        self.dataset, self.rule, self.ranks = dataset, rule, ranks
        symbols, share = dataset.part("train"), ranks.share
        self.streams = TextStreams(symbols, batch_size, steps, share=share)

    def batches(self) -> int:
        """Count the updates of an epoch."""
        return len(self.streams)

    def training(self, model: Model, order: torch.Generator) -> Training:
        """Give passes over the text; its order is its own."""
        if self.rule is None:
            return Streamed(model, self.streams, self._place, self.activity_l1)
        source = TextSource(self.streams, self._place)
        return Truncated(model, source, self.rule, order, activity_l1=self.activity_l1)

    def evaluate(self, model: Model, split: Split) -> Iterator[Answers]:
        """Answer every symbol of one part but the first, in one stream or a few.

        The test part is one stream, so that nothing but the first symbols of its
        blocks lacks context; validation, of which only changes matter, is quicker in
        several.
        """
        symbols = self.dataset.part(split)
        streams = 1 if split == "test" else min(self.streams.batch_size, 16)
        streams = min(streams, len(symbols) - 1)
        pieces = TextStreams(
            symbols, streams, _EVALUATED_STEPS, whole=True, share=self.ranks.share
        )
        return _answered(model, pieces)

    def pieces(
        self, order: torch.Generator, size: int
    ) -> Iterator[tuple[Raw, dict[str, Tensor], Tensor]]:
        """Give the training part once, so many of its stretches at a time."""
        symbols, steps = self.dataset.part("train"), self.streams.steps
        most = len(symbols) - steps
        for _ in range(len(self.streams)):
            first = torch.randint(max(most, 1), (size,), generator=order)
            places = (first + torch.arange(steps)[:, None]).clamp(max=len(symbols) - 1)
            stretch = torch.from_numpy(symbols)[places]
            yield stretch[..., None], {}, torch.full((size,), steps)

    def glimpse(self) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Give the beginning of the validation part."""
        symbols = self.dataset.part("validation")
        chunk = next(iter(TextStreams(symbols, 1, self.streams.steps, whole=True)))
        return chunk.inputs[..., None], {}, chunk.lengths

    def sample(
        self, model: Model, split: Split, rows: int, steps: int, order: torch.Generator
    ) -> Sample:
        """Draw stretches of one part, which may overlap."""
        symbols = torch.from_numpy(self.dataset.part(split))
        steps = min(steps, len(symbols) - 1)
        starts = torch.randint(len(symbols) - steps, (rows,), generator=order)
        places = torch.arange(steps)[:, None] + starts
        device = model.head.weight.device
        inputs, targets = symbols[places], symbols[places + 1]
        lengths = torch.full((rows,), steps)
        return Sample(
            inputs[..., None].to(device), {}, lengths, targets[..., None].to(device)
        )

    def _place(self, symbol: int) -> str:
        """Name a symbol of the training part."""
        return f"character {self.dataset.place('train', symbol)} of the text"

    @torch.no_grad()
    def predict(self, model: Model, split: Split) -> list[Predicted]:
        """Give the probabilities of every symbol but the first, in one stream."""
        symbols = self.dataset.part(split)
        pieces = TextStreams(symbols, 1, _EVALUATED_STEPS, whole=True)
        outputs = [
            model.head.activate(answers.logits.double())[:, 0].cpu()
            for answers in _answered(model.eval(), pieces)
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


class Streamed:
    """Passes over a text in parallel streams, the state carried from chunk to chunk.

    Parameters
    ----------
    model
        What answers.
    streams
        The chunks of a pass.
    named
        Names a symbol of them.
    activity_l1
        The factor of the penalty on activity; None: there is none.
    """

    tbptt: str | None = None

    def __init__(
        self,
        model: Model,
        streams: TextStreams,
        named: Callable[[int], str],
        activity_l1: float | None = None,
    ) -> None:
        self.model, self.streams, self.named = model, streams, named
        self.activity_l1 = activity_l1
        self._done = 0
        self._state: list[Tensor] | None = None

    def __iter__(self) -> Iterator[Answers]:
        for chunk in self.streams.after(self._done):
            rerun = self._rerun(chunk, self._state)
            answers, self._state = self._answer(chunk, self._state)
            self._done += 1
            yield answers._replace(rerun=rerun)
        self._done, self._state = 0, None

    def _answer(self, chunk: TextChunk, state: Any) -> tuple[Answers, list[Tensor]]:
        return _answer(self.model, chunk, state, activity_l1=self.activity_l1)

    def _rerun(self, chunk: TextChunk, state: Any) -> Rerun:
        def answer() -> Answers:
            return self._answer(chunk, state)[0]

        def place(row: int, step: int | None) -> str:
            assert step is not None  # each has its answer
            return self.named(int(chunk.places[step, row]))

        return Rerun(answer, torch.get_rng_state(), place)

    def state_dict(self) -> dict[str, Any]:
        """Say which chunk comes next, and the state it starts from."""
        state = None if self._state is None else list(self._state)
        return {"done": self._done, "state": state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self._done, self._state = state["done"], state["state"]
        if self._state is not None:
            device = self.model.head.weight.device
            self._state = [value.to(device) for value in self._state]


def _answered(model: Model, streams: TextStreams) -> Iterator[Answers]:
    state = None
    for chunk in streams:
        answers, state = _answer(model, chunk, state, whole=streams.whole)
        yield answers


def _answer(
    model: Model,
    chunk: TextChunk,
    state: Any,
    *,
    whole: bool = False,
    activity_l1: float | None = None,
) -> tuple[Answers, list[Tensor]]:
    """Answer a chunk; the state goes on, the gradient does not."""
    device = model.head.weight.device
    targets = chunk.targets[..., None].to(device)
    inputs = chunk.inputs[..., None].to(device)
    lengths = chunk.lengths if whole else None
    hidden, state, *layers = model.hidden(
        inputs, state, lengths=lengths, return_layers=bool(activity_l1)
    )
    logits = model.head.logits(hidden)
    losses, counts = model.head.loss(logits, targets), known(targets)
    steps, sequences = int(chunk.lengths.sum()), counts.shape[1]
    answers = Answers(logits, targets, losses, losses, counts, sequences, steps)
    if activity_l1:  # each step that there is has an answer
        added = penalty(activity_l1, activity(layers[0]), counts, counts)
        answers = answers._replace(penalty=added)
    return answers, [value.detach() for value in state]
