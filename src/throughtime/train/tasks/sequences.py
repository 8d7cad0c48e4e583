"""The questions that are asked of the columns of sequences."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from throughtime.data import (
    SequenceBatch,
    SequenceBatches,
    SequenceDataset,
    Split,
    windows,
)
from throughtime.data.pieces import FIRST, SEQUENCE, START, STOP
from throughtime.data.types import IntegerArray
from throughtime.errors import NotShared
from throughtime.train.asking.settings import Settings
from throughtime.train.measuring import Predicted
from throughtime.train.model import Model, Raw
from throughtime.train.preparing.outputs import asked_of
from throughtime.train.preparing.truth import truth_of
from throughtime.train.ranks import ALONE, Ranks
from throughtime.train.showing.progress import Counted
from throughtime.train.tasks.activity import activity, penalty
from throughtime.train.tasks.answers import Answers, Rerun, Sample, Training, known
from throughtime.train.tasks.collecting import Collected
from throughtime.train.tasks.stretches import PieceStream, place_in
from throughtime.train.tasks.truncated import Truncated
from throughtime.train.tasks.weights import ClassWeights, check_weights

# Without gradients larger batches fit: fewer, larger products. But of long sequences
# not so many.
_EVALUATED_SEQUENCES = 256
_EVALUATED_STEPS = 2**17

METRICS = {
    "classify": "accuracy",
    "multilabel": "auroc_micro",
    "regress": "rmse",
    "forecast": "rmse",
}


class OfSequences:
    """What a `Question` asks: of every sequence, or of every step of each.

    The loss of a batch is the mean over its answers that count, so in a batch every
    answer weighs the same, whichever sequence it belongs to. An answer counts if one
    of its targets is known and lies inside the piece, from the piece's first step that
    counts on; its loss is the sum over the targets that are known.

    Parameters
    ----------
    dataset
        The sequences, and what is asked of them.
    settings
        Those of the training.
    ranks
        Who answers which rows of a batch.
    """

    def __init__(
        self, dataset: SequenceDataset, settings: Settings, ranks: Ranks = ALONE
    ) -> None:
        self.dataset, self.settings, self.ranks = dataset, settings, ranks
        schema, question = dataset.schema, dataset.question
        self.asked = asked_of(schema, question)
        check_weights(settings.class_weights, self.asked)
        if settings.tbptt is not None and not ranks.alone:
            _check_rows(len(dataset.splits["train"]), settings, ranks)
        self.name: str = question.task
        if question.task == "next":
            symbols = self.asked[0].kind == "category"
            self.metric = "bits_per_symbol" if symbols else "nats_per_frame"
        else:
            self.metric = METRICS[question.task]
        self.counted: Counted = "steps" if question.per == "step" else "sequences"
        self._features = schema.places(schema.features)
        self._asked = schema.places(self.asked)
        self._inputs = {
            name: schema.places(columns) for name, columns in schema.inputs.items()
        }

    def batches(self) -> int:
        """Count the updates of an epoch; where pieces are cut anew, about so many."""
        size, rule = self.settings.batch_size, self.settings.rule
        if rule is None:
            return -(-len(self._pieces(None)) // size)
        pieces = self.dataset.splits["train"]
        lengths = pieces[:, STOP] - pieces[:, START]
        rows = max(-(-int(lengths.sum()) // size), int(lengths.max(initial=1)))
        return -(-rows // rule.steps)

    def training(self, model: Model, order: torch.Generator) -> Training:
        """Give each epoch in a new order, long pieces cut in new places or not at all.

        They are not cut where the state is carried on.
        """
        rule, rows = self.settings.rule, self.settings.batch_size
        if rule is None:
            return Shuffled(self, model, order)
        source = PieceStream(
            self.dataset, model, rows, rule.steps, order, self.ranks.share
        )
        l1 = self.settings.activity_l1
        return Truncated(model, source, rule, order, self._weights, l1)

    def epoch(self, order: torch.Generator) -> SequenceBatches:
        """Draw the batches of an epoch."""
        pieces, size = self._pieces(order), self.settings.batch_size
        share = self.ranks.share
        data = self.dataset
        return SequenceBatches(
            data.frames, pieces, size, order, share=share, items=data.items
        )

    def learned(self, model: Model, batch: SequenceBatch) -> Answers:
        """Answer a batch as training counts it."""
        settings = self.settings
        return self._answer(
            model, batch, settings.target_replication, settings.activity_l1
        )

    def evaluate(self, model: Model, split: Split) -> Iterator[Answers]:
        """Answer every piece of one part, whole."""
        for batch in self._whole(split, _EVALUATED_SEQUENCES, self.ranks.share):
            yield self._answer(model, batch)

    def predict(self, model: Model, split: Split) -> list[Predicted]:
        """Give all answers of one part, by sequence and step."""
        collected = Collected()
        for pieces, outputs, truth in self.answered(model, split):
            collected.add(outputs, truth, pieces)
        return collected.predicted(self.asked)

    @torch.no_grad()
    def answered(
        self, model: Model, split: Split
    ) -> Iterator[tuple[IntegerArray, Tensor, Tensor]]:
        """Give pieces ``(B, 4)``, answers and truth in the data's units, in batches."""
        model.eval()
        pieces = self.dataset.splits[split]
        for batch in self._whole(split, _EVALUATED_SEQUENCES):
            features, inputs, truth = self._read(model, batch)
            logits, _ = model.logits(features, lengths=batch.lengths, **inputs)
            # In float64, where a probability rounds to 0 or 1 much later.
            outputs = model.answers(logits.double(), features)
            yield pieces[batch.pieces.numpy()], outputs, truth

    def glimpse(self) -> tuple[Raw, dict[str, Tensor], Tensor]:
        """Give the shortest pieces of the validation part."""
        batch = next(iter(self._whole("validation", self.settings.batch_size)))
        features, inputs = self._columns(batch, batch.frames)
        return features, inputs, batch.lengths

    def sample(
        self, model: Model, split: Split, rows: int, steps: int, order: torch.Generator
    ) -> Sample:
        """Draw pieces of one part; long ones with answers per step are cut before."""
        pieces = self.dataset.splits[split]
        if self.dataset.question.per == "step":
            pieces = cut(pieces, steps, self.dataset.question.difference)
        chosen = torch.randperm(len(pieces), generator=order)[:rows].numpy()
        data = self.dataset
        batches = SequenceBatches(
            data.frames, pieces[np.sort(chosen)], len(chosen), items=data.items
        )
        batch = next(iter(batches))
        features, inputs, truth = self._read(model, batch)
        targets = model.output.encode(truth, lambda: model.fill(features))
        return Sample(features, inputs, batch.lengths, targets)

    def pieces(
        self, order: torch.Generator, size: int
    ) -> Iterator[tuple[Raw, dict[str, Tensor], Tensor]]:
        """Give the training part once, so many sequences at a time."""
        pieces, data = self._pieces(order), self.dataset
        for batch in SequenceBatches(
            data.frames, pieces, size, order, items=data.items
        ):
            features, inputs = self._columns(batch, batch.frames)
            yield features, inputs, batch.lengths

    def _whole(
        self, split: Split, most: int, share: slice = slice(None)
    ) -> SequenceBatches:
        pieces = self.dataset.splits[split]
        longest = int((pieces[:, STOP] - pieces[:, START]).max(initial=1))
        size = max(1, min(most, _EVALUATED_STEPS // max(longest, 1)))
        data = self.dataset
        return SequenceBatches(data.frames, pieces, size, share=share, items=data.items)

    def _pieces(self, order: torch.Generator | None) -> IntegerArray:
        """Cut the training pieces; the changes of their first steps are read, too."""
        pieces, steps = self.dataset.splits["train"], self.settings.steps
        if steps is None:
            return pieces
        return cut(pieces, steps, self.dataset.question.difference, order)

    def _answer(
        self,
        model: Model,
        batch: SequenceBatch,
        replication: float | None = None,
        activity_l1: float | None = None,
    ) -> Answers:
        features, inputs, truth = self._read(model, batch)
        hidden, _, *layers = model.hidden(
            features, lengths=batch.lengths, return_layers=bool(activity_l1), **inputs
        )
        logits = model.head.logits(model.pooled(hidden, batch.lengths))
        targets = model.output.encode(truth, lambda: model.fill(features))
        each = model.head.each(logits, targets)
        plain = losses = each.sum(-1)
        if self._weights is not None:
            losses = (each * self._weights(targets)).sum(-1)
        if replication is not None:
            repeated = self._replicated(model, hidden, targets, batch.lengths)
            losses = replication * repeated + (1 - replication) * losses
        counts, steps = known(targets), int(batch.lengths.sum())
        shares = counts.to(losses)
        if self.dataset.weights is not None:
            counted = losses.new_tensor(self.dataset.weights[batch.sequences.numpy()])
            losses, shares = losses * counted, shares * counted
        found = Answers(
            logits, targets, losses, plain, counts, len(batch.pieces), steps
        )
        if not activity_l1:
            return found
        active, alive = activity(layers[0]), _alive(hidden, batch.lengths)
        return found._replace(penalty=penalty(activity_l1, active, alive, shares))

    def _replicated(
        self, model: Model, hidden: Tensor, targets: Tensor, lengths: Tensor
    ) -> Tensor:
        """Give the mean loss over all steps of each sequence (Lipton et al. 2016)."""
        repeated = targets.expand(len(hidden), *targets.shape)
        each = model.head.each(model.head.logits(hidden), repeated)
        if self._weights is not None:
            each = each * self._weights(repeated)
        losses = each.sum(-1).where(_alive(hidden, lengths), 0)
        return losses.sum(0) / lengths.to(losses).clamp(min=1)

    def _read(
        self, model: Model, batch: SequenceBatch
    ) -> tuple[Raw, dict[str, Any], Tensor]:
        """Give features, further inputs, and what is true where it counts."""
        frames = batch.frames.to(model.head.weight.device)
        features, inputs = self._columns(batch, frames)
        alive = _alive(frames, batch.lengths)[..., None]
        values = frames[..., self._asked].where(alive, torch.nan)
        truth = truth_of(values, self.dataset.question)
        if self.dataset.question.per == "step":
            step = torch.arange(len(frames))[:, None]
            asked = (step >= batch.first).to(frames.device)[..., None]
            truth = truth.where(asked, torch.nan)
        return features, inputs, truth

    def _columns(
        self, batch: SequenceBatch, frames: Tensor
    ) -> tuple[Raw, dict[str, Any]]:
        inputs = {name: frames[..., places] for name, places in self._inputs.items()}
        if batch.items is not None:
            return batch.items.to(frames.device), inputs
        return frames[..., self._features], inputs

    @cached_property
    def _weights(self) -> ClassWeights | None:
        given = self.settings.class_weights
        if given is None:
            return None
        return ClassWeights.of(given, self.dataset, self.asked)


def cut(
    pieces: IntegerArray,
    steps: int,
    context: int,
    order: torch.Generator | None = None,
) -> IntegerArray:
    """Cut pieces that are longer than so many steps, each with some context before.

    What is left counts the steps that the pieces counted; where none of them does,
    nothing is left.
    """
    short = pieces[:, STOP] - pieces[:, START] <= steps
    found = [pieces[short]]
    for piece in pieces[~short]:
        part = windows(piece[None], steps, order)
        part[:, FIRST] = np.maximum(part[:, FIRST], piece[FIRST])
        part[:, START] = np.maximum(part[:, START] - context, piece[START])
        found.append(part[part[:, FIRST] < part[:, STOP]])
    return np.concatenate(found)


def _alive(values: Tensor, lengths: Tensor) -> Tensor:
    """Say which steps of ``(T, B, n)`` there are, ``(T, B)``."""
    step = torch.arange(len(values))[:, None]
    return (step < lengths).to(values.device)


def _check_rows(count: int, settings: Settings, ranks: Ranks) -> None:
    """Refuse a stream of fewer sequences than ranks."""
    if count < ranks.world:
        raise NotShared(
            argument="tbptt",
            given=settings.tbptt,
            world=ranks.world,
            expected=f"a sequence for each of them, of which there are {count}",
        )


class Shuffled:
    """The training part in batches of whole pieces, in a new order each epoch.

    Parameters
    ----------
    task
        What is asked.
    model
        What answers.
    order
        Draws the order.
    """

    tbptt: str | None = None

    def __init__(self, task: OfSequences, model: Model, order: torch.Generator) -> None:
        self.task, self.model, self.order = task, model, order
        # Of an epoch that goes on: how much was done, and what its order is drawn from.
        self._done, self._drawn = 0, order.get_state()

    def __iter__(self) -> Iterator[Answers]:
        self._drawn = self.order.get_state()
        batches = self.task.epoch(self.order)
        for batch in batches.after(self._done):
            self._done += 1
            rerun = self._rerun(batch, batches.pieces[batch.pieces.numpy()])
            yield rerun.answer()._replace(rerun=rerun)
        self._done = 0

    def _rerun(self, batch: SequenceBatch, pieces: IntegerArray) -> Rerun:
        def answer() -> Answers:
            return self.task.learned(self.model, batch)

        def place(row: int, step: int | None) -> str:
            sequence, start = pieces[row, [SEQUENCE, START]].tolist()
            within = None if step is None else start + step
            return place_in(self.task.dataset, sequence, within)

        return Rerun(answer, torch.get_rng_state(), place)

    def state_dict(self) -> dict[str, Any]:
        order = self._drawn if self._done else self.order.get_state()
        return {"done": self._done, "order": order}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._done = state["done"]
        self.order.set_state(state["order"])
