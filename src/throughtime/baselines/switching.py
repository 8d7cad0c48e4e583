"""Several autoregressions, of which a hidden Markov chain says which one holds."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from throughtime.baselines.autoregression import padded_lags, rows_of
from throughtime.baselines.counting import Floats
from throughtime.baselines.series import SeriesForecaster, changes_of
from throughtime.baselines.settings import package
from throughtime.errors import OneSeriesNeeded, SeriesTooShort
from throughtime.train.asking.settings import check_count


class Regimes(NamedTuple):
    """What was learned of one feature, in the units of `scale`.

    Of R regimes: `parameters` as statsmodels has them, `transition` `(R, R)` from each
    to each, `constant` `(R,)` and `weights` `(R, p)`, the newest value's first.
    """

    parameters: Floats
    transition: Floats
    constant: Floats
    weights: Floats
    scale: float


class MarkovSwitching(SeriesForecaster):
    r"""A linear function of the last p values, another one in each hidden regime.

    .. math:: y_t = c_{S_t} + \sum_i \phi_{i,S_t}\, y_{t-i} + \sigma_{S_t} \varepsilon_t

    S is a Markov chain (Hamilton 1989). Each feature has a model of its own, which
    statsmodels fits to one sequence (`MarkovRegression`), from its own beginning and
    without random ones, so that the result is the same each time. Forecasts are the
    expected values, over all courses that the chain may take.

    Parameters
    ----------
    regimes
        R, at least 2.
    lags
        p; 0: regimes have levels alone.
    horizon, difference, missing
        As in `Autoregression`.
    rounds
        Of the search for the likeliest parameters, at most.

    Attributes
    ----------
    converged_ : bool
        Whether the search came to its end for every feature.
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    def __init__(
        self,
        regimes: int = 2,
        lags: int = 1,
        horizon: int = 1,
        *,
        difference: int = 1,
        missing: str = "error",
        rounds: int = 100,
    ) -> None:
        self.regimes = regimes
        self.lags = lags
        self.horizon = horizon
        self.difference = difference
        self.missing = missing
        self.rounds = rounds

    def _season(self) -> int:
        return self.difference

    def _learn_from(self, series: Sequence[Floats]) -> None:
        for name, least in (("regimes", 2), ("lags", 0), ("difference", 0)):
            check_count(name, getattr(self, name), least)
        check_count("rounds", self.rounds, 1)
        if len(series) != 1:
            raise OneSeriesNeeded(given=len(series), estimator=type(self).__name__)
        changes = changes_of(series[0], self.difference)
        self._middle = np.nanmean(changes, axis=0)
        self.converged_ = True
        self._learned = [self._fitted(one) for one in changes.T]

    def _fitted(self, changes: Floats) -> Regimes:
        rows = np.empty((0, 1 + self.lags))
        if len(changes) > self.lags:
            rows = rows_of(changes[:, None], self.lags)[:, 0]
            rows = rows[~np.isnan(rows).any(axis=1)]
        if len(rows) <= self.regimes * (self.lags + 2):
            raise SeriesTooShort(rows=len(rows), lags=self.lags)
        scale = float(rows[:, 0].std()) or 1.0
        model = self._model(rows[:, 0] / scale, rows[:, 1:] / scale)
        with warnings.catch_warnings():
            # Whether it came to its end is an attribute.
            warnings.simplefilter("ignore")
            result = model.fit(maxiter=self.rounds, disp=False)
        self.converged_ = self.converged_ and bool(result.mle_retvals["converged"])
        found = np.asarray(result.params)
        exog = [found[model.parameters[k, "exog"]] for k in range(self.regimes)]
        transition = model.regime_transition_matrix(found)[..., 0].T
        own = np.stack(exog)
        return Regimes(found, transition, own[:, 0] * scale, own[:, 1:], scale)

    def _model(self, now: Floats, past: Floats) -> Any:
        models = package(self, "statsmodels.tsa.regime_switching.markov_regression")
        return models.MarkovRegression(
            now,
            k_regimes=self.regimes,
            exog=past if self.lags else None,
            switching_variance=True,
        )

    def _coming(self, changes: Floats) -> Floats:
        past = padded_lags(changes, self.lags, self._middle)
        values = np.where(np.isnan(changes), self._middle, changes)
        each = [
            self._of_feature(one, values[:, place], past[:, place])
            for place, one in enumerate(self._learned)
        ]
        return np.stack(each, axis=2)

    def _of_feature(self, learned: Regimes, values: Floats, past: Floats) -> Floats:
        """Give what comes after each of `(T,)` values as `(T, H)`.

        What is carried on is, for each regime, its probability and the expectation of
        the last values where it holds, times that probability.
        """
        regimes = self._filtered(learned, values, past)  # (T, R)
        joint = regimes[..., None] * past[:, None]  # (T, R, p)
        answers: list[Floats] = []
        for _ in range(self.horizon):
            regimes = regimes @ learned.transition
            joint = np.einsum("trp,rs->tsp", joint, learned.transition)
            own = learned.constant * regimes + (learned.weights * joint).sum(axis=2)
            joint = np.concatenate([own[..., None], joint], axis=2)[..., : self.lags]
            answers.append(own.sum(axis=1))
        return np.stack(answers, axis=1)

    def _filtered(self, learned: Regimes, values: Floats, past: Floats) -> Floats:
        """Return the probability of each regime after each step, `(T, R)`."""
        before = np.concatenate([np.full_like(past[:1], 0.0), past[:-1]])
        model = self._model(values / learned.scale, before / learned.scale)
        result = model.filter(learned.parameters)
        return np.asarray(result.filtered_marginal_probabilities)
