"""The two kinds of data: sequences with a target, and text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from throughtime.data.card import Card

FloatArray: TypeAlias = npt.NDArray[np.floating]
IntegerArray: TypeAlias = npt.NDArray[np.int64]
Split: TypeAlias = Literal["train", "validation", "test"]


@dataclass(frozen=True, eq=False)
class SequenceDataset:
    """Sequences of features, each with one class.

    Parameters
    ----------
    name
        What it is called.
    sequences
        N arrays `(T_i, F)`, float32.
    targets
        `(N,)`, the class of each sequence as its place in `classes`.
    classes
        The names of the classes.
    splits
        For each part, the places of its sequences.
    card
        Origin, licence, trivial results.
    """

    name: str
    sequences: list[FloatArray]
    targets: IntegerArray
    classes: tuple[str, ...]
    splits: Mapping[Split, IntegerArray]
    card: Card
    task: Literal["classify"] = "classify"
    per: Literal["sequence"] = "sequence"

    @property
    def features(self) -> int:
        """F, the number of features of a step."""
        return self.sequences[0].shape[1]

    def part(self, split: Split) -> list[FloatArray]:
        """Return the sequences of one part."""
        return [self.sequences[place] for place in self.splits[split]]


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
        ranges = self.splits[split]
        return np.concatenate([self.symbols[r.start : r.stop] for r in ranges])

    def unknown(self, split: Split) -> int:
        """Count the characters of one part that training never saw."""
        return int(np.count_nonzero(self.part(split) == 0))


Dataset: TypeAlias = SequenceDataset | TextDataset
