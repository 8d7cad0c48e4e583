"""Classes and labels in the person's own words."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from throughtime.data import Question
from throughtime.data.types import IntegerArray, Split
from throughtime.errors import ClassesChanged, ClassesNeeded
from throughtime.estimators.base import SequenceEstimator
from throughtime.estimators.datasets import Targets
from throughtime.estimators.sequences import Array, Sequences
from throughtime.estimators.targets import (
    class_targets,
    known_classes,
    label_targets,
)

_HALF = 0.5


class Answering(SequenceEstimator):
    """What answers with classes or labels.

    Attributes
    ----------
    classes_ : numpy.ndarray
        `(K,)`, the classes in order; of labels their numbers.
    """

    _labels: bool

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        """Learn from sequences and their classes."""
        sequences = self._read(X, y)
        given, labels = self._flat(sequences, y)
        targets = self._laid(sequences, self._known(given, labels))
        splits = self._kept_apart(sequences, targets)
        return self._learn(sequences, targets, self._question(), splits, sample_weight)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Go on learning from more sequences, in one pass over them.

        The first call, if `fit` was not called before, measures the scales of X, which
        stay. Nothing is kept apart, the step width stays what `learning_rate` says, and
        no weights are averaged, as nobody knows how many calls there will be; the state
        of the optimiser is carried on from the second call on.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes
            All that will ever come; needed in the first call, unless y are labels.
        """
        first = not hasattr(self, "_kept")
        sequences = self._read(X, y) if first else self._read_more(X)
        given, labels = self._flat(sequences, y)
        if first:
            if classes is None and not labels:
                raise ClassesNeeded
            targets = self._laid(sequences, self._known(given, labels, classes))
            return self._begin(sequences, targets, self._question(), sample_weight)
        self._check_classes(labels, classes)
        same = label_targets(given) if labels else class_targets(given, self.classes_)
        return self._go_on(sequences, self._laid(sequences, same), sample_weight)

    @abstractmethod
    def _flat(self, sequences: Sequences, y: Any) -> tuple[Array, bool]:
        """Give all answers one after the other, and whether they are labels."""

    def _laid(self, sequences: Sequences, targets: Targets) -> Targets:
        """Give each sequence its own answers again."""
        return targets

    @abstractmethod
    def _kept_apart(
        self, sequences: Sequences, targets: Targets
    ) -> dict[Split, IntegerArray]:
        """Draw what is kept for validation."""

    def _question(self) -> Question:
        return Question("multilabel" if self._labels else "classify", self._per)

    def _check_classes(self, labels: bool, classes: Any) -> None:
        """Refuse others than those that are known."""
        known = self.classes_.tolist()
        given = known if classes is None else np.unique(classes).tolist()
        if given != known:
            raise ClassesChanged(argument="classes", given=given, known=known)
        if labels != self._labels:
            kind = "labels" if labels else "classes"
            raise ClassesChanged(argument="y", given=kind, known=known)

    def _known(self, y: Array, labels: bool, classes: Any = None) -> Targets:
        """Note what classes there are, and make targets of them."""
        self._labels = labels
        if labels:
            self.classes_ = np.arange(y.shape[1])
            return label_targets(y)
        self.classes_ = known_classes(y if classes is None else np.asarray(classes))
        return class_targets(y, self.classes_)

    def _likeliest(self, shares: Array) -> Array:
        """Give the classes of ``(n, K)`` probabilities, or each label's 0 or 1."""
        if self._labels:
            return (shares >= _HALF).astype(int)
        return self.classes_[shares.argmax(axis=1)]

    def _settings(self) -> dict[str, Any]:
        weights = self._given("class_weights")
        settings = super()._settings()
        if isinstance(weights, Mapping) and not self._labels:
            named = {str(one): weight for one, weight in weights.items()}
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
