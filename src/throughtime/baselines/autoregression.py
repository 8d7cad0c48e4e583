"""The next value as a linear function of the last ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from throughtime.baselines.counting import Floats
from throughtime.baselines.series import SeriesForecaster, changes_of
from throughtime.baselines.settings import candidates, drawn_seed, package
from throughtime.errors import NothingToHoldOut, SeriesTooShort
from throughtime.estimators.datasets import share_of, split_steps
from throughtime.train.asking.settings import check_count


class Autoregression(SeriesForecaster):
    """The next value as a linear function of the last p ones, by least squares.

    Each feature has its own; statsmodels fits it, to all sequences at once: of one
    sequence the result is that of its `AutoReg`. Forecasts go on from forecasts. Before
    the first p steps are over, the mean of training takes the place of what is not
    known.

    Parameters
    ----------
    lags
        p; of several the one of the least squared error of one step ahead, over what is
        kept apart.
    horizon
        H, the steps ahead.
    difference
        What is read and predicted: 0 the values themselves; s > 0 their change since s
        steps before, as in `throughtime.estimators.Forecaster`.
    missing
        `"error"` refuses NaN in X; `"forward"` takes the last value before it.
    validation
        The share of X that is kept apart to choose p, as in
        `throughtime.estimators.Forecaster`; with one p all of X is learned from.
    random_state
        Draws what is kept apart.

    Attributes
    ----------
    lags_ : int
        p.
    coefficients_ : numpy.ndarray
        `(F, 1 + p)`, of each feature the constant, then those of the last values, the
        newest first.
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    def __init__(
        self,
        lags: int | Sequence[int] = (1, 2, 4, 8, 16),
        horizon: int = 1,
        *,
        difference: int = 1,
        missing: str = "error",
        validation: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.lags = lags
        self.horizon = horizon
        self.difference = difference
        self.missing = missing
        self.validation = validation
        self.random_state = random_state

    def _season(self) -> int:
        return self.difference

    def _learn_from(self, series: Sequence[Floats]) -> None:
        check_count("difference", self.difference, 0)
        tried = candidates("lags", self.lags)
        changes = [changes_of(one, self.difference) for one in series]
        train, apart = changes, [(one[:0], 0) for one in changes]
        share = share_of(self.validation)
        if len(tried) > 1:
            if not share:
                samples = f"{len(series)} sequences"
                raise NothingToHoldOut(samples=samples, validation=self.validation)
            lengths = np.array([len(one) for one in series])
            seed = drawn_seed(self.random_state)
            splits = split_steps(lengths, True, self.validation, seed)
            train = [changes[k][:stop] for k, _, stop, _ in splits["train"].tolist()]
            apart = [
                (changes[k][start:stop], first + 1 - start)
                for k, start, stop, first in splits["validation"].tolist()
            ]
        self._middle = np.nanmean(np.concatenate(train), axis=0)
        found: list[tuple[float, int, Floats]] = []
        for lags in tried:
            self.lags_, self.coefficients_ = lags, self._fitted(train, lags)
            error = sum(self._error(one, first) for one, first in apart)
            found.append((error, lags, self.coefficients_))
        _, self.lags_, self.coefficients_ = min(found, key=lambda one: one[0])

    def _fitted(self, train: Sequence[Floats], lags: int) -> Floats:
        """Fit all features, each `(1 + p,)`."""
        models = package(self, "statsmodels.api")
        rows = [rows_of(one, lags) for one in train if len(one) > lags]
        joined = np.concatenate(rows) if rows else np.empty((0, 1, lags + 1))
        found: list[Floats] = []
        for feature in range(len(self._middle)):
            own = joined[:, feature]
            own = own[~np.isnan(own).any(axis=1)]
            if len(own) <= lags + 1:
                raise SeriesTooShort(rows=len(own), lags=lags)
            past = np.column_stack([np.ones(len(own)), own[:, 1:]])
            found.append(models.OLS(own[:, 0], past).fit().params)
        return np.stack(found)

    def _error(self, changes: Floats, first: int) -> float:
        """Return the squared error of one step ahead, from step `first` on."""
        if not len(changes):
            return 0.0
        answers = self._one_on(padded_lags(changes, self.lags_, self._middle))
        return float(np.nansum((answers[:-1] - changes[1:])[first - 1 :] ** 2))

    def _one_on(self, past: Floats) -> Floats:
        """Give what comes after the last p values `(T, F, p)`, as `(T, F)`."""
        constant, weights = self.coefficients_[:, 0], self.coefficients_[:, 1:]
        return constant + (past * weights).sum(axis=2)

    def _coming(self, changes: Floats) -> Floats:
        past = padded_lags(changes, self.lags_, self._middle)
        answers: list[Floats] = []
        for _ in range(self.horizon):
            answers.append(self._one_on(past))
            past = np.concatenate([answers[-1][..., None], past[..., :-1]], axis=2)
        return np.stack(answers, axis=1)


def rows_of(changes: Floats, lags: int) -> Floats:
    """Return each value and the `lags` ones before it, `(T - p, F, 1 + p)`."""
    windows = np.lib.stride_tricks.sliding_window_view(changes, lags + 1, axis=0)
    return windows[..., ::-1]


def padded_lags(changes: Floats, lags: int, middle: Floats) -> Floats:
    """Return the last p values at each step `(T, F, p)`, the newest first.

    What is not known is `middle`.
    """
    before = np.broadcast_to(middle, (lags, len(middle)))
    padded = np.concatenate([before, changes])
    padded = np.where(np.isnan(padded), middle, padded)
    return rows_of(padded, lags)[..., :-1] if lags else padded[..., None][..., :0]
