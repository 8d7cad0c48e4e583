"""A window sees the last k steps, through the layer that Feedforward is."""

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier

from tests.estimators.examples import SETTINGS, sequences, signs
from throughtime.baselines import LastSteps, Window
from throughtime.cells import Feedforward
from throughtime.errors import NumberOutOfRange, WindowOfLayers
from throughtime.estimators import (
    Forecaster,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
    SymbolModel,
)
from throughtime.nn import Recurrent

X = sequences()


@pytest.mark.parametrize("backend", ["reference", "llvm"])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_cell_is_feedforward_on_the_last_inputs(steps: int, backend: str) -> None:
    torch.manual_seed(0)
    settings = {"dtype": torch.float64, "backend": backend}
    windowed = Recurrent(LastSteps(steps), 2, 5, **settings)
    plain = Recurrent(Feedforward(), 2 * steps, 5, **settings)
    plain.load_state_dict(windowed.state_dict())
    x = torch.randn(7, 4, 2, dtype=torch.float64, requires_grad=True)
    padded = torch.cat([x.new_zeros(steps - 1, 4, 2), x])
    wide = torch.cat([padded[steps - 1 - k :][:7] for k in range(steps)], dim=-1)
    found, expected = windowed(x)[0], plain(wide)[0]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(found)
    gradients = [
        torch.autograd.grad((one * weight).sum(), x)[0] for one in (found, expected)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_nothing_before_the_window_is_seen() -> None:
    y = [np.where(one[:, 0] > 0, "up", "down") for one in X]
    model = Window(SequenceTagger(**SETTINGS), 2).fit(X, y)
    longest = max(X, key=len)
    changed = longest.copy()
    changed[0] += 5
    before, after = model.predict_proba([longest, changed])
    assert not np.array_equal(before[1], after[1])
    np.testing.assert_array_equal(before[2:], after[2:])
    with pytest.raises(NumberOutOfRange):
        Window(SequenceTagger(**SETTINGS), 0).fit(X, y)


def test_a_lag_is_learned_by_a_window_that_reaches_it() -> None:
    draw = np.random.default_rng(0)
    many = [draw.normal(size=(20, 1)) for _ in range(40)]
    y = [np.where(np.roll(one[:, 0], 2) > 0, "up", "down") for one in many]
    settings = {**SETTINGS, "epochs": 15, "hidden_size": 16}
    scores = [
        Window(SequenceTagger(**settings), k).fit(many, y).score(many, y)
        for k in (2, 3)
    ]
    assert scores[0] < 0.7
    assert scores[1] > 0.85


def test_every_estimator_has_a_window() -> None:
    settings = {**SETTINGS, "epochs": 1}
    classifier = Window(SequenceClassifier("gru", **settings), 2)
    assert is_classifier(classifier)
    assert classifier.fit(X, signs(X)).predict_proba(X).shape == (60, 2)
    assert classifier.estimator.cell == "gru"  # what was given stays as it was
    assert clone(classifier).get_params()["estimator__hidden_size"] == 6
    assert classifier.n_parameters_ == (2 * 2 * 6 + 6) + (6 * 2 + 2)
    regressor = Window(SequenceRegressor(**settings), 2)
    assert regressor.fit(X, np.arange(60.0)).predict(X).shape == (60,)
    longer = [np.concatenate([one, one, one]) for one in X]
    forecaster = Window(Forecaster(horizon=2, **settings), 2).fit(longer)
    assert forecaster.predict(longer).shape == (60, 2, 2)
    assert not hasattr(forecaster, "predict_proba")
    text = "the quick brown fox jumps over the lazy dog.\n" * 5
    symbols = Window(SymbolModel(**settings), 3).fit(text)
    assert symbols.score(text) == -symbols.bits_per_symbol(text)


@pytest.mark.parametrize("setting", [{"num_layers": 2}, {"bidirectional": True}])
def test_a_network_that_sees_more_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(WindowOfLayers):
        Window(SequenceClassifier(**SETTINGS, **setting), 2).fit(X, signs(X))
