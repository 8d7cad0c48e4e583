"""Means and deviations of the training part, and which of its columns have gaps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from throughtime.data import Frames, SequenceDataset
from throughtime.data.pieces import SEQUENCE, START, STOP
from throughtime.data.types import FloatArray, IntegerArray
from throughtime.errors import NonFiniteFeature, NoTrainingSteps

# Rows that are measured at once: enough to be quick, few enough for little memory.
_ROWS = 65536


@dataclass(frozen=True)
class Scale:
    """How numbers come to mean 0 and standard deviation 1.

    Parameters
    ----------
    mean, std
        n numbers each. What never changes in training has `std` 1: it is centred and
        keeps its scale.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to_json(self) -> dict[str, list[float]]:
        """Return what JSON can hold, to the last bit."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, stored: object, size: int) -> "Scale":
        """Read what `to_json` gave for so many numbers.

        Raises
        ------
        ValueError
            Something is missing or damaged; the message says what.
        """
        mean, std = _numbers(stored, "mean", size), _numbers(stored, "std", size)
        if min(std, default=1.0) <= 0:
            raise ValueError("a deviation is not above 0")
        return cls(mean, std)


class Moments:
    """Mean and deviation of many rows, some at a time (Chan et al. 1979).

    Parameters
    ----------
    width
        n, the numbers of a row.
    """

    def __init__(self, width: int) -> None:
        self.count = np.zeros(width)
        self.mean = np.zeros(width)
        self.squares = np.zeros(width)
        self.lowest = np.full(width, np.inf)
        self.highest = np.full(width, -np.inf)
        self.gaps = np.zeros(width, dtype=bool)

    def add(self, rows: FloatArray, weights: FloatArray | None = None) -> None:
        """Take in rows `(N, n)`; NaN does not count, but is remembered as a gap.

        Parameters
        ----------
        rows
            The numbers.
        weights
            `(N,)`, how much each row counts; None: 1.
        """
        rows = rows.astype(np.float64)
        weight = np.ones(len(rows)) if weights is None else weights
        known = ~np.isnan(rows) & (weight > 0)[:, None]
        self.gaps |= np.isnan(rows).any(axis=0)
        weight = np.where(known, weight[:, None], 0)
        count = weight.sum(axis=0)
        total = self.count + count
        shift = (np.where(known, rows, 0) * weight).sum(axis=0) / _above_zero(count)
        shift = np.where(count > 0, shift - self.mean, 0)
        spread = np.where(known, rows - (self.mean + shift), 0)
        share = count / _above_zero(total)
        self.squares += (spread**2 * weight).sum(axis=0)
        self.squares += shift**2 * self.count * share
        self.mean = self.mean + shift * share
        self.lowest = np.fmin(self.lowest, np.where(known, rows, np.inf).min(axis=0))
        self.highest = np.fmax(self.highest, np.where(known, rows, -np.inf).max(axis=0))
        self.count = total

    def scale(self) -> Scale:
        """Return the scale of all rows; what was never known has mean 0."""
        constant = self.lowest >= self.highest
        # The mean of equal numbers may miss them by a rounding.
        mean = np.where(constant & (self.count > 0), self.lowest, self.mean)
        std = np.sqrt(self.squares / _above_zero(self.count))
        std = np.where(constant | (std == 0), 1.0, std)
        return Scale(tuple(mean.tolist()), tuple(std.tolist()))


@dataclass(frozen=True)
class Measured:
    """What the training part says of each column of the matrices.

    Parameters
    ----------
    steps
        Every step weighs the same.
    sequences
        Every sequence does: of its first row. Empty where answers are per step.
    """

    steps: Moments
    sequences: Moments


def measure_columns(dataset: SequenceDataset) -> Measured:
    """Measure all C columns of the training part.

    Raises
    ------
    NoTrainingSteps, NonFiniteFeature
        There is nothing to measure, or it cannot be measured.
    """
    frames, pieces = dataset.frames, dataset.splits["train"]
    measured = Measured(Moments(frames.width), Moments(frames.width))
    weights = dataset.weights
    weights = np.ones(len(frames.lengths)) if weights is None else weights
    for rows, sequences in _chunks(frames, pieces):
        measured.steps.add(rows, weights[sequences])
    per_sequence = dataset.question.per == "sequence"
    for sequence, start, stop, _ in pieces.tolist() if per_sequence else ():
        if stop > start:
            first = frames.read(sequence, start, start + 1)
            measured.sequences.add(first, weights[sequence : sequence + 1])
    if not len(pieces) or not (pieces[:, STOP] > pieces[:, START]).any():
        raise NoTrainingSteps
    return measured


def _chunks(
    frames: Frames, pieces: IntegerArray
) -> Iterator[tuple[FloatArray, IntegerArray]]:
    """Give rows, and whose they are: many short pieces or a part of a long one."""
    held: list[FloatArray] = []
    whose: list[IntegerArray] = []
    size = 0
    for piece in pieces.tolist():
        for start in range(piece[START], piece[STOP], _ROWS):
            stop = min(start + _ROWS, piece[STOP])
            rows = frames.read(piece[SEQUENCE], start, stop)
            _check_finite(rows, piece[SEQUENCE], start)
            held.append(rows)
            whose.append(np.full(len(rows), piece[SEQUENCE]))
            size += len(rows)
            if size >= _ROWS:
                yield np.concatenate(held), np.concatenate(whose)
                held.clear()
                whose.clear()
                size = 0
    if held:
        yield np.concatenate(held), np.concatenate(whose)


def _above_zero(count: FloatArray) -> FloatArray:
    """Give something to divide by where there is nothing."""
    return np.where(count > 0, count, 1)


def _check_finite(rows: FloatArray, sequence: int, start: int) -> None:
    faults = np.argwhere(np.isinf(rows))
    if len(faults):
        step, column = faults[0].tolist()
        raise NonFiniteFeature(sequence=sequence, step=start + step, feature=column)


def _numbers(stored: object, key: str, size: int) -> tuple[float, ...]:
    # Read from a file: it may be anything that JSON can hold.
    given: Any = stored.get(key) if isinstance(stored, Mapping) else None
    if not isinstance(given, list) or len(given) != size:
        raise ValueError(f"`{key}` is no list of {size} numbers")
    for number in given:
        real = isinstance(number, int | float) and not isinstance(number, bool)
        if not real or not isfinite(number):
            raise ValueError(f"`{key}` holds {number!r}")
    return tuple(float(number) for number in given)


def chosen(scale: Scale, places: Sequence[int]) -> Scale:
    """Return the scale of some of the numbers."""
    return Scale(
        tuple(scale.mean[place] for place in places),
        tuple(scale.std[place] for place in places),
    )
