"""Metrics, against scikit-learn's and torchmetrics' on the same answers."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as judge
from torchmetrics.functional.classification import multiclass_calibration_error

from throughtime.data import Question
from throughtime.errors import BadTarget
from throughtime.train.measuring import Predicted, metrics
from throughtime.train.measuring.additive import BUILDERS
from throughtime.train.measuring.metrics import measure
from throughtime.train.measuring.predicted import form

CLASSIFY = Question("classify", "sequence")
MULTILABEL = Question("multilabel", "sequence")
REGRESS = Question("regress", "step")
NEXT = Question("next", "step")
FORECAST = Question("forecast", "step", horizon=2, difference=1)

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 40)


def predicted(outputs: np.ndarray, targets: np.ndarray) -> Predicted:
    places = np.arange(len(outputs))
    return Predicted(outputs, targets, places, np.zeros_like(places))


def named(width: int) -> list[str]:
    return [f"label {number}" for number in range(width)]


def probabilities(
    draw: np.random.Generator, n: int, classes: int, levels: int
) -> np.ndarray:
    """Rows that sum to 1; of few levels, so that there are ties; 0: all alike."""
    if levels == 0:
        return np.full((n, classes), 1 / classes)
    raw = draw.integers(1, levels + 1, (n, classes)).astype(float)
    return raw / raw.sum(axis=1, keepdims=True)


def agree(found: dict[str, float], expected: dict[str, float]) -> None:
    assert {name: found[name] for name in expected} == pytest.approx(
        expected, rel=1e-12, abs=1e-12
    )


@given(seeds, sizes, st.integers(2, 6), st.integers(0, 4))
def test_classes_are_measured_as_scikit_learn_does(
    seed: int, n: int, classes: int, levels: int
) -> None:
    draw = np.random.default_rng(seed)
    outputs = probabilities(draw, n, classes, levels)
    targets = draw.integers(0, draw.integers(1, classes + 1), n)
    found = measure(CLASSIFY, predicted(outputs, targets), named(classes))
    answers, columns = outputs.argmax(axis=1), np.arange(classes)
    expected = {
        "accuracy": judge.accuracy_score(targets, answers),
        "f1_macro": judge.f1_score(targets, answers, average="macro"),
        "log_loss": judge.log_loss(targets, outputs, labels=columns),
        "brier": judge.brier_score_loss(targets, outputs, labels=columns)
        if classes > 2
        else judge.brier_score_loss(targets, outputs[:, 1], labels=columns),
    }
    everywhere = len(np.unique(targets)) == classes
    if classes == 2 and everywhere:
        expected["auroc"] = judge.roc_auc_score(targets, outputs[:, 1])
    elif classes > 2:
        options = {"multi_class": "ovr", "labels": columns}
        expected["auroc_micro"] = judge.roc_auc_score(
            targets, outputs, average="micro", **options
        )
        if everywhere:
            expected["auroc_macro"] = judge.roc_auc_score(targets, outputs, **options)
    assert set(found.values) == {*expected, "calibration_error"}
    assert bool(found.left_out) != everywhere
    agree(found.values, expected)


@given(seeds, sizes, st.integers(1, 12), st.integers(1, 4))
def test_labels_are_measured_as_scikit_learn_does(
    seed: int, n: int, width: int, levels: int
) -> None:
    draw = np.random.default_rng(seed)
    outputs = draw.integers(0, levels + 1, (n, width)) / levels
    targets = (draw.random((n, width)) < draw.random(width).round(1)).astype(float)
    found = measure(MULTILABEL, predicted(outputs, targets), named(width))
    answers, values = outputs > 0.5, found.values
    expected = {
        "exact_match": judge.accuracy_score(targets, answers),
        "brier": judge.mean_squared_error(targets, outputs),
        "nats_per_frame": sum(
            judge.log_loss(truth, column, labels=[0, 1])
            for truth, column in zip(targets.T, outputs.T, strict=True)
        ),
    }
    if 0 < targets.mean() < 1:
        expected["auroc_micro"] = judge.roc_auc_score(targets.ravel(), outputs.ravel())
    if all(0 < share < 1 for share in targets.mean(axis=0)):
        expected["auroc_macro"] = np.mean(
            [
                judge.roc_auc_score(*pair)
                for pair in zip(targets.T, outputs.T, strict=True)
            ]
        )
    occurs = (answers | (targets > 0)).any(axis=0)
    if occurs.any():
        columns = zip(targets.T[occurs], answers.T[occurs], strict=True)
        expected["f1_macro"] = np.mean([judge.f1_score(*pair) for pair in columns])
        flat = targets.ravel(), answers.ravel()
        expected["f1_micro"] = judge.f1_score(*flat)
    cutoffs = {f"precision_at_{k}" for k in (1, 5, 10) if k < width}
    assert set(values) == {*expected, *cutoffs}
    assert {*values, *found.left_out} == {
        *cutoffs,
        *"exact_match brier nats_per_frame auroc_micro auroc_macro".split(),
        *"f1_macro f1_micro".split(),
    }
    agree(values, expected)


@given(seeds, sizes, st.integers(1, 4), st.booleans())
def test_numbers_are_measured_as_scikit_learn_does(
    seed: int, n: int, width: int, gaps: bool
) -> None:
    draw = np.random.default_rng(seed)
    targets = draw.normal(1000, 2, (n, width)).round(draw.integers(0, 3))
    outputs = draw.normal(1000, 2, (n, width))
    if gaps:
        targets[draw.random((n, width)) < 0.3] = np.nan
    found = measure(REGRESS, predicted(outputs, targets), named(width))
    known = ~np.isnan(targets)
    if not known.any():
        assert found.values == {}
        return
    both = targets[known], outputs[known]
    expected = {
        "mae": judge.mean_absolute_error(*both),
        "rmse": judge.root_mean_squared_error(*both),
    }
    columns = [(targets[k, c], outputs[k, c]) for c, k in enumerate(known.T)]
    if all(len(truth) and np.ptp(truth) > 0 for truth, _ in columns):
        expected["r2"] = np.mean([judge.r2_score(*pair) for pair in columns])
    assert set(found.values) == set(expected)
    agree(found.values, expected)


@given(seeds, sizes, st.integers(2, 6), st.integers(0, 4))
def test_symbols_are_measured_as_scikit_learn_does(
    seed: int, n: int, symbols: int, levels: int
) -> None:
    draw = np.random.default_rng(seed)
    outputs = probabilities(draw, n, symbols, levels)
    targets = draw.integers(0, symbols, n)
    nats = judge.log_loss(targets, outputs, labels=np.arange(symbols))
    expected = {
        "bits_per_symbol": nats / math.log(2),
        "perplexity": math.exp(nats),
        "accuracy": judge.accuracy_score(targets, outputs.argmax(axis=1)),
    }
    found = metrics(NEXT, predicted(outputs, targets), named(symbols))
    assert set(found) == set(expected)
    agree(found, expected)


@given(seeds, st.integers(2, 5))
def test_calibration_error_is_that_of_torchmetrics(seed: int, classes: int) -> None:
    import torch

    draw = np.random.default_rng(seed)
    outputs = draw.dirichlet(np.ones(classes), 200)
    targets = draw.integers(0, classes, 200)
    found = metrics(CLASSIFY, predicted(outputs, targets), named(classes))
    expected = multiclass_calibration_error(
        torch.from_numpy(outputs), torch.from_numpy(targets), classes, n_bins=15
    )
    # It computes in float32.
    assert found["calibration_error"] == pytest.approx(expected.item(), abs=1e-6)


def test_calibration_error_by_hand() -> None:
    outputs = np.array([[0.9, 0.1], [0.9, 0.1], [1.0, 0.0], [0.4, 0.6]])
    targets = np.array([0, 1, 0, 1])
    # Two answers of 0.9 of which one is right, one of 1 and one of 0.6 that are.
    found = metrics(CLASSIFY, predicted(outputs, targets), named(2))
    assert found["calibration_error"] == pytest.approx((2 * 0.4 + 0 + 0.4) / 4)


def test_precision_is_of_the_most_probable_labels() -> None:
    outputs = np.array([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0.1, 0.3, 0.2, 0.9, 0.0, 0.5]])
    targets = np.array([[0, 1, 1, 0, 0, 1], [0, 0, 1, 1, 1, 1.0]])
    found = metrics(MULTILABEL, predicted(outputs, targets), named(6))
    assert found["precision_at_1"] == 0.5
    assert found["precision_at_5"] == pytest.approx((2 / 5 + 3 / 5) / 2)
    assert "precision_at_10" not in found


def test_the_scaled_error_of_a_forecast_by_hand() -> None:
    # Two columns, two steps ahead; the last answer's second step lies past the end.
    outputs = np.array([[1.0, 10.0, 2.0, 20.0], [3.0, 30.0, 4.0, 40.0]])
    targets = np.array([[2.0, 10.0, 2.0, 10.0], [3.0, 50.0, np.nan, np.nan]])
    answers, training = predicted(outputs, targets), np.array([0.5, 5.0])
    found = metrics(FORECAST, answers, ["a", "b"], training=training)
    assert found["mase"] == pytest.approx((1 / 0.5 + 10 / 5 + 20 / 5) / 6)
    assert found["mae"] == pytest.approx((1 + 10 + 20) / 6)
    left_out = measure(FORECAST, answers, ["a", "b"]).left_out
    assert "not given" in left_out["mase"]
    steady = measure(FORECAST, answers, ["a", "b"], training=np.array([0.0, 5.0]))
    assert steady.left_out["mase"] == "'a' does not vary in the training part"


def test_what_is_undefined_is_left_out_with_its_reason() -> None:
    outputs, targets = np.full((3, 3), 1 / 3), np.array([0, 1, 1])
    found = measure(CLASSIFY, predicted(outputs, targets), ["a", "b", "c"])
    assert found.left_out == {"auroc_macro": "the targets never hold 'c'"}
    alone = measure(CLASSIFY, predicted(outputs, targets * 0), ["a", "b", "c"])
    assert alone.left_out == {"auroc_macro": "the targets always hold 'a'"}
    silent = measure(MULTILABEL, predicted(outputs, np.zeros((3, 3))), named(3))
    assert silent.left_out == {
        "f1_micro": "no label is true, and none was answered",
        "f1_macro": "no label is true, and none was answered",
        "auroc_micro": "every label is 0 at every answer",
        "auroc_macro": "the targets never hold 'label 0' and 2 more",
    }
    level = measure(REGRESS, predicted(outputs[:, :1], np.ones((3, 1))), ["x"])
    assert level.left_out == {"r2": "the targets of 'x' do not vary"}


def test_a_probability_of_nothing_costs_much_but_not_everything() -> None:
    found = metrics(NEXT, predicted(np.array([[1.0, 0.0]]), np.array([1])), named(2))
    assert found["bits_per_symbol"] == pytest.approx(52)


@pytest.mark.parametrize("question", [CLASSIFY, MULTILABEL, NEXT, REGRESS])
def test_sums_over_answers_give_the_same_metrics(question: Question) -> None:
    draw = np.random.default_rng(0)
    outputs = draw.dirichlet(np.ones(12), 50)
    targets = (draw.random((50, 12)) < 0.3).astype(float)
    if question.task in ("classify", "next"):
        targets = draw.integers(0, 12, 50)
    answers = predicted(outputs, targets)
    found = metrics(question, answers, named(12))
    builders = BUILDERS[form(question, answers)]
    assert set(found) <= set(builders)
    agree(found, {name: builders[name](answers).value() for name in found})


HALVES = np.full((3, 2), 0.5)


@pytest.mark.parametrize(
    ("outputs", "targets", "said"),
    [
        (HALVES, np.zeros(4, int), r"targets is an array \(4,\), expected"),
        (np.ones((3, 3)), np.zeros(3, int), r"outputs is an array \(3, 3\), expected"),
        (np.ones((0, 2)), np.zeros(0, int), "targets is empty"),
        (HALVES * np.nan, np.zeros(3, int), "outputs is not finite"),
        (HALVES - 1, np.zeros(3, int), "outputs is not between 0 and 1"),
        (HALVES + 0.1, np.zeros(3, int), "outputs is of another sum than 1"),
        (HALVES, np.full(3, 2), "expected a class from 0 to 1"),
        (HALVES, np.full(3, -1), "targets is empty"),
    ],
)
def test_what_cannot_be_is_refused(
    outputs: np.ndarray, targets: np.ndarray, said: str
) -> None:
    with pytest.raises(BadTarget, match=said):
        metrics(CLASSIFY, predicted(outputs, targets), ["a", "b"])


def test_what_nobody_knows_counts_nowhere() -> None:
    random = np.random.default_rng(0)
    outputs, classes = random.dirichlet(np.ones(3), 20), np.arange(20) % 4 - 1
    rows = classes >= 0
    found = metrics(CLASSIFY, predicted(outputs, classes), named(3))
    assert found == metrics(CLASSIFY, predicted(outputs[rows], classes[rows]), named(3))
    targets = (random.random((20, 3)) < 0.5).astype(float)
    targets[:5, 1] = np.nan
    found = metrics(MULTILABEL, predicted(outputs, targets), named(3))
    rest = metrics(MULTILABEL, predicted(outputs[5:], targets[5:]), named(3))
    assert found == rest


def test_a_label_is_0_or_1() -> None:
    with pytest.raises(BadTarget, match="0 or 1"):
        metrics(MULTILABEL, predicted(np.ones((2, 1)), np.full((2, 1), 0.5)), ["a"])


def test_nothing_warns() -> None:
    # Warnings would be errors here; they are shown to nobody either.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outputs = np.float32([[0.1, 0.2, 0.7]]).astype(np.float64)
        metrics(CLASSIFY, predicted(outputs, np.array([0])), named(3))
