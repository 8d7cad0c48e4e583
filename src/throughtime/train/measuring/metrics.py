"""How good answers are: the metrics of each kind of answer, in float64.

From torchmetrics where it keeps float64: MAE and RMSE. It counts and divides in float32
for classes and labels, which is right to 1e-7 only: accuracy, F1 and AUROC are
therefore scikit-learn's, and so is R². Brier score, calibration error and what is
measured in nats or bits exist in neither for all forms at that precision: `additive`
has them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch

from throughtime.data import Question
from throughtime.data.types import FloatArray
from throughtime.train.measuring.additive import (
    BUILDERS,
    CUTOFFS,
    best,
    chosen,
    one_hot,
    scaled_error,
)
from throughtime.train.measuring.predicted import (
    Array,
    Form,
    Predicted,
    checked,
    form,
)


class Measured(NamedTuple):
    """Metrics, and why others have no value.

    `values` holds the metrics that are defined, `left_out` a reason for each that is
    not.
    """

    values: dict[str, float]
    left_out: dict[str, str]


class Undefined(Exception):
    """A metric that these answers give no value."""


def main_metric(question: Question, predicted: Predicted) -> str:
    """Name the metric that stands for all: what baselines are compared in."""
    of_form = {
        "classes": "accuracy",
        "symbols": "bits_per_symbol",
        "labels": "nats_per_frame" if question.task == "next" else "auroc_micro",
        "numbers": "rmse",
    }
    return of_form[form(question, predicted)]


def metrics(
    question: Question,
    predicted: Predicted,
    labels: Sequence[str],
    *,
    training: FloatArray | None = None,
) -> dict[str, float]:
    """Measure answers by every metric of their kind that is defined for them.

    Parameters
    ----------
    question
        What was asked.
    predicted
        The answers and the truth.
    labels
        The names of the K classes, symbols, labels or columns; of a forecast, those of
        its C columns, whatever the horizon.
    training
        `(C,)`, for each column the mean absolute error of the seasonal naive forecast
        within the training part, by which the MASE of a forecast is scaled.

    Returns
    -------
    dict
        Classes: `accuracy`, `f1_macro` (over classes that occur), `auroc` of two
        classes, `auroc_macro` and `auroc_micro` (one against the rest) of more,
        `brier`, `calibration_error`, `log_loss` in nats. Labels: `nats_per_frame`,
        `auroc_micro`, `auroc_macro`, `f1_micro`, `f1_macro` (over labels that occur),
        `precision_at_k` for k below K, `exact_match`, `brier`. Symbols:
        `bits_per_symbol`, `perplexity`, `accuracy`. Real numbers: `mae`, `rmse`,
        `r2` (mean over columns), of a forecast `mase`. What is not defined for these
        answers is left out; `measure` says why.

    Raises
    ------
    BadTarget
        The arrays do not fit each other, or hold numbers that cannot be.
    """
    return measure(question, predicted, labels, training=training).values


def measure(
    question: Question,
    predicted: Predicted,
    labels: Sequence[str],
    *,
    training: FloatArray | None = None,
) -> Measured:
    """Measure as `metrics` does, and say what is left out and why."""
    predicted = checked(question, predicted, labels)
    values: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for name, compute in _asked(question, predicted, labels, training).items():
        try:
            values[name] = compute()
        except Undefined as reason:
            left_out[name] = str(reason)
    return Measured(values, left_out)


def named(labels: Sequence[str]) -> str:
    """Name one label, and say how many others there are."""
    others = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
    return f"{labels[0]!r}{others}"


def _asked(
    question: Question,
    predicted: Predicted,
    labels: Sequence[str],
    training: FloatArray | None,
) -> Mapping[str, Callable[[], float]]:
    kind, width = form(question, predicted), predicted.outputs.shape[1]
    asked: dict[str, Callable[[], float]] = {
        name: lambda builder=builder: builder(predicted).value()
        for name, builder in BUILDERS[kind].items()
    }
    for cutoff in CUTOFFS:
        if cutoff >= width:
            # All labels are among the first k.
            asked.pop(f"precision_at_{cutoff}", None)
    for name, compute in _LIBRARIES[kind].items():
        asked[name] = lambda compute=compute: compute(predicted, labels)
    if kind == "classes":
        # Of two classes one curve tells all.
        for name in ("auroc_macro", "auroc_micro") if width == 2 else ("auroc",):
            del asked[name]
    if question.task == "forecast":
        asked["mase"] = lambda: _mase(predicted, labels, training)
    return asked


def _accuracy(predicted: Predicted, _: Sequence[str]) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(predicted.targets, best(predicted)))


def _f1_of_classes(predicted: Predicted, _: Sequence[str]) -> float:
    from sklearn.metrics import f1_score

    # Of the classes that occur, in answers or in truth: others have no F1.
    return float(f1_score(predicted.targets, best(predicted), average="macro"))


def _auroc_of_two(predicted: Predicted, labels: Sequence[str]) -> float:
    truth = one_hot(predicted)
    _both_occur(truth, labels)
    return _area(truth[:, 1], predicted.outputs[:, 1])


def _auroc_over_classes(predicted: Predicted, labels: Sequence[str]) -> float:
    truth = one_hot(predicted)
    _both_occur(truth, labels)
    return _area(truth, predicted.outputs)


def _auroc_of_all_classes(predicted: Predicted, labels: Sequence[str]) -> float:
    if len(labels) < 2:
        raise Undefined("there is one class only")
    return _area(one_hot(predicted).ravel(), predicted.outputs.ravel())


def _auroc_over_labels(predicted: Predicted, labels: Sequence[str]) -> float:
    _both_occur(predicted.targets, labels)
    return _area(predicted.targets, predicted.outputs)


def _auroc_of_all_labels(predicted: Predicted, _: Sequence[str]) -> float:
    truth = predicted.targets.ravel()
    if truth.min() == truth.max():
        raise Undefined(f"every label is {truth[0]:.0f} at every answer")
    return _area(truth, predicted.outputs.ravel())


def _both_occur(truth: Array, labels: Sequence[str]) -> None:
    shares = truth.mean(axis=0).tolist()
    for word, share in [("always", 1.0), ("never", 0.0)]:
        found = [
            label for label, one in zip(labels, shares, strict=True) if one == share
        ]
        if found:
            raise Undefined(f"the targets {word} hold {named(found)}")


def _area(truth: Array, outputs: Array) -> float:
    """Mean over columns of the area under the receiver operating characteristic."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, outputs, average="macro"))


