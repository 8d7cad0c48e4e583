"""Estimators of whole sequences: what goes in, what comes out, and in which order."""

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import throughtime as tt
from tests.estimators.examples import SETTINGS, sequences, signs
from tests.train.test_model_streams import Decaying
from throughtime.errors import (
    BadArrays,
    BadSampleWeight,
    ClassesChanged,
    ClassesNeeded,
    FeatureCountMismatch,
    NothingToHoldOut,
    NumberOutOfRange,
    OneClassGiven,
    OtherKindOfRun,
    RunExists,
    UnknownCell,
    UnknownChoice,
    UnknownColumn,
    UnusedSetting,
)
from throughtime.estimators import (
    Forecaster,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
    SymbolModel,
)
from throughtime.train import open_run, predict
from throughtime.train.asking.settings import Settings

X, Y = sequences(), signs(sequences())


@pytest.fixture(scope="module")
def fitted() -> SequenceClassifier:
    return SequenceClassifier("gru", **SETTINGS).fit(X, Y)


def test_settings_are_those_of_fit_with_its_defaults() -> None:
    found = SequenceClassifier("gru", clip=2.0).get_params()
    assert (found["cell"], found["clip"], found["num_layers"]) == ("gru", 2.0, 1)
    assert "seed" not in found
    assert clone(SequenceClassifier("gru", clip=2.0)).clip == 2.0
    with pytest.raises(TypeError, match="learning_rat"):
        SequenceClassifier(learning_rat=1.0)


def test_no_setting_of_a_training_is_left_out() -> None:
    settings = {setting.name for setting in fields(Settings)} - {"seed"}
    assert settings <= SequenceClassifier().get_params().keys()
    assert settings <= SymbolModel().get_params().keys()


def test_answers_come_in_the_order_of_x_whatever_their_lengths(
    fitted: SequenceClassifier,
) -> None:
    shares = fitted.predict_proba(X)
    assert shares.shape == (len(X), 2)
    assert list(fitted.classes_) == ["above", "below"]
    for place in (0, 7, 33):
        assert np.array_equal(fitted.predict_proba([X[place]])[0], shares[place])
    turned = fitted.predict_proba(X[::-1])
    assert np.array_equal(turned[::-1], shares)
    assert np.array_equal(fitted.predict(X), fitted.classes_[shares.argmax(1)])


def test_x_may_have_any_form() -> None:
    draw = np.random.default_rng(0)
    cube = draw.normal(size=(40, 5, 1))
    y = (cube[:, -1, 0] > 0).astype(int)
    settings = {**SETTINGS, "epochs": 1}
    shares = [
        SequenceClassifier(**settings).fit(form, y).predict_proba(form)
        for form in (
            cube,
            cube[..., 0],
            list(cube),
            cube[..., 0].tolist(),
            torch.from_numpy(cube),
        )
    ]
    ragged = np.empty(40, dtype=object)
    ragged[:] = list(cube)
    shares.append(SequenceClassifier(**settings).fit(ragged, y).predict_proba(ragged))
    for one in shares[1:]:
        assert np.array_equal(one, shares[0])


def test_the_same_number_gives_the_same_bits(fitted: SequenceClassifier) -> None:
    again = clone(fitted).fit(X, Y)
    other = clone(fitted).set_params(random_state=1).fit(X, Y)
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert not np.array_equal(other.predict_proba(X), fitted.predict_proba(X))


def test_pickle_brings_equal_bits_back(fitted: SequenceClassifier) -> None:
    back = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(back.predict_proba(X), fitted.predict_proba(X))
    assert back.get_params() == fitted.get_params()


def test_the_pickle_of_a_fitted_one_holds_no_module(fitted: SequenceClassifier) -> None:
    assert b"torch" not in pickle.dumps(fitted)


def test_a_run_folder_and_back(fitted: SequenceClassifier, tmp_path: Path) -> None:
    path = fitted.save(tmp_path / "run")
    back = SequenceClassifier.load(path)
    assert np.array_equal(back.predict_proba(X), fitted.predict_proba(X))
    assert back.hidden_size == 6
    assert back.validation == fitted.validation
    assert back.metrics_ == fitted.metrics_
    assert clone(back).fit(X, Y).score(X, Y) == fitted.score(X, Y)
    assert tt.load(path).labels == ("above", "below")
    assert predict(open_run(path), X, tmp_path / "answers.csv") == len(X)
    with pytest.raises(OtherKindOfRun, match="classify"):
        SequenceRegressor.load(path)


def test_classes_keep_their_type_in_a_run_folder(tmp_path: Path) -> None:
    y = np.where(Y == "above", 7, -3)
    fitted = SequenceClassifier(**{**SETTINGS, "epochs": 1}).fit(X, y)
    back = SequenceClassifier.load(fitted.save(tmp_path / "run"))
    assert back.classes_.dtype == y.dtype
    assert np.array_equal(back.predict(X), fitted.predict(X))


