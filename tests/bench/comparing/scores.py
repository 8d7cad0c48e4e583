"""Scores made of what each answer adds."""

import numpy as np
import numpy.typing as npt

from throughtime.bench.comparing.scoring import Scored
from throughtime.data import Question
from throughtime.train.measuring import Predicted
from throughtime.train.measuring.additive import BUILDERS, accuracy

Array = npt.NDArray[np.float64]
ASKED = Question("regress", "step")


def _kept(predicted: Predicted, additive: object, higher: bool) -> Scored:
    _, targets, sequences, steps = predicted
    return Scored(additive, targets, sequences, steps, higher)  # type: ignore[arg-type]


def of_errors(errors: Array, sequences: npt.NDArray[np.int64] | None = None) -> Scored:
    """Answers that are wrong by so much, one sequence each if nothing is said."""
    own = np.arange(len(errors)) if sequences is None else sequences
    steps = np.arange(len(errors))
    predicted = Predicted(errors[:, None], np.zeros((len(errors), 1)), own, steps)
    return _kept(predicted, BUILDERS["numbers"]["rmse"](predicted), False)


def of_losses(losses: Array, sequences: npt.NDArray[np.int64] | None = None) -> Scored:
    """Answers whose mean absolute error is the mean of these numbers."""
    own = np.arange(len(losses)) if sequences is None else sequences
    steps = np.arange(len(losses))
    predicted = Predicted(losses[:, None], np.zeros((len(losses), 1)), own, steps)
    additive = BUILDERS["numbers"]["mae"](predicted)
    parts = additive.parts.copy()
    parts[:, 0] = losses  # which may be below zero, too
    return _kept(predicted, additive._replace(parts=parts), False)


def of_right(right: npt.NDArray[np.bool_]) -> Scored:
    """Classes that are named right or wrong, one answer per sequence."""
    shares = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    nothing = np.zeros(len(right), np.int64)
    predicted = Predicted(shares, nothing, np.arange(len(right)), nothing)
    return _kept(predicted, accuracy(predicted), True)