def _f1_of_labels(
    average: Literal["micro", "macro"],
) -> Callable[[Predicted, Sequence[str]], float]:
    def compute(predicted: Predicted, _: Sequence[str]) -> float:
        from sklearn.metrics import f1_score

        truth, answers = predicted.targets > 0, chosen(predicted)
        # As with classes: what is neither true nor answered has no F1.
        occurs = (truth | answers).any(axis=0)
        if not occurs.any():
            raise Undefined("no label is true, and none was answered")
        truth, answers = truth[:, occurs], answers[:, occurs]
        if occurs.sum() == 1:
            # A single column would be two classes to scikit-learn.
            return float(f1_score(truth[:, 0], answers[:, 0]))
        return float(f1_score(truth, answers, average=average))

    return compute


def _exact_match(predicted: Predicted, _: Sequence[str]) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(predicted.targets > 0, chosen(predicted)))


def _mae(predicted: Predicted, _: Sequence[str]) -> float:
    # Loaded here: it takes seconds, and only real numbers need it.
    from torchmetrics.functional import mean_absolute_error

    return mean_absolute_error(*_known(predicted)).item()


def _rmse(predicted: Predicted, _: Sequence[str]) -> float:
    from torchmetrics.functional import mean_squared_error

    return mean_squared_error(*_known(predicted), squared=False).item()


def _known(predicted: Predicted) -> tuple[torch.Tensor, torch.Tensor]:
    known = ~np.isnan(predicted.targets)
    if not known.any():
        raise Undefined("no target is known")
    outputs, targets = predicted.outputs[known], predicted.targets[known]
    return torch.from_numpy(outputs), torch.from_numpy(targets)


def _r2(predicted: Predicted, labels: Sequence[str]) -> float:
    # torchmetrics does not centre: at a level of 1000 nine digits are left.
    from sklearn.metrics import r2_score

    values: list[float] = []
    for column, (outputs, targets) in enumerate(
        zip(predicted.outputs.T, predicted.targets.T, strict=True)
    ):
        known = ~np.isnan(targets)
        if not known.any() or np.ptp(targets[known]) == 0:
            name = labels[column % len(labels)]
            raise Undefined(f"the targets of {name!r} do not vary")
        values.append(float(r2_score(targets[known], outputs[known])))
    return float(np.mean(values))


def _mase(
    predicted: Predicted, labels: Sequence[str], training: FloatArray | None
) -> float:
    if training is None:
        raise Undefined("the naive error within the training part is not given")
    steady = [label for label, one in zip(labels, training, strict=True) if not one > 0]
    if steady:
        raise Undefined(f"{named(steady)} does not vary in the training part")
    _known(predicted)
    scale = np.tile(training, predicted.outputs.shape[1] // len(labels))
    return scaled_error(predicted, scale).value()


_LIBRARIES: Mapping[Form, Mapping[str, Callable[[Predicted, Sequence[str]], float]]] = {
    "classes": {
        "accuracy": _accuracy,
        "f1_macro": _f1_of_classes,
        "auroc": _auroc_of_two,
        "auroc_macro": _auroc_over_classes,
        "auroc_micro": _auroc_of_all_classes,
    },
    "labels": {
        "f1_micro": _f1_of_labels("micro"),
        "f1_macro": _f1_of_labels("macro"),
        "exact_match": _exact_match,
        "auroc_micro": _auroc_of_all_labels,
        "auroc_macro": _auroc_over_labels,
    },
    "symbols": {"accuracy": _accuracy},
    "numbers": {"mae": _mae, "rmse": _rmse, "r2": _r2},
}
