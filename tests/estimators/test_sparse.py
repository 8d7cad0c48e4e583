"""Sparse matrices as X: sequences whose steps name a few of very many columns."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.model_selection import cross_val_score

import throughtime as tt
from throughtime.baselines import Autoregression, Marginal, Persistence, Summary
from throughtime.errors import (
    BadMatrices,
    ContradictoryQuestion,
    FeatureCountMismatch,
    NoItems,
    OtherKindOfX,
    UnusedSetting,
)
from throughtime.estimators import (
    Forecaster,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)

WIDTH = 5_000
SETTINGS: dict[str, Any] = {
    "hidden_size": 8,
    "epochs": 12,
    "learning_rate": 0.05,
    "random_state": 0,
    "threads": 1,
}


def events(count: int = 60, seed: int = 0) -> tuple[list[Any], np.ndarray]:
    """Steps that name ten of many columns; the class says which one came first."""
    draws = np.random.default_rng(seed)
    found, classes = [], draws.integers(0, 2, count)
    for kind in classes:
        one = sparse.lil_array((int(draws.integers(3, 7)), WIDTH))
        for step in range(1, one.shape[0]):  # the first step names one column alone
            one[step, draws.integers(0, 40, 3)] = 1.0
        one[0, 40 + kind] = 1.0
        found.append(one.tocsr())
    return found, np.array(["first", "second"])[classes]


def test_a_class_by_what_is_named() -> None:
    X, y = events()
    model = SequenceClassifier("gru", **SETTINGS).fit(X[:40], y[:40])
    assert model.n_features_in_ == WIDTH
    assert model.score(X[40:], y[40:]) > 0.9
    tensors = [torch.tensor(one.toarray()).to_sparse() for one in X[40:]]
    shares = model.predict_proba(X[40:])
    assert np.array_equal(model.predict_proba(tensors), shares)
    assert np.array_equal(model.predict_proba(tuple(X[40:])), shares)
    boxed = np.empty(20, object)
    boxed[:] = X[40:]
    assert np.array_equal(model.predict_proba(boxed), shares)


def test_a_run_of_the_same_matrices_is_an_estimator(tmp_path: Path) -> None:
    X, y = events(30)
    settings = {k: v for k, v in SETTINGS.items() if k != "random_state"}
    out = tmp_path / "run"
    run = tt.fit(tt.cells.GRU(), X, target=y, seed=0, quiet=True, out=out, **settings)
    assert all(map(str.isdecimal, run.model.schema.items[0].categories))
    loaded = SequenceClassifier.load(out)
    assert loaded.score(X, y) > 0.9


def test_names_are_not_numbers_of_columns(tmp_path: Path) -> None:
    names = ["007", "7", "4006381333931", "9" * 20]
    rows = [(s, t, names[(s + t) % 4], s % 2) for s in range(20) for t in range(3)]
    table = pl.DataFrame(rows, schema=["who", "when", "code", "ill"], orient="row")
    out, ask = tmp_path / "run", {"sequence": "who", "time": "when", "target": "ill"}
    tt.fit(tt.cells.GRU(), table, items="code", out=out, epochs=1, quiet=True, **ask)
    loaded = SequenceClassifier.load(out)
    assert loaded.n_features_in_ == len(names)
    X = [sparse.csr_array(np.eye(len(names)))]
    assert loaded.predict_proba(X).shape == (1, 2)
    with pytest.raises(BadMatrices, match="other values than 1"):
        loaded.predict([2 * X[0]])


def test_files_pickle_and_cross_validation(tmp_path: Path) -> None:
    X, y = events(40)
    model = SequenceClassifier("gru", **SETTINGS).fit(X, y)
    shares = model.predict_proba(X)
    loaded = SequenceClassifier.load(model.save(tmp_path / "run"))
    assert loaded.n_features_in_ == WIDTH
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.predict_proba(X), shares)
    scores = cross_val_score(SequenceClassifier("gru", **SETTINGS), X, y, cv=2)
    assert len(scores) == 2


def test_steps_that_name_nothing_and_columns_that_training_does_not_know() -> None:
    X, y = events()
    X[0] = sparse.csr_array((4, WIDTH))
    model = SequenceClassifier("gru", **SETTINGS).fit(X, y)
    strange = X[1].tolil()
    strange[1, WIDTH - 1] = 1.0
    assert np.array_equal(
        model.predict_proba([strange.tocsr()]), model.predict_proba([X[1]])
    )


def test_part_by_part_every_column_may_come() -> None:
    X, y = events()
    model = SequenceClassifier("gru", optimizer="lazy-fobos", **SETTINGS)
    for start in range(0, 60, 20):
        part = slice(start, start + 20)
        model.partial_fit(X[part], y[part], classes=["first", "second"])
    assert len(model.model_.schema.items[0].categories) == WIDTH
    assert model.predict(X).shape == (60,)


def test_numbers_and_steps_are_answered() -> None:
    X, y = events(30)
    numbers = (y == "first").astype(float)
    regressor = SequenceRegressor("gru", **SETTINGS).fit(X, numbers)
    assert regressor.predict(X).shape == (30,)
    steps = [np.arange(one.shape[0]) > 0 for one in X]
    tagger = SequenceTagger("gru", **SETTINGS).fit(X, steps)
    assert tagger.score(X, steps) > 0.9


def test_what_is_no_such_x_is_refused() -> None:
    X, y = events(20)
    model = SequenceClassifier("gru", **SETTINGS)
    with pytest.raises(UnusedSetting, match="inputs"):
        SequenceClassifier("gru", inputs={"gap": 3}, **SETTINGS).fit(X, y)
    with pytest.raises(ContradictoryQuestion, match="missing"):
        SequenceClassifier("gru", missing="forward", **SETTINGS).fit(X, y)
    with pytest.raises(BadMatrices, match="columns"):
        model.fit([*X[:-1], X[-1][:, :7]], y)
    with pytest.raises(BadMatrices, match="something else"):
        model.fit([*X[:-1], np.zeros((3, WIDTH))], y)
    with pytest.raises(BadMatrices, match="complex"):
        model.fit([one * 1j for one in X], y)
    wrong = X[0].copy()
    wrong.data[0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.fit([wrong, *X[1:]], y)
    with pytest.raises(NoItems):
        model.fit([sparse.csr_array((2, WIDTH))] * 20, y)
    model.fit(X, y)
    with pytest.raises(FeatureCountMismatch):
        model.predict([one[:, :7] for one in X])
    with pytest.raises(OtherKindOfX, match="X are arrays, expected sparse"):
        model.predict([one.toarray() for one in X])
    narrow = [one[:, :7] for one in X]
    dense = SequenceClassifier("gru", **SETTINGS)
    dense.fit([one.toarray() for one in narrow], y)
    with pytest.raises(OtherKindOfX, match="expected arrays"):
        dense.predict(narrow)


@pytest.mark.parametrize(
    "kind", [Forecaster, Persistence, Marginal, Summary, Autoregression]
)
def test_who_reads_arrays_alone_says_so(kind: Any) -> None:
    X, y = events(12)
    with pytest.raises(OtherKindOfX, match="sparse matrices, expected arrays"):
        kind().fit(X, y)
