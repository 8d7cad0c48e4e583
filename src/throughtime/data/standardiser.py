"""Features on one scale, learned from the training part alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from throughtime.data.part import Part
from throughtime.data.types import FloatArray
from throughtime.errors import (
    BadStandardiser,
    FeatureCountMismatch,
    FeatureWithoutValues,
    NonFiniteFeature,
    NoTrainingSteps,
)

# Long pieces are measured in stretches of so many steps, wherever they lie.
_STEPS = 65_536


@dataclass(frozen=True)
class Standardiser:
    """Takes each feature to mean 0 and standard deviation 1 of the training part.

    Parameters
    ----------
    mean, std
        F numbers each, stored with the model. A feature that never changes in
        training has `std` 1: it is centred and keeps its scale.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, sequences: Sequence[FloatArray]) -> "Standardiser":
        """Measure the training sequences `(T_i, F)`, every step weighing the same.

        They are read twice, one after the other, in float64: a `Part` is never in
        memory as a whole. NaN stands for a missing value and does not count.

        Raises
        ------
        NoTrainingSteps, FeatureCountMismatch, NonFiniteFeature, FeatureWithoutValues
            There is nothing to measure, or it cannot be measured.
        """
        if isinstance(sequences, Part):
            sequences = sequences.cut(_STEPS)
        low, high = _range(sequences)
        total, count = np.zeros(len(low)), np.zeros(len(low))
        for sequence in sequences:
            total += np.nansum(sequence, axis=0, dtype=np.float64)
            count += np.count_nonzero(~np.isnan(sequence), axis=0)
        # The mean of equal numbers may miss them by a rounding.
        mean = np.where(low == high, low, total / count)
        squares = np.zeros(len(low))
        for sequence in sequences:
            squares += np.nansum((sequence - mean) ** 2, axis=0)
        std = np.where(low == high, 1.0, np.sqrt(squares / count))
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def __call__(self, sequence: FloatArray) -> FloatArray:
        """Return a standardised copy `(T, F)`, of the same dtype.

        Raises
        ------
        FeatureCountMismatch
            The sequence has another number of features than training had.
        """
        _check_features(sequence, len(self.mean))
        scaled = (sequence.astype(np.float64) - self.mean) / self.std
        return scaled.astype(sequence.dtype)

    def to_json(self) -> dict[str, list[float]]:
        """Return what JSON can hold, to the last bit."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> "Standardiser":
        """Read what `to_json` gave.

        Raises
        ------
        BadStandardiser
            Something is missing or damaged; the message says what.
        """
        mean, std = _numbers(stored, "mean"), _numbers(stored, "std")
        if len(mean) != len(std):
            raise BadStandardiser(reason=f"{len(mean)} means, {len(std)} deviations")
        if min(std, default=1.0) <= 0:
            raise BadStandardiser(reason="a deviation is not above 0")
        return cls(mean, std)


def _numbers(stored: Mapping[str, object], key: str) -> tuple[float, ...]:
    # Read from a file: it may be anything that JSON can hold.
    given = stored.get(key) if isinstance(stored, Mapping) else None
    if not isinstance(given, list):
        raise BadStandardiser(reason=f"no list `{key}`")
    numbers: list[float] = []
    for number in given:
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or not isfinite(number):
            raise BadStandardiser(reason=f"`{key}` holds {number!r}")
        numbers.append(float(number))
    return tuple(numbers)


def _check_features(sequence: FloatArray, expected: int) -> None:
    if sequence.ndim != 2 or sequence.shape[1] != expected:
        raise FeatureCountMismatch(given=sequence.shape, expected=expected)


def _range(sequences: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return the least and the greatest value of each feature."""
    low = high = np.empty(0)
    steps = 0
    for place, sequence in enumerate(sequences):
        _check_features(sequence, len(low) if place else sequence.shape[-1])
        faults = np.argwhere(np.isinf(sequence))
        if len(faults):
            step, feature = faults[0].tolist()
            raise NonFiniteFeature(sequence=place, step=step, feature=feature)
        if not place:
            low = np.full(sequence.shape[1], np.nan)
            high = low.copy()
        if len(sequence):
            low = np.fmin(low, np.fmin.reduce(sequence, axis=0))
            high = np.fmax(high, np.fmax.reduce(sequence, axis=0))
        steps += len(sequence)
    if not steps:
        raise NoTrainingSteps
    if np.isnan(low).any():
        raise FeatureWithoutValues(feature=int(np.isnan(low).argmax()))
    return low, high
