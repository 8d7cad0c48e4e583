"""Features on one scale, learned from the training part alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from throughtime.data.types import FloatArray
from throughtime.errors import (
    BadStandardiser,
    FeatureCountMismatch,
    NonFiniteFeature,
    NoTrainingSteps,
)


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

        Raises
        ------
        NoTrainingSteps, FeatureCountMismatch, NonFiniteFeature
            There is nothing to measure, or it cannot be measured.
        """
        if not sum(len(sequence) for sequence in sequences):
            raise NoTrainingSteps
        for sequence in sequences:
            _check_features(sequence, sequences[0].shape[-1])
        _check_finite(sequences)
        frames = np.concatenate([sequence.astype(np.float64) for sequence in sequences])
        constant = (frames == frames[0]).all(axis=0)
        # The mean of equal numbers may miss them by a rounding.
        mean = np.where(constant, frames[0], frames.mean(axis=0))
        std = np.where(constant, 1.0, frames.std(axis=0))
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


def _check_finite(sequences: Sequence[FloatArray]) -> None:
    for place, sequence in enumerate(sequences):
        faults = np.argwhere(~np.isfinite(sequence))
        if len(faults):
            step, feature = faults[0].tolist()
            raise NonFiniteFeature(sequence=place, step=step, feature=feature)
