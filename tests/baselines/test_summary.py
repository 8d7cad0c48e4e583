"""Summaries are blind to order, and as good as the cards say."""

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from tests.estimators.examples import sequences
from throughtime.baselines import Summary
from throughtime.data import SequenceDataset, load
from throughtime.data.types import Split
from throughtime.errors import FeatureCountMismatch, TargetNeeded, UnknownChoice

X = sequences(features=3)
MEANS = np.array([one[:, 0].mean() for one in X])


def test_order_changes_nothing() -> None:
    y = np.where(MEANS > 0, "above", "below")
    model = Summary().fit(X, y)
    turned = [one[::-1] for one in X]
    assert np.array_equal(model.predict(turned), model.predict(X))
    assert model.score(X, y) > 0.8
    assert list(model.classes_) == ["above", "below"]
    assert not hasattr(model, "predict_proba")
    shares = Summary(LogisticRegression()).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_what_learns_may_be_any_estimator() -> None:
    found = Summary(deviation=False).fit(X, MEANS)  # floats: ridge regression
    assert found.score(X, MEANS) > 0.99
    labels = np.stack([MEANS > 0, MEANS < 1], axis=1).astype(int)
    assert Summary().fit(X, labels).predict(X).shape == (60, 2)
    model = Summary(Ridge())
    assert is_regressor(model)
    assert is_classifier(Summary(LogisticRegression()))
    grid = {"estimator__alpha": [0.1, 1.0], "deviation": [True, False]}
    search = GridSearchCV(model, grid, cv=3, error_score="raise").fit(X, MEANS)
    assert search.best_params_["deviation"] is False
    assert clone(model).get_params().keys() == model.get_params().keys()


def test_spoken_digits_are_as_the_card_says() -> None:
    dataset = load("spoken-digits")
    assert isinstance(dataset, SequenceDataset)

    def part(*parts: Split) -> tuple[list[np.ndarray], np.ndarray]:
        rows = [one for part in parts for one in dataset.read(part)]
        digits = np.array([int(one[0, -1]) for one in rows])
        return [one[:, :-1] for one in rows], digits

    train, test = part("train", "validation"), part("test")
    for deviation, name in ((False, "the mean"), (True, "mean and deviation")):
        model = Summary(deviation=deviation).fit(*train)
        told = dataset.card.baselines[f"ridge on {name}"]
        assert model.score(*test) == pytest.approx(told, abs=1e-4)


def test_missing_steps_are_left_out() -> None:
    gaps = [np.concatenate([one, np.full((2, 3), np.nan)]) for one in X]
    model = Summary(missing="mean").fit(X, MEANS)
    np.testing.assert_allclose(model.predict(gaps), model.predict(X))
    empty = [np.full((2, 3), np.nan), *gaps[1:]]
    middle = model.predict(empty)[0]
    assert MEANS.min() < middle < MEANS.max()
    with pytest.raises(ValueError, match="NaN"):
        Summary().fit(gaps, MEANS)


def test_what_cannot_be_learned_is_refused() -> None:
    with pytest.raises(TargetNeeded):
        Summary().fit(X, None)
    with pytest.raises(UnknownChoice):
        Summary(missing="forward").fit(X, MEANS)
    with pytest.raises(FeatureCountMismatch):
        Summary().fit(X, MEANS).predict([np.zeros((2, 2))])
