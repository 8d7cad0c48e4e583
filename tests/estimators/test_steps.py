"""Estimators that answer at every step: taggers, forecasters, models of symbols."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

from tests.estimators.examples import SETTINGS, sequences
from throughtime.errors import (
    LengthsDiffer,
    NoSymbols,
    NumberOutOfRange,
    OneSymbolText,
    TextTooShort,
    TooFarAhead,
    UnknownPrompt,
)
from throughtime.estimators import Forecaster, SequenceTagger, SymbolModel

X = sequences()


def test_a_tagger_answers_every_step() -> None:
    y = [np.where(one[:, 0] > 0, "up", "down") for one in X]
    fitted = SequenceTagger("gru", **{**SETTINGS, "epochs": 10}).fit(X, y)
    found = fitted.predict(X)
    assert [one.shape for one in found] == [(len(one),) for one in X]
    assert fitted.score(X, y) > 0.9
    assert cross_val_score(SequenceTagger(**SETTINGS), X, y, cv=2).shape == (2,)
    stream = fitted.stream()
    steps = np.stack([stream(step) for step in X[0]])
    assert np.array_equal(steps, fitted.predict_proba(X)[0])
    cube = np.stack([one[:1].repeat(4, 0) for one in X])
    assert fitted.predict(cube).shape == (60, 4)


def test_a_tagger_of_labels_goes_to_a_folder_and_back(tmp_path: Path) -> None:
    y = [(one > 0).astype(int) for one in X]
    fitted = SequenceTagger("gru", **SETTINGS).fit(X, y)
    back = SequenceTagger.load(fitted.save(tmp_path / "run"))
    for one, other in zip(back.predict(X), fitted.predict(X), strict=True):
        assert one.shape[1] == 2
        assert np.array_equal(one, other)


def test_a_forecast_goes_on_with_each_sequence() -> None:
    waves = [np.sin(np.arange(60) / 3 + k)[:, None] + 5 * k for k in range(12)]
    settings = {**SETTINGS, "epochs": 40}
    model = Forecaster("gru", horizon=2, difference=1, **settings).fit(waves)
    assert model.predict(waves).shape == (12, 2, 1)
    assert model.score(waves) > 0.5
    rows = np.stack([one[:, 0] for one in waves])
    by_row = Forecaster("gru", horizon=2, difference=1, **settings).fit(rows)
    assert np.array_equal(by_row.predict(rows), model.predict(waves)[..., 0])


def test_one_long_sequence_is_kept_apart_by_time() -> None:
    wave = np.sin(np.arange(300) / 3)[:, None]
    model = Forecaster("gru", **{**SETTINGS, "epochs": 20}).fit([wave])
    assert model.score([wave]) > 0.5


TEXT = "the quick brown fox jumps over the lazy dog.\n" * 25


def test_a_model_of_text_scores_in_bits_and_draws(tmp_path: Path) -> None:
    settings = {**SETTINGS, "epochs": 10, "hidden_size": 24}
    model = SymbolModel("gru", **settings).fit(TEXT)
    assert model.score(TEXT) == -model.bits_per_symbol(TEXT)
    assert -4 < model.score(TEXT) < 0
    stream = model.stream()
    for symbol in "the quic":
        shares = stream(np.flatnonzero(model.symbols_ == symbol))
    assert np.array_equal(shares, model.predict_proba("the quic")[0])
    drawn = model.sample(30, 0.5, random_state=0)
    assert len(drawn) == 30
    assert drawn == model.sample(30, 0.5, random_state=0)
    likeliest = model.sample(1, 0, prompt="the quic")
    assert likeliest == model.predict("the quic")[0]
    back = SymbolModel.load(model.save(tmp_path / "run"))
    assert back.score("the fox") == model.score("the fox")
    assert back.sample(30, 0.5, random_state=0) == drawn


def test_a_model_of_symbols_takes_any_that_can_be_told_apart(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    walks = [
        (np.arange(int(n)) + int(k)) % 4 + 10 for n, k in draw.integers(2, 9, (50, 2))
    ]
    model = SymbolModel("gru", **{**SETTINGS, "epochs": 40}).fit(walks)
    assert model.bits_per_symbol(walks) < 0.5
    assert model.predict([[10, 11], [13]]).tolist() == [12, 10]
    found = model.sample(5, 0, random_state=0)
    assert np.all(np.diff(found) % 4 == 1)
    back = SymbolModel.load(model.save(tmp_path / "run"))
    assert back.sample(5, 0, random_state=0) == found


def test_what_has_no_symbols_to_learn_is_refused() -> None:
    model = SymbolModel(**SETTINGS)
    for given, error in [
        ("too short", TextTooShort),
        ("a" * 100, OneSymbolText),
        ([["a"], []], NoSymbols),
        (5, NoSymbols),
    ]:
        with pytest.raises(error):
            model.fit(given)
    model.fit([["a", "b"] * 3] * 12)
    with pytest.raises(NoSymbols, match="a text"):
        model.score("abab")
    with pytest.raises(UnknownPrompt, match="'q'"):
        model.sample(3, prompt=["a", "q"])


def test_answers_of_a_tagger_are_one_for_each_step() -> None:
    for y in ([np.zeros(len(one) + 1) for one in X], [0] * len(X)):
        with pytest.raises(LengthsDiffer, match=r"y\[0\]"):
            SequenceTagger(**SETTINGS).fit(X, y)


def test_a_forecast_nobody_can_check_is_refused() -> None:
    with pytest.raises(TooFarAhead):
        Forecaster(horizon=50, **SETTINGS).fit(X)
    with pytest.raises(NumberOutOfRange):
        Forecaster(horizon=0, **SETTINGS).fit(X)


def test_folds_need_no_y_where_there_is_none() -> None:
    walks = [(np.arange(5) + k) % 4 for k in range(40)]
    settings = {**SETTINGS, "epochs": 2}
    assert np.all(cross_val_score(SymbolModel("gru", **settings), walks, cv=2) < 0)
    longer = sequences(40, seed=3)
    longer = [np.concatenate([one, one, one]) for one in longer]
    scores = cross_val_score(Forecaster("gru", **settings), longer, cv=2)
    assert np.isfinite(scores).all()


def test_streams_run_side_by_side() -> None:
    y = [np.where(one[:, 0] > 0, "up", "down") for one in X]
    model = SequenceTagger("gru", **SETTINGS).fit(X, y)
    cube = np.stack([one[:1].repeat(4, 0) for one in X[:3]])
    stream = model.stream(batch=3)
    steps = np.stack([stream(cube[:, t]) for t in range(4)], axis=1)
    assert np.array_equal(steps, model.predict_proba(cube))
