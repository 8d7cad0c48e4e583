"""What a trained network still knows when its history is cut.

It was trained on whole histories; for each answer it is now started afresh k steps
before. What it loses is what it drew from further back. That is no measure of what any
model could do with k steps: the window is trained on them.
"""

from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from throughtime.bench.comparing.examples import asked, question_of
from throughtime.bench.comparing.scoring import Scored, score
from throughtime.data import Dataset, SequenceDataset, TextDataset
from throughtime.data.pieces import FIRST, SEQUENCE, START, STOP
from throughtime.data.types import IntegerArray
from throughtime.train.asking.settings import Settings
from throughtime.train.measuring import Predicted
from throughtime.train.model import Model
from throughtime.train.tasks import OfSequences
from throughtime.train.tasks.collecting import Collected

LONGEST: Final = 128
# Steps that are run in all: a few seconds.
_STEPS = 2**20
_ROWS = 256


class History(NamedTuple):
    """The metric of answers whose history is cut.

    Parameters
    ----------
    steps
        k, powers of two.
    values
        The metric with the last k steps alone.
    whole
        With the whole history.
    answers, of
        How many answers were looked at, and how many there are.
    kept
        Their places among those.
    """

    steps: tuple[int, ...]
    values: tuple[float, ...]
    whole: float
    answers: int
    of: int
    kept: IntegerArray


def history(
    model: Model, settings: Settings, dataset: Dataset, scored: Scored, seed: int = 0
) -> History:
    """Cut the history of a network's test answers at k = 1, 2, 4, … steps.

    Parameters
    ----------
    model, settings
        The network, and how it was trained.
    dataset
        What it was trained on.
    scored
        Its test answers with their whole history.
    seed
        Draws which answers are looked at, where all would take long.
    """
    steps = _powers(dataset)
    n = len(scored.sequences)
    most = max(1, _STEPS // max(1, sum(steps)))
    draw = np.random.default_rng(seed)
    kept = np.sort(draw.permutation(n)[:most])
    some = scored.of(kept)
    values: list[float] = []
    for k in steps:
        if isinstance(dataset, TextDataset):
            answers = _of_text(model, dataset, some.steps, k)
        else:
            answers = _of_sequences(model, settings, dataset, some, k)
        values.append(score(dataset, answers).value)
    return History(steps, tuple(values), some.value, len(kept), n, kept)


def _powers(dataset: Dataset) -> tuple[int, ...]:
    """Return 1, 2, 4, … below the longest history, and up to 128."""
    if isinstance(dataset, TextDataset):
        longest = len(dataset.part("test")) - 1
    else:
        pieces = dataset.splits["test"]
        longest = int((pieces[:, STOP] - pieces[:, START]).max())
    powers = [2**place for place in range(LONGEST.bit_length())]
    return tuple(k for k in powers if k <= LONGEST and (k < longest or k == 1))


@torch.no_grad()
def _of_text(
    model: Model, dataset: TextDataset, steps: IntegerArray, k: int
) -> Predicted:
    """Answer what follows some symbols from k of them, or as many as there are."""
    model.eval()
    symbols = torch.from_numpy(dataset.part("test"))
    device = model.head.weight.device
    said = np.empty((len(steps), len(model.labels)))
    lengths = np.minimum(k, steps + 1)
    for start in range(0, len(steps), _ROWS):
        rows = slice(start, start + _ROWS)
        own = torch.from_numpy(lengths[rows])
        first = torch.from_numpy(steps[rows]) + 1 - own
        places = (first + torch.arange(k)[:, None]).clamp(max=len(symbols) - 1)
        x = symbols[places][..., None].to(device)
        hidden, _ = model.hidden(x, lengths=own)
        last = hidden[own - 1, torch.arange(len(own))]
        shares = model.head.activate(model.head.logits(last).double())
        said[rows] = shares.cpu().numpy()
    truth = dataset.part("test")[steps + 1]
    return Predicted(said, truth, np.zeros_like(steps), steps)


def _of_sequences(
    model: Model, settings: Settings, dataset: SequenceDataset, some: Scored, k: int
) -> Predicted:
    pieces = _cut(dataset, some, k)
    short = replace(dataset, splits={**dataset.splits, "test": pieces})
    collected = Collected()
    for own, outputs, truth in OfSequences(short, settings).answered(model, "test"):
        if dataset.question.per == "step":
            at: Any = (own[:, FIRST] - own[:, START], np.arange(len(own)))
            outputs, truth = outputs[at], truth[at]
        collected.add(outputs, truth, own)
    return collected.predicted(asked(dataset))[0]


def _cut(dataset: SequenceDataset, some: Scored, k: int) -> IntegerArray:
    """Return a piece for each answer: the steps that are read, and what is asked."""
    question = question_of(dataset)
    whole = dataset.splits["test"]
    if question.per == "sequence":
        found = whole[np.searchsorted(whole[:, SEQUENCE], some.sequences)].copy()
        found[:, START] = np.maximum(found[:, START], found[:, STOP] - k)
        found[:, FIRST] = np.maximum(found[:, FIRST], found[:, START])
        return found
    ahead = {"forecast": question.horizon, "next": 1}.get(question.task, 0)
    # Changes are of values that lie further back.
    before = k - 1 + question.difference
    found = np.empty((len(some.steps), 4), np.int64)
    own = whole[np.searchsorted(whole[:, SEQUENCE], some.sequences)]
    found[:, SEQUENCE] = some.sequences
    found[:, START] = np.maximum(own[:, START], some.steps - before)
    found[:, STOP] = np.minimum(own[:, STOP], some.steps + ahead + 1)
    found[:, FIRST] = some.steps
    return found
