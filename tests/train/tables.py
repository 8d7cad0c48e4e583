"""Small data sets of columns, one for each question."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from throughtime.data import (
    Column,
    FramesInMemory,
    Question,
    Schema,
    SequenceDataset,
    whole,
)


def numbers(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name) for name in names)


def booleans(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "boolean") for name in names)


def table(
    matrices: Sequence[np.ndarray],
    question: Question,
    features: Sequence[Column],
    targets: Sequence[Column] = (),
    inputs: dict[str, tuple[Column, ...]] | None = None,
    splits: dict[str, Any] | None = None,
) -> SequenceDataset:
    """A data set whose first half is training, the next quarter validation."""
    frames, count = FramesInMemory(matrices), len(matrices)
    if splits is None:
        edges = [0, count // 2, 3 * count // 4, count]
        places = [np.arange(a, b) for a, b in pairwise(edges)]
        names = ("train", "validation", "test")
        splits = {
            name: whole(place, frames.lengths)
            for name, place in zip(names, places, strict=True)
        }
    schema = Schema(tuple(features), tuple(targets), inputs or {})
    keys = [str(number) for number in range(count)]
    return SequenceDataset("table", schema, question, frames, keys, splits)


def drawn(count: int, width: int, longest: int = 7, seed: int = 0) -> list[np.ndarray]:
    """Matrices of 1 to so many steps."""
    draw = np.random.default_rng(seed)
    return [
        draw.normal(3, 2, (int(draw.integers(1, longest + 1)), width))
        for _ in range(count)
    ]
