"""The two kinds of data: sequences of numbers, and text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from throughtime.data.card import Card
from throughtime.data.frames import Frames, FramesInMemory
from throughtime.data.items import Items
from throughtime.data.part import Part
from throughtime.data.pieces import whole
from throughtime.data.question import Question
from throughtime.data.reading import Missing
from throughtime.data.schema import Column, Schema
from throughtime.data.types import FloatArray, IntegerArray, Split


@dataclass(frozen=True, eq=False)
class SequenceDataset:
    """Sequences of numbers, and what is asked of them.

    Parameters
    ----------
    name
        What it is called.
    schema
        The columns of the matrices.
    question
        What is to be predicted.
    frames
        N matrices `(T_i, C)`, raw. The target of a whole sequence stands in every row.
    keys
        `(N,)`, the name of each sequence.
    splits
        For each part its pieces `(n, 4)`, as `pieces` says.
    card
        Origin, licence, trivial results; None for data that have none.
    missing
        What stands for a missing value of a feature, as `Reading` says it.
    weights
        `(N,)`, how much each sequence counts in losses and scales; None: all alike.
    items
        What the steps name, where the schema has such columns.
    """

    name: str
    schema: Schema
    question: Question
    frames: Frames
    keys: Sequence[str]
    splits: Mapping[Split, IntegerArray]
    card: Card | None = None
    missing: Missing = "error"
    weights: FloatArray | None = None
    items: Items | None = None

    def part(self, split: Split) -> Part:
        """Return the features `(T_i, F)` of each piece of one part, in order."""
        places = self.schema.places(self.schema.features)
        return Part(self.frames, self.splits[split], places)

    def read(self, split: Split) -> Part:
        """Return the matrix `(T_i, C)` of each piece of one part, in order."""
        return Part(self.frames, self.splits[split])


def classified(
    name: str,
    sequences: Sequence[FloatArray],
    targets: IntegerArray,
    classes: Sequence[str],
    splits: Mapping[Split, IntegerArray],
    card: Card | None = None,
) -> SequenceDataset:
    """Make a data set of sequences with one class each.

    Parameters
    ----------
    name
        What it is called.
    sequences
        N arrays `(T_i, F)`.
    targets
        `(N,)`, the class of each sequence as its place in `classes`.
    classes
        The names of the classes.
    splits
        For each part, the places of its sequences.
    card
        Origin, licence, trivial results.
    """
    features = [Column(f"x{number}") for number in range(sequences[0].shape[1])]
    target = Column("class", "category", tuple(classes))
    frames = FramesInMemory(
        [
            np.column_stack([sequence, np.full(len(sequence), label, sequence.dtype)])
            for sequence, label in zip(sequences, targets, strict=True)
        ]
    )
    return SequenceDataset(
        name=name,
        schema=Schema(tuple(features), (target,)),
        question=Question("classify", "sequence"),
        frames=frames,
        keys=[str(number) for number in range(len(sequences))],
        splits={part: whole(places, frames.lengths) for part, places in splits.items()},
        card=card,
    )


@dataclass(frozen=True, eq=False)
class TextDataset:
    """One text; each character is to be predicted from those before it.

    Parameters
    ----------
    name
        What it is called.
    symbols
        `(N,)`, each character as its place in `vocabulary`.
    vocabulary
        The characters of the training part, in order of their code points, after
        `UNKNOWN` at place 0: it stands for every character not seen in training.
        Predictions of it count as any other.
    splits
        For each part, its ranges of `symbols`, in order.
    card
        Origin, licence, trivial results.
    """

    name: str
    symbols: IntegerArray
    vocabulary: tuple[str, ...]
    splits: Mapping[Split, tuple[range, ...]]
    card: Card
    task: Literal["next"] = "next"

    def part(self, split: Split) -> IntegerArray:
        """Return the symbols of one part, its ranges joined in order."""
        ranges = (range(0), *self.splits[split])  # there may be none
        return np.concatenate([self.symbols[r.start : r.stop] for r in ranges])

    def place(self, split: Split, symbol: int) -> int:
        """Say where in the text a symbol of one part stands."""
        for own in self.splits[split]:
            if symbol < len(own):
                return own[symbol]
            symbol -= len(own)
        raise IndexError(symbol)

    def unknown(self, split: Split) -> int:
        """Count the characters of one part that training never saw."""
        return int(np.count_nonzero(self.part(split) == 0))


Dataset: TypeAlias = SequenceDataset | TextDataset