def test_a_run_of_fit_becomes_an_estimator(tmp_path: Path) -> None:
    quick = {k: v for k, v in SETTINGS.items() if k != "random_state"}
    run = tt.fit(tt.cells.GRU(), X, target=Y, out=tmp_path / "run", **quick)
    back = SequenceClassifier.load(run.path)
    assert set(back.predict(X)) <= {"above", "below"}
    assert back.cell == "GRU"


def test_a_run_of_a_table_takes_its_columns_in_their_order(tmp_path: Path) -> None:
    rows = {"who": np.repeat(np.arange(60), [len(one) for one in X])}
    steps = np.concatenate(X)
    table = pl.DataFrame({**rows, "left": steps[:, 0], "right": steps[:, 1]})
    quick = {k: v for k, v in SETTINGS.items() if k != "random_state"}
    run = tt.fit(
        tt.cells.GRU(), table, sequence="who", horizon=2, out=tmp_path / "run", **quick
    )
    back = Forecaster.load(run.path)
    assert (back.horizon, back.difference) == (2, 1)
    longest = max(X, key=len)
    expected, _ = run.model(torch.from_numpy(longest)[:, None])
    found = back.predict([longest])[0].ravel()
    np.testing.assert_allclose(found, expected[-1, 0].detach().numpy(), rtol=1e-5)
    assert np.isfinite(back.score(X))
    with pytest.raises(OtherKindOfRun, match="forecast"):
        SequenceClassifier.load(run.path)


def test_out_keeps_the_run_and_no_out_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {**SETTINGS, "epochs": 1}
    SequenceClassifier(**settings).fit(X, Y)
    assert not list(tmp_path.iterdir())
    kept = SequenceClassifier(**settings, out="run").fit(X, Y)
    back = SequenceClassifier.load("run")
    assert not Path("run/curve.png").exists()  # there is no test part to measure
    assert np.array_equal(back.predict_proba(X), kept.predict_proba(X))
    with pytest.raises(RunExists):
        kept.fit(X, Y)


def test_searches_and_pipelines_take_ragged_lists() -> None:
    whole = FunctionTransformer(lambda many: [one * 2 for one in many])
    pipeline = make_pipeline(whole, SequenceClassifier(**SETTINGS))
    grid = {"sequenceclassifier__hidden_size": [3, 5]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, Y)
    assert search.predict(X).shape == (len(X),)
    scores = cross_val_score(SequenceRegressor(**SETTINGS), X, np.arange(60.0), cv=2)
    assert scores.shape == (2,)


def test_labels_are_told_by_their_form() -> None:
    y = np.stack([[one[-1, 0] > 0, one[-1, 1] > 0] for one in X]).astype(int)
    fitted = SequenceClassifier("gru", **{**SETTINGS, "epochs": 12}).fit(X, y)
    shares, found = fitted.predict_proba(X), fitted.predict(X)
    assert shares.shape == found.shape == (60, 2)
    assert np.array_equal(found, (shares >= 0.5).astype(int))
    assert np.array_equal(fitted.decision_function(X) > 0, shares > 0.5)


def test_numbers_come_in_their_own_units() -> None:
    y = np.array([1000 + 50 * one[-1, 0] for one in X])
    fitted = SequenceRegressor("gru", **{**SETTINGS, "epochs": 30}).fit(X, y)
    assert fitted.score(X, y) > 0.5
    several = np.stack([y, -y], axis=1)
    fitted = SequenceRegressor("gru", **SETTINGS).fit(X, several)
    assert fitted.predict(X).shape == (60, 2)


def test_partial_fit_goes_on() -> None:
    model = SequenceClassifier("gru", **SETTINGS)
    with pytest.raises(ClassesNeeded):
        model.partial_fit(X[:20], Y[:20])
    model.partial_fit(X[:20], Y[:20], classes=["above", "below"])
    first = model.predict_proba(X)
    for _ in range(12):
        model.partial_fit(X[20:], Y[20:])
    assert not np.array_equal(model.predict_proba(X), first)
    assert model.score(X, Y) > 0.8
    assert [row["epoch"] for row in model.metrics_] == list(range(1, 14))
    back = pickle.loads(pickle.dumps(model))
    assert np.array_equal(back.predict_proba(X), model.predict_proba(X))
    for one in (back, model):  # also the state of the optimiser goes on
        one.partial_fit(X, Y)
    assert np.array_equal(back.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ClassesChanged, match="beside"):
        model.partial_fit(X[:2], ["beside", "above"])


def test_taggers_regressors_and_forecasters_go_on_too() -> None:
    settings = {**SETTINGS, "epochs": 1}
    steps = [np.where(one[:, 0] > 0, "up", "down") for one in X]
    tagger = SequenceTagger("gru", **settings)
    regressor = SequenceRegressor("gru", **settings)
    forecaster = Forecaster("gru", **settings)
    longer = [one for one in X if len(one) > 2]
    for _ in range(8):
        tagger.partial_fit(X, steps, classes=["up", "down"])
        regressor.partial_fit(X, [one[-1, 0] for one in X])
        forecaster.partial_fit(longer)
    for one in (tagger, regressor, forecaster):
        assert len(one.metrics_) == 8
        assert one.metrics_[-1]["loss"] < one.metrics_[0]["loss"]


