"""Some sequences of a run, and the model's answers to them, to look inside."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from throughtime.data import Split
from throughtime.diagnose import GradientFlow, gradient_flow
from throughtime.diagnose.lags import Floats, mean
from throughtime.nn import Linear, SparseSequences
from throughtime.nn.heads import Head, Sigmoid
from throughtime.nn.softmaxes import Softmaxes
from throughtime.train.model import Model
from throughtime.train.tasks import Task
from throughtime.train.tasks.answers import Sample, known

# What is looked at is kept with its gradients: so many steps of all rows at most, and
# of a row with answers per step.
_MOST_STEPS = 2**16
_LONGEST = 400
# Fewer rows say nothing of how sequences differ: long ones are cut to give so many.
_FEW_ROWS = 16
_SHORTEST = 32


@dataclass(frozen=True, eq=False)
class Look:
    """Some sequences, and what a model says to them.

    Parameters
    ----------
    model
        In evaluation mode.
    sample
        What it reads, and what is true.
    """

    model: Model
    sample: Sample

    @property
    def lengths(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Steps of each sequence, ``(B,)``."""
        return self.sample.lengths.numpy()

    @property
    def steps(self) -> int:
        """T."""
        return int(self.sample.lengths.max())

    def whole(self, steps: int) -> bool:
        """Whether no sequence has more steps than so many."""
        return self.steps <= steps

    @property
    def per_step(self) -> bool:
        """Whether there is an answer at each step."""
        return self.model.pooling is None

    @cached_property
    def counts(self) -> Tensor:
        """Which answers there are, ``(T, B)`` or ``(B,)``."""
        return known(self.sample.targets)

    def answer(self, resets: Tensor | None = None) -> Tensor:
        """Give the loss of each answer, ``(T, B)`` or ``(B,)``; 0 where there is none.

        Parameters
        ----------
        resets
            Before which steps the network forgets all, ``(T, B)``.
        """
        x, further = self.read
        return self._losses(self.model.recurrent(x, resets=resets, **further)[0])

    def flow(self) -> GradientFlow:
        """Look at the backward pass of the mean loss of all answers."""
        x, further = self.read

        def mean(hidden: Tensor, _: None) -> Tensor:
            return self._mean(self._losses(hidden))

        return gradient_flow(self.model.recurrent, x, None, mean, **further)

    def _losses(self, hidden: Tensor) -> Tensor:
        model, sample = self.model, self.sample
        logits = model.head.logits(model.pooled(hidden, sample.lengths))
        losses = model.head.each(logits, sample.targets).sum(-1)
        return losses.where(self.counts, 0)

    def _mean(self, losses: Tensor) -> Tensor:
        return losses.sum() / self.counts.sum().clamp(min=1)

    @property
    def read(self) -> tuple[Any, dict[str, Any]]:
        """What the network is called with."""
        x, further = self.model.read(self.sample.features, **self.sample.inputs)
        if isinstance(x, SparseSequences):
            return x, dict(further)
        return x, {"lengths": self.sample.lengths, **further}

    def mean_loss(self) -> Tensor:
        """Give the mean over all answers, what training makes small."""
        return self._mean(self.answer())

    def constant(self) -> Tensor:
        """Give the losses of the best answer that is always the same, as `answer`."""
        targets = self.sample.targets
        logits = best_constant(self.model.head, targets)
        shape = *targets.shape[:-1], len(logits)
        each = self.model.head.each(logits.expand(shape), targets)
        return each.sum(-1).where(self.counts, 0)

    def by_sequence(self, losses: Tensor, counts: Tensor | None = None) -> Floats:
        """Mean loss of each sequence that has an answer that counts, ``(n,)``."""
        there = self.counts if counts is None else counts
        values = losses.detach().double().cpu().numpy()
        values = np.where(there.cpu().numpy(), values, np.nan)
        each = mean(values, 0) if values.ndim > 1 else values
        return each[~np.isnan(each)]


def look(task: Task, model: Model, split: Split, rows: int, seed: int) -> Look:
    """Draw sequences of one part to look at.

    Parameters
    ----------
    task, model
        Of the run.
    split
        Which part.
    rows
        How many at most: less of long sequences.
    seed
        Draws them.
    """
    order = torch.Generator().manual_seed(seed)
    steps = _LONGEST
    sample = task.sample(model, split, rows, steps, order)
    if model.pooling is None and len(sample.lengths) < _FEW_ROWS:
        steps = max(int(sample.lengths.sum()) // _FEW_ROWS, _SHORTEST)
        sample = task.sample(model, split, rows, min(steps, _LONGEST), order)
    longest = int(sample.lengths.max())
    if longest * len(sample.lengths) > _MOST_STEPS:
        rows = max(_MOST_STEPS // longest, 1)
        sample = task.sample(model, split, rows, steps, order)
    return Look(model.eval(), sample)


def best_constant(head: Head, targets: Tensor) -> Tensor:
    """The logits ``(K,)`` whose mean loss over targets ``(…, G)`` is the least."""
    flat = targets.reshape(-1, targets.shape[-1])
    if isinstance(head, Softmaxes):
        groups = zip(flat.unbind(-1), head.sizes, strict=True)
        each = [torch.bincount(one[one >= 0], minlength=size) for one, size in groups]
        # A class that there is none of has no probability; its logit stays finite.
        return torch.cat(each).to(head.weight).clamp(min=1e-6).log()
    means = flat.double().nanmean(0).nan_to_num()
    if isinstance(head, Sigmoid):
        return means.clamp(1e-6, 1 - 1e-6).logit().to(head.weight)
    assert isinstance(head, Linear), "there are three kinds of answers"
    return means.to(head.weight)
