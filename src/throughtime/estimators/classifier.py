"""Which of several classes, or which labels, a whole sequence has."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_consistent_length

from throughtime.data.types import IntegerArray, Split
from throughtime.estimators.answering import Answering
from throughtime.estimators.datasets import Targets, split_whole
from throughtime.estimators.parameters import parameters
from throughtime.estimators.sequences import Array, Sequences
from throughtime.estimators.targets import read_classes

_SMALLEST_STEP = np.finfo(np.float64).epsneg


@parameters()
class SequenceClassifier(ClassifierMixin, Answering):
    """The class of a sequence, or its labels.

    Parameters
    ----------
    cell
        The equations of one time step: the name of a built-in cell, as on the command
        line, or a `Cell`.
    inputs
        For each further input of the cell the column of X that feeds it, or columns:
        ``{"gap": 3}`` or ``{"gap": "x3"}``. The others are features.
    missing
        What takes the place of NaN in X: `"forward"`, the last value before it, or the
        mean of training; `"mean"`; `"zero"`; `"error"` refuses it.
    validation
        The share of X that is kept apart, of each class its own; its loss says when to
        stop and which weights to keep. 0: all are learned from, and their own loss
        says it.
    random_state
        Draws first weights, order and validation. The same number gives the same bits.
    out
        The folder of the run, new or empty, so that a second `fit` is refused. None:
        a place for the time of the training.
    quiet
        False shows progress on standard error.
    hidden_size, num_layers, epochs, learning_rate, …
        Every other parameter of the network and the training is that of
        `throughtime.fit`, and has its default.

    Attributes
    ----------
    classes_ : numpy.ndarray
        `(K,)`, the classes in order; of labels their numbers.
    model_ : Model
        What was learned: preprocessing, network and output.
    metrics_ : list of dict
        A mapping per epoch, as `Run.metrics`.
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    _tasks = ("classify", "multilabel")
    _per = "sequence"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from sequences and their classes.

        Parameters
        ----------
        X
            A list or an object array of N arrays ``(T_i, F)``; an array ``(N, T, F)``;
            a matrix ``(N, T)``, whose rows are sequences of one feature; or a list of
            N sparse matrices ``(T_i, F)`` of SciPy or torch, read as `SparseSequences`.
        y
            ``(N,)``, classes of any type; or ``(N, K)``, 0 or 1 for each label.
        sample_weight
            ``(N,)``, how much the loss of each sequence counts, and the sequence where
            X is scaled; None: all alike.
        """
        return self._fit(X, y, sample_weight)

    def _flat(self, sequences: Sequences, y: Any) -> tuple[Array, bool]:
        given, labels = read_classes(y)
        check_consistent_length(sequences.arrays, given)
        return given, labels

    def _kept_apart(
        self, sequences: Sequences, targets: Targets
    ) -> dict[Split, IntegerArray]:
        return self._split(split_whole, sequences.lengths, targets.strata)

    def decision_function(self, X: Any) -> Array:
        """Give the logarithms of what `predict_proba` gives.

        Of two classes ``(N,)``, the logarithm of their odds: above 0 for the second; of
        labels the logarithm of the odds of each, ``(N, K)``.
        """
        shares = self.predict_proba(X)
        tiny = np.finfo(shares.dtype).tiny
        logs = np.log(shares.clip(tiny))
        if self._labels:
            return logs - np.log1p(-shares.clip(max=1 - _SMALLEST_STEP))
        return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs

    def predict_proba(self, X: Any) -> Array:
        """Give the probability of each class, or of each label, ``(N, K)``."""
        _, answers = self._answers(X)
        return np.stack(answers)

    def predict(self, X: Any) -> Array:
        """Give the likeliest class of each sequence ``(N,)``, or its labels."""
        return self._likeliest(self.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
