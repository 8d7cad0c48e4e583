"""Baselines that know no order: shares, means, and what learns from single steps.

`marginal` knows the targets alone; `summary` a mean and deviation of each feature over
the steps of a sequence; `step` the features of the step that is asked about.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from throughtime.baselines import Summary
from throughtime.bench.comparing.examples import (
    answered,
    features_of,
    labels,
    lengths_of,
    question_of,
    truth,
)
from throughtime.bench.comparing.learning import Baseline, Fitted, always
from throughtime.data import Dataset, Split
from throughtime.data.trivial.counted import Floats, known_mean
from throughtime.data.trivial.labels import share
from throughtime.train.measuring.predicted import Array, form

# How much small weights count beside small errors.
_PENALTIES = (100.0, 10.0, 1.0, 0.1, 0.01)
_ROUNDS = 1000


def _marginal(dataset: Dataset, _: None, seconds: float, seed: int) -> Fitted:
    """Say the shares, or the mean, of training; one is added to every count."""
    names, question = labels(dataset), question_of(dataset)
    width = len(names) * (question.horizon if question.task == "forecast" else 1)
    nothing = [np.zeros((n, width)) for n in lengths_of(dataset, "train")]
    asked = answered(dataset, "train", nothing)
    kind = form(question, asked)
    if kind in ("classes", "symbols"):
        counts = 1 + np.bincount(asked.targets, minlength=len(names))
        said = counts / counts.sum()
    elif kind == "labels":
        said = share(asked.targets.sum(axis=0), len(asked.targets))
    else:
        said = known_mean(asked.targets)

    def outputs(split: Split) -> Sequence[Floats]:
        return [np.tile(said, (n, 1)) for n in lengths_of(dataset, split)]

    return Fitted(outputs, said.size)


def _summary(dataset: Any, penalty: float, seconds: float, seed: int) -> Fitted:
    y, known = _targets(dataset)
    read = features_of(dataset, "train")
    X = [one for one, there in zip(read, known, strict=True) if there]
    summary = Summary(_linear(dataset, penalty), missing="mean")
    with _quiet():
        fitted = summary.fit(X, y)

    def outputs(split: Split) -> Sequence[Floats]:
        return list(_said(dataset, fitted, features_of(dataset, split))[:, None])

    return Fitted(outputs, _size(fitted.estimator_[-1]))


def _step(dataset: Any, penalty: float, seconds: float, seed: int) -> Fitted:
    y, known = _targets(dataset)
    X = np.concatenate(features_of(dataset, "train"))[known]
    filling = SimpleImputer(keep_empty_features=True)
    model: Any = make_pipeline(filling, StandardScaler(), _linear(dataset, penalty))
    with _quiet():
        model.fit(X, y)

    def outputs(split: Split) -> Sequence[Floats]:
        each = features_of(dataset, split)
        edges = np.cumsum([len(one) for one in each])[:-1]
        return np.split(_said(dataset, model, np.concatenate(each)), edges)

    return Fitted(outputs, _size(model[-1]))


def _targets(dataset: Any) -> tuple[Array, Array]:
    """Return what is learned `(n,)` or `(n, G)`, and of which rows it is known."""
    y = np.concatenate(list(truth(dataset, "train")))
    known: Array = np.logical_not(np.isnan(y).any(axis=1))
    if dataset.question.task == "classify":
        known = known & (y[:, 0] >= 0)
        return y[known, 0].astype(np.int64), known
    found: Array = y[known] if y.shape[1] > 1 else y[known, 0]
    whole = dataset.question.task == "multilabel"
    return found.astype(np.int64 if whole else np.float64), known


def _linear(dataset: Any, penalty: float) -> BaseEstimator:
    if dataset.question.task == "regress":
        return Ridge(alpha=penalty)
    logistic = LogisticRegression(C=1 / penalty, max_iter=_ROUNDS)
    several = len(labels(dataset)) > 1 and dataset.question.task == "multilabel"
    return OneVsRestClassifier(logistic) if several else logistic


def _said(dataset: Any, model: Any, X: Any) -> Floats:
    """Return the answers `(n, K)`."""
    if dataset.question.task == "regress":
        return np.asarray(model.predict(X), np.float64).reshape(len(X), -1)
    shares = model.predict_proba(X)
    if dataset.question.task == "multilabel":
        return shares if len(labels(dataset)) > 1 else shares[:, 1:]
    return over_classes(shares, model.classes_, len(labels(dataset)))


def over_classes(shares: Array, known: Array, size: int) -> Floats:
    """Put the shares `(n, k)` of known classes among all of them, `(n, K)`."""
    found = np.zeros((len(shares), size))
    found[:, np.asarray(known, np.int64)] = shares
    return found


def _size(model: Any) -> int:
    """Count the numbers of a linear model; of several, those of all."""
    parts = getattr(model, "estimators_", [model])
    return sum(
        one.coef_.size + np.size(one.intercept_)
        for one in parts
        if hasattr(one, "coef_")  # a label that is always the same has none
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself that rounds ended, or that a label is always the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        warnings.filterwarnings("ignore", "Label not")
        yield


BLIND: Final[Mapping[str, Baseline]] = {
    "marginal": Baseline(_marginal, always(None)),
    "summary": Baseline(_summary, always(*_PENALTIES), "penalty {:g}"),
    "step": Baseline(_step, always(*_PENALTIES), "penalty {:g}"),
}
