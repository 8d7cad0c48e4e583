"""Baselines of forecasts: what was last, or a season ago, linear, or hidden states."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from throughtime.baselines import (
    Autoregression,
    HiddenMarkovForecaster,
    Persistence,
    SeasonalNaive,
)
from throughtime.bench.comparing.examples import columns_of, lengths_of
from throughtime.bench.comparing.learning import Baseline, Fitted, always
from throughtime.data import Split
from throughtime.data.trivial.counted import Floats

# Days of a week, hours of a day, months, weeks and days of a year.
_SEASONS = (7, 12, 24, 52, 365)
_LAGS = (1, 2, 4, 8, 16, 32, 64)
_STATES = (2, 4, 8)


def _persistence(dataset: Any, _: None, seconds: float, seed: int) -> Fitted:
    model = Persistence(dataset.question.horizon, missing="forward")
    return _forecasting(dataset, model, 0)


def _seasonal(dataset: Any, season: int, seconds: float, seed: int) -> Fitted:
    model = SeasonalNaive(season, dataset.question.horizon, missing="forward")
    return _forecasting(dataset, model, 1)


def _autoregression(dataset: Any, lags: int, seconds: float, seed: int) -> Fitted:
    question = dataset.question
    model = Autoregression(
        lags, question.horizon, difference=question.difference, missing="forward"
    )
    width = len(columns_of(dataset, "train")[0][0])
    return _forecasting(dataset, model, width * (1 + lags))


def _hidden(dataset: Any, states: int, seconds: float, seed: int) -> Fitted:
    question = dataset.question
    model = HiddenMarkovForecaster(
        states,
        question.horizon,
        difference=question.difference,
        missing="forward",
        random_state=seed,
    )
    fitted = _forecasting(dataset, model, 0)
    return fitted._replace(parameters=model.n_parameters_)


def _forecasting(dataset: Any, model: Any, parameters: int) -> Fitted:
    model.fit(columns_of(dataset, "train"))

    def outputs(split: Split) -> Sequence[Floats]:
        said = model.predict_steps(columns_of(dataset, split))
        return [one.reshape(len(one), -1) for one in said]

    return Fitted(outputs, parameters)


def _seasons(dataset: Any) -> Sequence[int]:
    """Return the seasons of which training has two; that of the question is one."""
    longest = max(lengths_of(dataset, "train"))
    own = dataset.question.difference
    fit = [one for one in _SEASONS if 2 * one <= longest]
    return [own] if own > 1 else fit or [_SEASONS[0]]


def _lags(dataset: Any) -> Sequence[int]:
    """Return the lags of which training has twice as many rows as numbers."""
    lengths, lost = lengths_of(dataset, "train"), dataset.question.difference
    rows = {
        lags: sum(max(0, length - lost - lags) for length in lengths) for lags in _LAGS
    }
    return [lags for lags in _LAGS if rows[lags] >= 2 * (lags + 1)] or _LAGS[:1]


SERIES: Final[Mapping[str, Baseline]] = {
    "persistence": Baseline(_persistence, always(None)),
    "seasonal": Baseline(_seasonal, _seasons, "season {}"),
    "autoregression": Baseline(
        _autoregression, _lags, "{} lag{s}", ("statsmodels.api",)
    ),
    "series-hmm": Baseline(_hidden, always(*_STATES), "{} state{s}", ("hmmlearn.hmm",)),
}
