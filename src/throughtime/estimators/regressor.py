"""One number, or several, for a whole sequence."""

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length

from throughtime.data import Question
from throughtime.estimators.base import SequenceEstimator
from throughtime.estimators.datasets import split_whole
from throughtime.estimators.parameters import parameters
from throughtime.estimators.sequences import Array
from throughtime.estimators.targets import number_targets


@parameters()
class SequenceRegressor(RegressorMixin, SequenceEstimator):
    """Real numbers, one or several, for a whole sequence.

    Parameters, attributes and X are those of `SequenceClassifier`, but for `classes_`.
    `score` is R².
    """

    _tasks = ("regress",)
    _per = "sequence"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from sequences and their numbers.

        Parameters
        ----------
        X
            As in `SequenceClassifier`.
        y
            ``(N,)``, or ``(N, K)`` for several at once.
        sample_weight
            As in `SequenceClassifier`.
        """
        sequences = self._read(X, y)
        given = check_array(
            y, ensure_2d=False, dtype="numeric", input_name="y", ensure_min_samples=0
        ).astype(np.float64)
        check_consistent_length(sequences.arrays, given)
        self._single = given.ndim == 1
        splits = self._split(split_whole, sequences.lengths, None)
        question = Question("regress", "sequence")
        targets = number_targets(given)
        return self._learn(sequences, targets, question, splits, sample_weight)

    def predict(self, X: Any) -> Array:
        """Give the numbers of each sequence, ``(N,)`` or ``(N, K)``."""
        _, answers = self._answers(X)
        found = np.stack(answers)
        return found[:, 0] if self._single else found

    def _restore(self, facts: Any) -> None:
        super()._restore(facts)
        self._single = len(self._model.schema.targets) == 1

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
