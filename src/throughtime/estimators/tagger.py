"""Which class, or which labels, every step of a sequence has."""

from typing import Any, Self

import numpy as np
from sklearn.metrics import accuracy_score

from throughtime.data.types import IntegerArray, Split
from throughtime.estimators.answering import Answering
from throughtime.estimators.datasets import Targets, split_steps
from throughtime.estimators.parameters import parameters
from throughtime.estimators.sequences import Array, Sequences
from throughtime.estimators.targets import per_step, read_classes


@parameters()
class SequenceTagger(Answering):
    """The class of every step, or its labels.

    Parameters, attributes and X are those of `SequenceClassifier`. y is a list of N
    arrays ``(T_i,)`` of classes or ``(T_i, K)`` of 0 and 1, or one array ``(N, T)`` or
    ``(N, T, K)``; answers come back in the form of X: a list for a list, one array for
    one array. Of fewer than ten sequences the last steps of each are kept apart for
    validation. `score` is the share of steps that are right, of labels in all of them.
    """

    _tasks = ("classify", "multilabel")
    _per = "step"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from sequences and the classes of their steps.

        Parameters
        ----------
        X
            As in `SequenceClassifier`.
        y
            A class, or 0 or 1 for each label, of every step.
        sample_weight
            ``(N,)``, how much the steps of each sequence count; None: all alike.
        """
        return self._fit(X, y, sample_weight)

    def _flat(self, sequences: Sequences, y: Any) -> tuple[Array, bool]:
        steps = per_step(y, sequences.lengths.tolist())
        return read_classes(np.concatenate(steps))

    def _laid(self, sequences: Sequences, targets: Targets) -> Targets:
        assert targets.values is not None
        rows = np.concatenate(targets.values)
        parts = np.split(rows, np.cumsum(sequences.lengths)[:-1])
        return Targets(targets.columns, parts)

    def _kept_apart(
        self, sequences: Sequences, targets: Targets
    ) -> dict[Split, IntegerArray]:
        return self._split(split_steps, sequences.lengths, False)

    def predict_proba(self, X: Any) -> Any:
        """Give the probability of each class or label, ``(T_i, K)`` a sequence."""
        sequences, answers = self._answers(X)
        return sequences.shaped(answers)

    def predict(self, X: Any) -> Any:
        """Give the likeliest class of each step ``(T_i,)``, or its labels."""
        sequences, answers = self._answers(X)
        return sequences.shaped([self._likeliest(shares) for shares in answers])

    def score(self, X: Any, y: Any) -> float:
        """Give the share of all steps that are right."""
        sequences, answers = self._answers(X)
        steps = per_step(y, sequences.lengths.tolist())
        found: list[Array] = [self._likeliest(shares) for shares in answers]
        return float(accuracy_score(np.concatenate(steps), np.concatenate(found)))
