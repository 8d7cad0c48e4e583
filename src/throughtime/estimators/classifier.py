"""Which of several classes, or which labels, a whole sequence has."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_consistent_length

from throughtime.data import Question
from throughtime.estimators.base import SequenceEstimator
from throughtime.estimators.datasets import Targets, split_whole
from throughtime.estimators.parameters import parameters
from throughtime.estimators.sequences import Array
from throughtime.estimators.targets import (
    class_targets,
    known_classes,
    label_targets,
    name_of,
    read_classes,
)

_HALF = 0.5
_SMALLEST_STEP = np.finfo(np.float64).epsneg


@parameters()
class SequenceClassifier(ClassifierMixin, SequenceEstimator):
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
            or a matrix ``(N, T)``, whose rows are sequences of one feature.
        y
            ``(N,)``, classes of any type; or ``(N, K)``, 0 or 1 for each label.
        sample_weight
            ``(N,)``, how much the loss of each sequence counts, and the sequence where
            X is scaled; None: all alike.
        """
        sequences = self._read(X, y)
        targets = self._targets(sequences.arrays, y)
        splits = self._split(split_whole, sequences.lengths, targets.strata)
        return self._learn(sequences, targets, self._question(), splits, sample_weight)

    def _targets(self, arrays: Any, y: Any) -> Targets:
        given, labels = read_classes(y)
        check_consistent_length(arrays, given)
        if labels:
            self.classes_ = np.arange(given.shape[1])
        else:
            self.classes_ = known_classes(given)
        self._labels = labels
        return label_targets(given) if labels else class_targets(given, self.classes_)

    def _question(self) -> Question:
        return Question("multilabel" if self._labels else "classify", "sequence")

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
        shares = self.predict_proba(X)
        if self._labels:
            return (shares >= _HALF).astype(int)
        return self.classes_[shares.argmax(axis=1)]

    def _settings(self) -> dict[str, Any]:
        weights = self._given("class_weights")
        settings = super()._settings()
        if isinstance(weights, Mapping) and not self._labels:
            named = {name_of(one): weight for one, weight in weights.items()}
            settings["class_weights"] = named
        return settings

    def _facts(self) -> dict[str, Any]:
        classes = self.classes_
        told = {"values": classes.tolist(), "dtype": classes.dtype.str}
        return {**super()._facts(), "classes": told}

    def _restore(self, facts: Mapping[str, Any]) -> None:
        super()._restore(facts)
        self._labels = self._model.question.task == "multilabel"
        names = self._model.labels
        told = facts.get("classes", {"values": names, "dtype": None})
        if self._labels:
            self.classes_ = np.arange(len(names))
        else:
            self.classes_ = np.array(told["values"], dtype=told["dtype"])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
