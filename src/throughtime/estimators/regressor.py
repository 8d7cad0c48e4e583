"""One number, or several, for a whole sequence."""

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length

from throughtime.data import Question
from throughtime.estimators.base import SequenceEstimator
from throughtime.estimators.datasets import Targets, split_whole
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
        sequences, targets = self._read(X, y), self._targets(X, y)
        splits = self._split(split_whole, sequences.lengths, None)
        question = Question("regress", "sequence")
        return self._learn(sequences, targets, question, splits, sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go on learning from more sequences, in one pass over them.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; as in `SequenceClassifier.partial_fit`, the scales of X and y
            are those of the first call, or of `fit`.
        """
        if hasattr(self, "_kept"):
            sequences = self._read_more(X)
            return self._go_on(sequences, self._targets(X, y), sample_weight)
        sequences, targets = self._read(X, y), self._targets(X, y)
        question = Question("regress", "sequence")
        return self._begin(sequences, targets, question, sample_weight)

    def _targets(self, X: Any, y: Any) -> Targets:
        given = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
        check_consistent_length(X, given)
        self._single = given.ndim == 1
        return number_targets(given.astype(np.float64))

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