def test_settings_of_a_whole_training_leave_single_passes_alone() -> None:
    settings = {**SETTINGS, "optimizer": "adamw", "weight_decay": 0.01}
    course = {"warmup": 3, "average": "ema", "schedule": "cosine", "zoneout": 0.1}
    model = SequenceClassifier("gru", **settings, **course).fit(X, Y)
    before = model.predict_proba(X)
    model.partial_fit(X, Y).partial_fit(X, Y)
    assert len(model.metrics_) == settings["epochs"] + 2
    assert not np.array_equal(model.predict_proba(X), before)


def test_weights_act_where_a_stream_is_learned_too() -> None:
    steps = [np.where(one[:, 0] > 0, "up", "down") for one in X]
    tagger = SequenceTagger("gru", tbptt="2:4", **SETTINGS)
    plain, alike, uneven = (
        np.concatenate(clone(tagger).fit(X, steps, sample_weight=w).predict_proba(X))
        for w in (None, np.full(60, 3.0), np.arange(60.0))
    )
    np.testing.assert_allclose(alike, plain, rtol=1e-4)
    assert abs(uneven - plain).max() > 1e-3


def test_heavier_sequences_count_more() -> None:
    y = np.array(["a", "b"] * 30)  # nothing in X tells them apart
    settings = {**SETTINGS, "epochs": 8}
    weights = np.where(y == "a", 9.0, 1.0)
    fitted = SequenceClassifier(**settings).fit(X, y, sample_weight=weights)
    assert fitted.predict_proba(X)[:, 0].mean() > 0.7
    with pytest.raises(BadSampleWeight):
        SequenceClassifier(**settings).fit(X, y, sample_weight=weights[1:])


def test_a_cell_takes_its_further_inputs_from_columns_of_x() -> None:
    many = sequences(features=3)
    y = signs(many)
    fitted = SequenceClassifier(Decaying(), inputs={"gap": "x2"}, **SETTINGS)
    fitted.fit(many, y)
    assert len(fitted.model_.schema.features) == 2
    stream = fitted.stream()
    for step in many[0]:
        shares = stream(step[:2], gap=step[2:])
    assert np.array_equal(shares, fitted.predict_proba(many[:1])[0])
    same = SequenceClassifier(Decaying(), inputs={"gap": 2}, **SETTINGS).fit(many, y)
    assert np.array_equal(same.predict_proba(many), fitted.predict_proba(many))
    with pytest.raises(UnknownColumn, match="x9"):
        SequenceClassifier(Decaying(), inputs={"gap": "x9"}, **SETTINGS).fit(many, y)


def test_a_stream_has_the_bits_of_predict_proba(fitted: SequenceClassifier) -> None:
    shares = fitted.predict_proba(X)
    stream = fitted.stream()
    for sequence, expected in zip(X[:10], shares, strict=False):
        stream.reset()
        for step in sequence:
            found = stream(step)
        assert np.array_equal(found, expected)


def test_gaps_are_filled_where_that_is_asked() -> None:
    many = [one.copy() for one in X]
    many[3][0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        SequenceClassifier(**SETTINGS).fit(many, Y)
    fitted = SequenceClassifier(missing="forward", **SETTINGS).fit(many, Y)
    assert np.isfinite(fitted.predict_proba(many)).all()


@pytest.mark.parametrize(
    ("given", "options", "error"),
    [
        ((X, ["one"] * 60), {}, OneClassGiven),
        ((X[:3], Y[:2]), {}, ValueError),
        (([*X[:2], np.zeros((3, 3))], Y[:3]), {}, BadArrays),
        (([*X[:2], np.zeros((0, 2))], Y[:3]), {}, BadArrays),
        ((X, Y), {"cell": "lsdm"}, UnknownCell),
        ((X, Y), {"validation": 1.0}, NumberOutOfRange),
        ((X, Y), {"steps": 4}, UnusedSetting),
        ((X, Y), {"missing": "median"}, UnknownChoice),
        ((X, Y), {"hidden_size": 0}, NumberOutOfRange),
    ],
)
def test_what_cannot_be_learned_is_refused(
    given: tuple[Any, Any], options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        SequenceClassifier(**{**SETTINGS, **options}).fit(*given)


def test_what_cannot_be_answered_is_refused(fitted: SequenceClassifier) -> None:
    with pytest.raises(FeatureCountMismatch):
        fitted.predict(sequences(3, features=3))
    with pytest.raises(NothingToHoldOut, match="1 sample"):
        SequenceRegressor(**SETTINGS).fit(X[:1], [1.0])
