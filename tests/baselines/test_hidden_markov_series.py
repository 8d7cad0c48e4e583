"""Forecasts by hidden states: of regimes that are known, and beside hmmlearn."""

from typing import Any

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from sklearn.base import clone

from throughtime.baselines import HiddenMarkovForecaster, Persistence
from throughtime.errors import NumberOutOfRange, SeriesTooShort, UnknownChoice

STAY, LEVELS = 0.95, np.array([-2.0, 3.0])


def regimes(count: int = 600, seed: int = 0) -> Any:
    """`(T, 1)`, a walk whose steps are of one of two levels for a while."""
    draw = np.random.default_rng(seed)
    state, steps = 0, []
    for _ in range(count):
        state = state if draw.random() < STAY else 1 - state
        steps.append(LEVELS[state] + 0.3 * draw.normal())
    return np.cumsum(steps)[:, None]


def test_two_regimes_are_found_and_forecast() -> None:
    walk = regimes()
    model = HiddenMarkovForecaster(2, 3, random_state=0).fit([walk])
    assert model.states_ == 2
    assert model.n_parameters_ == 2 + 4 + 2 + 2
    found = model.predict_steps([walk])[0]
    assert found.shape == (600, 3, 1)
    # What is expected if the regime is known, and stays with the chance STAY.
    change = np.diff(walk[:, 0])
    place = (change > 0.5).astype(int)
    now = np.eye(2)[place]
    chain = np.array([[STAY, 1 - STAY], [1 - STAY, STAY]])
    expected = walk[1:, 0] + now @ chain @ LEVELS
    assert np.abs(found[1:, 0, 0] - expected).mean() < 0.25
    expected += now @ chain @ chain @ LEVELS
    assert np.abs(found[1:, 1, 0] - expected).mean() < 0.5
    assert model.score([walk]) > 0.5
    assert model.score([walk]) > Persistence(3).fit([walk]).score([walk])


def test_one_state_is_a_drift() -> None:
    walk = regimes()
    model = HiddenMarkovForecaster(1, 2, random_state=0).fit([walk])
    drift = np.diff(walk[:, 0]).mean()
    found = model.predict_steps([walk])[0][1:, :, 0] - walk[1:]
    assert found == pytest.approx(np.array([[drift, 2 * drift]] * 599), rel=1e-6)


def test_states_after_each_step_are_those_of_hmmlearn() -> None:
    values = regimes(80)
    model = HiddenMarkovForecaster(2, difference=0, random_state=0).fit([values])
    chain = model._chain
    theirs = GaussianHMM(2)
    theirs.n_features = 1
    theirs.startprob_, theirs.transmat_ = chain.start, chain.transition
    theirs.means_, theirs.covars_ = chain.means, chain.variances
    scaled = (values - values.mean()) / values.std()
    last = theirs.predict_proba(scaled)[-1]  # smoothed is filtered at the last step
    expected = last @ chain.transition @ chain.means * values.std() + values.mean()
    found = model.predict_steps([values])[0][-1, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_states_are_chosen_by_the_last_steps() -> None:
    model = HiddenMarkovForecaster((1, 2, 3), random_state=0).fit([regimes()])
    assert model.states_ in {2, 3}
    again = clone(model).fit([regimes()])
    assert again.states_ == model.states_
    np.testing.assert_array_equal(
        again.predict([regimes(30)]), model.predict([regimes(30)])
    )


def test_gaps_and_beginnings() -> None:
    walk = regimes(100)
    walk[:3] = np.nan
    walk[50] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        HiddenMarkovForecaster(2).fit([walk])
    model = HiddenMarkovForecaster(2, missing="forward", random_state=0).fit([walk])
    found = model.predict_steps([walk])[0][:, 0, 0]
    assert np.isfinite(found[3:]).all()


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"states": 0}, NumberOutOfRange),
        ({"states": ()}, NumberOutOfRange),
        ({"horizon": 0}, NumberOutOfRange),
        ({"difference": -1}, NumberOutOfRange),
        ({"rounds": 0}, NumberOutOfRange),
        ({"missing": "mean"}, UnknownChoice),
    ],
)
def test_what_cannot_be_is_refused(settings: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        HiddenMarkovForecaster(**settings).fit([regimes(40)])


def test_too_short_a_series_is_refused() -> None:
    with pytest.raises(SeriesTooShort):
        HiddenMarkovForecaster(2).fit([np.zeros((2, 1))])
    with pytest.raises(SeriesTooShort):
        HiddenMarkovForecaster((1, 2)).fit([regimes(6)])
