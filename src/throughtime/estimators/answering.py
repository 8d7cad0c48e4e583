"""Classes and labels in the person's own words."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from throughtime.estimators.base import SequenceEstimator
from throughtime.estimators.datasets import Targets
from throughtime.estimators.sequences import Array
from throughtime.estimators.targets import (
    class_targets,
    known_classes,
    label_targets,
    name_of,
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

    def _known(self, y: Array, labels: bool, classes: Any = None) -> Targets:
        """Note what classes there are, and make targets of them."""
        self._labels = labels
        if labels:
            self.classes_ = np.arange(y.shape[1])
            return label_targets(y)
        self.classes_ = known_classes(y if classes is None else np.asarray(classes))
        return class_targets(y, self.classes_)

    def _same(self, y: Array) -> Targets:
        """Make targets of classes or labels that are known already."""
        return label_targets(y) if self._labels else class_targets(y, self.classes_)

    def _likeliest(self, shares: Array) -> Array:
        """Give the classes of ``(n, K)`` probabilities, or each label's 0 or 1."""
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
