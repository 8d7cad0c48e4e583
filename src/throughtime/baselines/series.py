"""What forecasts of real-valued series have in common: changes, added up."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from throughtime.baselines.counting import Floats
from throughtime.baselines.reading import Reader
from throughtime.data.trivial.numbers import filled_forward
from throughtime.estimators.forecaster import squared_errors
from throughtime.estimators.sequences import Array
from throughtime.train.asking.settings import check_choice, check_count

_MISSING: Final = ("error", "forward")


class SeriesForecaster(Reader):
    """The values of all features, 1 to H steps after the last.

    Attributes
    ----------
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    horizon: int
    missing: str

    @abstractmethod
    def _season(self) -> int:
        """Return s: what is forecast are changes since s steps before; 0: values."""

    @abstractmethod
    def _coming(self, changes: Floats) -> Floats:
        """Give the changes `(T, H, F)` that come after each of `(T, F)`.

        Where nothing was s steps before, the change is NaN.
        """

    def _learn_from(self, series: Sequence[Floats]) -> None:
        """Learn from N arrays `(T_i, F)`, as known at each step; without it nothing."""

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn from sequences.

        Parameters
        ----------
        X
            As in `throughtime.estimators.SequenceClassifier`.
        y
            Nothing; scikit-learn passes it.
        """
        check_count("horizon", self.horizon, 1)
        check_choice("missing", self.missing, _MISSING)
        read = self._read_first(X, gaps=self.missing != "error")
        self._learn_from([_known(one) for one in read])
        return self

    def predict(self, X: Any) -> Floats:
        """Go on with each sequence: ``(N, H, F)``; ``(N, H)`` for rows of a matrix.

        Parameters
        ----------
        X
            As in `fit`.
        """
        found = np.stack([self._forecasts(one)[-1] for one in self._series(X)])
        return found[..., 0] if self._of_rows else found

    def predict_steps(self, X: Any) -> list[Floats]:
        """Give what each step says of those after it, N arrays ``(T_i, H, F)``.

        Parameters
        ----------
        X
            As in `fit`.
        """
        return [self._forecasts(one) for one in self._series(X)]

    def score(self, X: Any, y: None = None) -> float:
        """Give 1 - (squared error / that of the naive forecast), over all steps of X.

        The naive forecast is the last value known, or the value a multiple of s steps
        before, where changes since s > 1 steps before are forecast:
        `throughtime.estimators.Forecaster.score`.

        Parameters
        ----------
        X
            As in `fit`; each step is forecast from those before it.
        y
            Nothing; scikit-learn passes it.
        """
        own = naive = 0.0
        season = max(1, self._season())
        for values in self._series(X):
            found = self._forecasts(values)
            for ahead in range(1, self.horizon + 1):
                errors = squared_errors(values, found[:, ahead - 1], ahead, season)
                own, naive = own + errors[0], naive + errors[1]
        return float(1 - own / naive) if naive else float("nan")

    def _series(self, X: Any) -> list[Floats]:
        check_is_fitted(self, "_width")
        read = self._read_more(X, gaps=self.missing != "error")
        return [np.asarray(one, np.float64) for one in read]

    def _forecasts(self, values: Floats) -> Floats:
        """Give the values `(T, H, F)` that are expected after each of `(T, F)`."""
        known, season = _known(values), self._season()
        coming = self._coming(changes_of(known, season))
        if not season:
            return coming
        steps = np.arange(len(known))
        for ahead in range(1, self.horizon + 1):
            if ahead > season:
                base = coming[:, ahead - 1 - season]
            else:  # before the first season is over, the last value takes its place
                past = steps + ahead - season
                base = known[np.where(past >= 0, past, steps)]
            coming[:, ahead - 1] += base
        return coming

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "error"
        return tags


def changes_of(values: Floats, season: int) -> Floats:
    """Return the changes `(T, F)` since `season` steps before; of 0 the values."""
    if not season:
        return values
    changes = np.full(values.shape, np.nan)
    changes[season:] = values[season:] - values[:-season]
    return changes


def _known(values: Array) -> Floats:
    """Return what is known at each step: the last value there was."""
    rows = np.asarray(values, np.float64)
    return filled_forward(rows, np.full(rows.shape[1], np.nan))[1:]
