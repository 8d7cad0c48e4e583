"""Forecasts beside statsmodels, by hand, and beside what the cards say."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from throughtime.baselines import (
    Autoregression,
    MarkovSwitching,
    Persistence,
    SeasonalNaive,
)
from throughtime.data import SequenceDataset, load
from throughtime.errors import (
    FeatureCountMismatch,
    NothingToHoldOut,
    NumberOutOfRange,
    OneSeriesNeeded,
    SeriesTooShort,
    UnknownChoice,
)


def waves(count: int = 300, seed: int = 0) -> Any:
    """`(T, 2)`, an autoregression of two lags, and a noisy sine."""
    draw = np.random.default_rng(seed)
    first, noise = [0.0, 0.0], draw.normal(size=count)
    for one in noise:
        first.append(1 + 0.5 * first[-1] - 0.3 * first[-2] + one)
    second = np.sin(np.arange(count) / 3) + 0.1 * draw.normal(size=count)
    return np.column_stack([first[2:], second])


def test_persistence_and_seasons_by_hand() -> None:
    X = [np.arange(10.0)[:, None] ** 2, np.arange(4.0)[:, None]]
    found = Persistence(3).fit(X).predict(X)
    assert found.tolist() == [[[81.0]] * 3, [[3.0]] * 3]
    found = SeasonalNaive(2, 5).fit(X).predict(X)
    assert found[0, :, 0].tolist() == [64, 81, 64, 81, 64]
    assert found[1, :, 0].tolist() == [2, 3, 2, 3, 2]
    # In the first season nothing is known a season before.
    assert SeasonalNaive(4, 2).fit(X).predict_steps(X)[1][1].tolist() == [[1], [1]]
    rows = np.stack([np.arange(5.0), np.arange(5.0) * 2])
    assert Persistence(2).fit(rows).predict(rows).tolist() == [[4, 4], [8, 8]]
    assert Persistence(2).fit(rows).score(rows) == 0
    assert SeasonalNaive(3).fit(rows).score(rows) == 0


def test_gaps_are_what_was_last_known() -> None:
    X = [np.array([1, 5, np.nan, np.nan])[:, None]]
    assert Persistence(missing="forward").fit(X).predict(X).tolist() == [[[5]]]
    with pytest.raises(ValueError, match="NaN"):
        Persistence().fit(X)
    with pytest.raises(UnknownChoice):
        Persistence(missing="mean").fit(X)


def test_the_card_of_weekly_data_is_met() -> None:
    dataset = load("co2")
    assert isinstance(dataset, SequenceDataset)
    values, first = dataset.frames.read(0, 0, 2284), 2056
    model = Persistence(missing="forward").fit([values[:first]])
    found = model.predict_steps([values])[0][first - 1 : -1, 0]
    error = np.sqrt(((found - values[first:]) ** 2).mean())
    assert error == pytest.approx(dataset.card.baselines["persistence"], abs=1e-4)


@pytest.mark.parametrize("lags", [1, 2, 5])
def test_one_sequence_gives_what_statsmodels_gives(lags: int) -> None:
    values = waves()
    model = Autoregression(lags, 7, difference=0).fit([values])
    for place in range(2):
        theirs = AutoReg(values[:, place], lags).fit()
        np.testing.assert_allclose(
            model.coefficients_[place], theirs.params, rtol=1e-7, atol=1e-9
        )
        expected = theirs.predict(len(values), len(values) + 6)
        found = model.predict([values])[0, :, place]
        np.testing.assert_allclose(found, expected, rtol=1e-7)
        inside = model.predict_steps([values])[0][lags - 1 : -1, 0, place]
        np.testing.assert_allclose(inside, theirs.fittedvalues, rtol=1e-7, atol=1e-9)


def test_changes_are_added_to_the_last_value() -> None:
    values = np.cumsum(waves(), axis=0)
    theirs = AutoReg(np.diff(values[:, 0]), 2).fit()
    ahead = theirs.predict(len(values) - 1, len(values) + 2)
    found = Autoregression(2, 4).fit([values[:, :1]]).predict([values[:, :1]])
    np.testing.assert_allclose(found[0, :, 0], values[-1, 0] + np.cumsum(ahead))


def test_several_sequences_are_learned_together() -> None:
    values = waves()
    halves = [values[:150], values[150:]]
    model = Autoregression(2, difference=0).fit(halves)
    rows = [
        [1, half[t - 1, 0], half[t - 2, 0], half[t, 0]]
        for half in halves
        for t in range(2, len(half))
    ]
    past, now = np.array(rows)[:, :3], np.array(rows)[:, 3]
    expected = np.linalg.lstsq(past, now, rcond=None)[0]
    np.testing.assert_allclose(model.coefficients_[0], expected, rtol=1e-9)


def test_lags_are_chosen_on_what_is_apart() -> None:
    values = waves(2000)[:, :1]
    model = Autoregression((1, 2), difference=0).fit([values])
    assert model.lags_ == 2
    errors = []
    for lags in (1, 2):
        one = Autoregression(lags, difference=0).fit([values[:1800]])
        found = one.predict_steps([values])[0][1799:-1, 0]
        errors.append(float(((found - values[1800:]) ** 2).sum()))
    assert errors[1] < errors[0]
    assert model._error(values, 1800) == pytest.approx(errors[1], rel=1e-12)
    assert model.score([values]) > 0.3
    many = [values[i : i + 100] for i in range(0, 2000, 100)]
    assert Autoregression((1, 2), difference=0, random_state=0).fit(many).lags_ == 2
    assert clone(model).get_params() == model.get_params()


def switching(count: int = 600) -> Any:
    draw = np.random.default_rng(3)
    state, values = 0, [0.0]
    for noise in draw.normal(size=count):
        state ^= int(draw.random() < 0.03)
        level, weight, spread = ((3.0, 0.5, 0.3), (-2.0, -0.4, 1.0))[state]
        values.append(level + weight * values[-1] + spread * noise)
    return np.array(values)[:, None]


def test_regimes_are_those_of_statsmodels() -> None:
    values = switching()
    ours = MarkovSwitching(2, 1, 3, difference=0).fit([values])
    assert ours.converged_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        series = values[:, 0]
        theirs = MarkovRegression(
            series[1:], 2, exog=series[:-1, None], switching_variance=True
        ).fit(disp=False)
    [learned] = ours._learned
    transition = theirs.model.regime_transition_matrix(theirs.params)[..., 0].T
    np.testing.assert_allclose(learned.transition, transition, rtol=1e-2)
    found = ours.predict_steps([values])[0][1:-1, 0, 0]
    expected = theirs.predict(probabilities="predicted")[1:]
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)
    plain = Autoregression(1, 3, difference=0).fit([values])
    assert ours.score([values]) > plain.score([values])


def test_far_forecasts_are_means_over_all_courses() -> None:
    values = switching()
    model = MarkovSwitching(2, 1, 2, difference=0).fit([values])
    [one] = model._learned
    now = model._filtered(one, values[:, 0], values)[-1]
    expected = 0.0
    for first in range(2):
        for second in range(2):
            for third in range(2):
                chance = now[first] * one.transition[first, second]
                chance *= one.transition[second, third]
                near = one.constant[second] + one.weights[second, 0] * values[-1, 0]
                far = one.constant[third] + one.weights[third, 0] * near
                expected += chance * far
    assert model.predict([values])[0, 1, 0] == pytest.approx(expected, rel=1e-10)


def test_regimes_may_be_levels_alone() -> None:
    values = switching()
    model = MarkovSwitching(2, 0, difference=0).fit([values])
    assert model.predict([values, values[:50]]).shape == (2, 1, 1)
    assert model.score([values]) > 0


def test_what_cannot_be_forecast_is_refused() -> None:
    X = [waves(20)]
    for model, given, error in [
        (Persistence(0), X, NumberOutOfRange),
        (SeasonalNaive(0), X, NumberOutOfRange),
        (Autoregression(0), X, NumberOutOfRange),
        (Autoregression(difference=-1), X, NumberOutOfRange),
        (Autoregression(validation=0), X, NothingToHoldOut),
        (Autoregression(30), X, SeriesTooShort),
        (MarkovSwitching(1), X, NumberOutOfRange),
        (MarkovSwitching(), X * 2, OneSeriesNeeded),
        (MarkovSwitching(), [X[0][:5]], SeriesTooShort),
    ]:
        with pytest.raises(error):
            model.fit(given)
    with pytest.raises(FeatureCountMismatch):
        Persistence().fit(X).predict([np.zeros((3, 1))])
