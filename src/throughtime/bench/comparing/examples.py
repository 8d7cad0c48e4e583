"""What baselines are given of a data set, and how what they say becomes answers."""

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
import torch

from throughtime.data import Dataset, Question, SequenceDataset, Split, TextDataset
from throughtime.data.pieces import FIRST, START, STOP
from throughtime.data.schema import Column
from throughtime.data.trivial.counted import Floats, known_mean, wide_numbers
from throughtime.data.trivial.numbers import filled_forward
from throughtime.data.types import IntegerArray
from throughtime.train.measuring import Predicted
from throughtime.train.preparing.building import text_schema
from throughtime.train.preparing.outputs import asked_of
from throughtime.train.preparing.truth import truth_of
from throughtime.train.tasks.collecting import Collected

# Where characters begin that no standard gives a meaning.
_PRIVATE = 0xE000


def question_of(dataset: Dataset) -> Question:
    """Return what is asked; of a text, its next symbol."""
    if isinstance(dataset, TextDataset):
        return Question("next", "step")
    return dataset.question


def asked(dataset: Dataset) -> tuple[Column, ...]:
    """Return the columns that are predicted."""
    if isinstance(dataset, TextDataset):
        return text_schema(dataset).features
    return asked_of(dataset.schema, dataset.question)


def labels(dataset: Dataset) -> tuple[str, ...]:
    """Name the K classes or symbols, the labels or the columns of numbers."""
    columns = asked(dataset)
    if columns[0].kind == "category":
        return columns[0].categories
    return tuple(column.name for column in columns)


def steps_read(dataset: Dataset, split: Split) -> int:
    """Count the steps that are read to answer a part, those before it included."""
    if isinstance(dataset, TextDataset):
        return len(dataset.part(split)) - 1
    pieces = dataset.splits[split]
    return int((pieces[:, STOP] - pieces[:, START]).sum())


def lengths_of(dataset: Dataset, split: Split) -> list[int]:
    """Return how many answers each piece has, those that do not count included."""
    if isinstance(dataset, TextDataset):
        return [len(dataset.part(split))]
    pieces = dataset.splits[split]
    if dataset.question.per == "sequence":
        return [1] * len(pieces)
    return (pieces[:, STOP] - pieces[:, START]).tolist()


def text_of(dataset: TextDataset, split: Split) -> str:
    """Spell a part; a character that training never saw is one that no text holds."""
    known = dataset.vocabulary
    unseen = next(chr(code) for code in count(_PRIVATE) if chr(code) not in known)
    letters = np.array([unseen, *known[1:]])
    return "".join(letters[dataset.part(split)].tolist())


def symbols_of(dataset: SequenceDataset, split: Split) -> list[IntegerArray]:
    """Return the symbols `(T_i,)` of each piece; -1: missing, or never seen."""
    places = dataset.schema.places(asked(dataset))
    rows = [matrix[:, places[0]] for matrix in dataset.read(split)]
    return [np.nan_to_num(row, nan=-1).astype(np.int64) for row in rows]


def columns_of(dataset: SequenceDataset, split: Split) -> list[Floats]:
    """Return what is predicted, as it was read, `(T_i, C)` of each piece."""
    places = dataset.schema.places(asked(dataset))
    return [matrix[:, places].astype(np.float64) for matrix in dataset.read(split)]


def features_of(dataset: SequenceDataset, split: Split) -> list[Floats]:
    """Return the features `(T_i, F)` of each piece as numbers; NaN: missing."""
    return [
        wide_numbers(dataset, matrix.astype(np.float64))
        for matrix in dataset.read(split)
    ]


def filled_features(dataset: SequenceDataset, split: Split) -> list[Floats]:
    """Return the features of each piece, gaps filled as the data are to be read."""
    level = np.nan_to_num(known_mean(np.concatenate(features_of(dataset, "train"))))
    found = features_of(dataset, split)
    if dataset.missing == "forward":
        return [filled_forward(one, level)[1:] for one in found]
    if dataset.missing == "zero":
        level = np.zeros_like(level)
    return [np.where(np.isnan(one), level, one) for one in found]


def truth(dataset: SequenceDataset, split: Split) -> Iterator[Floats]:
    """Give what is true of each piece, `(1, G)` or `(T_i, G)`; NaN where nothing is."""
    return (found[1].numpy()[:, 0] for found in _true(dataset, split))


def answered(dataset: Dataset, split: Split, outputs: Sequence[Floats]) -> Predicted:
    """Put what was said beside the truth, as networks' answers are.

    Parameters
    ----------
    dataset, split
        What was asked.
    outputs
        For each piece `(1, K)`, or `(T_i, K)`: answers per step, those of steps that do
        not count included. Of a text one array, the answer after its last symbol too.
    """
    if isinstance(dataset, TextDataset):
        symbols = dataset.part(split)
        steps = np.arange(len(symbols) - 1)
        return Predicted(outputs[0][:-1], symbols[1:], np.zeros_like(steps), steps)
    collected = Collected()
    for (piece, true), said in zip(_true(dataset, split), outputs, strict=True):
        values = torch.from_numpy(np.ascontiguousarray(said))
        if dataset.question.per == "step":
            collected.add(values[:, None], true, piece[None])
        else:
            collected.add(values, true[0], piece[None])
    return collected.predicted(asked(dataset))[0]


def _true(
    dataset: SequenceDataset, split: Split
) -> Iterator[tuple[IntegerArray, torch.Tensor]]:
    """Give each piece and what is true of it, `(1, 1, G)` or `(T, 1, G)`."""
    pieces = dataset.splits[split]
    for piece, values in zip(pieces, columns_of(dataset, split), strict=True):
        found = truth_of(torch.from_numpy(values)[:, None], dataset.question)
        if dataset.question.per == "sequence":
            yield piece, found[None]
            continue
        found[: int(piece[FIRST] - piece[START])] = torch.nan
        yield piece, found
