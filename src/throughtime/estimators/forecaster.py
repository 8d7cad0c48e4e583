"""What comes after the last step of a sequence."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from throughtime.data import Question
from throughtime.estimators.base import SequenceEstimator
from throughtime.estimators.datasets import Targets, places_in, split_steps
from throughtime.estimators.parameters import parameters
from throughtime.estimators.sequences import Array
from throughtime.train.asking.settings import check_count
from throughtime.train.preparing.outputs import Forecast


@parameters(horizon=1, difference=1)
class Forecaster(SequenceEstimator):
    """The values of all features, 1 to H steps after the last.

    Parameters, attributes and X are those of `SequenceClassifier`; there is no y. Of
    fewer than ten sequences the last steps of each are kept apart for validation.

    Parameters
    ----------
    horizon
        H.
    difference
        What is read and predicted: 0 the values themselves; s > 0 their change since s
        steps before, so that levels outside the training range are no obstacle.
    """

    _tasks = ("forecast",)
    _per = "step"
    _reads_sparse = False  # which items come next is not learned

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn from sequences.

        Parameters
        ----------
        X
            As in `SequenceClassifier`.
        y
            Nothing; scikit-learn passes it.
        """
        sequences = self._read(X, "none is needed")
        splits = self._split(split_steps, sequences.lengths, True)
        return self._learn(sequences, Targets(), self._question(), splits)

    def partial_fit(self, X: Any, y: None = None) -> Self:
        """Go on learning from more sequences, in one pass over them.

        Parameters
        ----------
        X
            As in `fit`; its scales are those of the first call, or of `fit`.
        y
            Nothing; scikit-learn passes it.
        """
        if hasattr(self, "_kept"):
            return self._go_on(self._read_more(X), Targets(), None)
        sequences = self._read(X, "none is needed")
        return self._begin(sequences, Targets(), self._question(), None)

    def _question(self) -> Question:
        horizon, difference = self._given("horizon"), self._given("difference")
        check_count("horizon", horizon, 1)
        check_count("difference", difference, 0)
        return Question("forecast", "step", horizon, difference)

    def predict(self, X: Any) -> Array:
        """Go on with each sequence: ``(N, H, F)``; ``(N, H)`` for rows of a matrix."""
        sequences, answers = self._answers(X)
        horizon = self._model.question.horizon
        found = np.stack([one[-1].reshape(horizon, -1) for one in answers])
        return found[..., 0] if sequences.rows else found

    def score(self, X: Any, y: None = None) -> float:
        """Give 1 - (squared error / that of the naive forecast), over all steps of X.

        The naive forecast is the last value known, or of `difference` s > 1 the value a
        multiple of s steps before. 1 is perfect, 0 no better than that.

        Parameters
        ----------
        X
            As in `SequenceClassifier`; each step is forecast from those before it.
        y
            Nothing; scikit-learn passes it.
        """
        sequences, answers = self._answers(X)
        model = self._model
        assert isinstance(model.output, Forecast)
        places = places_in(model.schema)
        columns = [places[column] for column in model.output.columns]
        season = max(1, model.question.difference)
        own = naive = 0.0
        for array, answer in zip(sequences.arrays, answers, strict=True):
            values = array[:, columns].astype(np.float64)
            for ahead in range(1, model.question.horizon + 1):
                found = answer[:, (ahead - 1) * len(columns) :][:, : len(columns)]
                errors = squared_errors(values, found, ahead, season)
                own, naive = own + errors[0], naive + errors[1]
        return float(1 - own / naive) if naive else float("nan")

    def _restore(self, facts: Mapping[str, Any]) -> None:
        super()._restore(facts)
        question = self._model.question
        self.horizon, self.difference = question.horizon, question.difference


def squared_errors(
    values: Array, found: Array, ahead: int, season: int
) -> tuple[float, float]:
    """Return the squared errors of a forecast and of the naive one, where both are.

    Parameters
    ----------
    values, found
        `(T, F)`: what was, and what was said at each step of the one `ahead` steps on.
    ahead
        How far.
    season
        After how many steps things come again; the naive forecast is the value a
        multiple of it before.
    """
    steps = np.arange(season - 1, len(values) - ahead)
    truth = values[steps + ahead]
    base = values[steps - (-ahead % season)]
    own, naive = (truth - found[steps]) ** 2, (truth - base) ** 2
    both = ~np.isnan(own) & ~np.isnan(naive)
    return float(own[both].sum()), float(naive[both].sum())
