"""Metrics as functions of sums over the answers.

What each answer adds is worked out once, and a resample of sequences or blocks costs a
sum, not another look at every answer. Every metric is such a function but the area
under a curve, which is one as far as its first derivative goes.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from throughtime.train.measuring.predicted import Array, Predicted

BINS: Final = 15
"""Of the expected calibration error, as many as Guo et al. (2017) take."""

CUTOFFS: Final = (1, 5, 10)
"""The k of precision at k."""

_SMALLEST = np.finfo(np.float64).eps


class Additive(NamedTuple):
    """A metric.

    Parameters
    ----------
    parts
        `(n, q)`, what each answer adds.
    join
        From sums `(..., q)` to values `(...)`; NaN where a sum leaves it undefined.
    share
        Whether it is a share of right answers, so that `parts` is 1, 1 for each that is
        right and 0, 1 for each that is wrong.
    root
        Whether it is the root of a mean, and `parts` what is under the root.
    """

    parts: Array
    join: Callable[[Array], Array]
    share: bool = False
    root: bool = False

    def value(self) -> float:
        """Return the metric of all answers."""
        return float(self.join(self.parts.sum(axis=0)))


def surprise(predicted: Predicted) -> Array:
    """Return the nats `(n,)` of the true class; no probability counts as below 2⁻⁵²."""
    true = np.take_along_axis(predicted.outputs, predicted.targets[:, None], axis=1)
    return -np.log(true[:, 0].clip(_SMALLEST, 1.0))


def cross_entropy(predicted: Predicted) -> Array:
    """Return the nats `(n,)` of the true labels, summed over the K of them."""
    right = np.where(predicted.targets > 0, predicted.outputs, 1 - predicted.outputs)
    return -np.log(right.clip(_SMALLEST, 1.0)).sum(axis=1)


def best(predicted: Predicted) -> Array:
    """Return the most probable class `(n,)`, the first of equals."""
    return predicted.outputs.argmax(axis=1)


def one_hot(predicted: Predicted) -> Array:
    """Return for each class a column `(n,)` of 0 and 1."""
    return np.eye(predicted.outputs.shape[1])[predicted.targets]


def chosen(predicted: Predicted) -> Array:
    """Return which labels `(n, K)` are more probable than not."""
    return predicted.outputs > 0.5


def _mean(scores: Array, share: bool = False) -> Additive:
    parts = np.stack([scores, np.ones(len(scores))], axis=1)
    return Additive(parts.astype(np.float64), _ratio, share)


def _ratio(sums: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[..., 0] / sums[..., 1]


def accuracy(predicted: Predicted) -> Additive:
    """Which answers are the true class."""
    return _mean(best(predicted) == predicted.targets, share=True)


def _brier(predicted: Predicted) -> Additive:
    """Squared error over all classes; of two classes the half of it, as is usual."""
    scores = ((predicted.outputs - one_hot(predicted)) ** 2).sum(axis=1)
    return _mean(scores / 2 if predicted.outputs.shape[1] == 2 else scores)


def _calibration(predicted: Predicted) -> Additive:
    """Confidence minus accuracy, in bins of the confidence."""
    confidence = predicted.outputs.max(axis=1)
    bins = (confidence * BINS).astype(int).clip(0, BINS - 1)
    right = best(predicted) == predicted.targets
    parts = np.zeros((len(confidence), BINS + 1))
    parts[np.arange(len(confidence)), bins] = confidence - right
    parts[:, -1] = 1

    def join(sums: Array) -> Array:
        return np.abs(sums[..., :-1]).sum(axis=-1) / sums[..., -1]

    return Additive(parts, join)


def _f1_of_classes(predicted: Predicted) -> Additive:
    classes = np.arange(predicted.outputs.shape[1])
    answered = best(predicted)[:, None] == classes
    return _f1(answered, predicted.targets[:, None] == classes)


def _f1_of_labels(predicted: Predicted) -> Additive:
    return _f1(chosen(predicted), predicted.targets > 0)


def _f1_of_all_labels(predicted: Predicted) -> Additive:
    parts = _f1_of_labels(predicted).parts
    both = parts.reshape(len(parts), 2, -1).sum(axis=2)
    return Additive(both, _twice_the_ratio)


def _twice_the_ratio(sums: Array) -> Array:
    return 2 * _ratio(sums)


def _f1(answered: Array, true: Array) -> Additive:
    """Mean over what occurs in answers or truth of 2 · both / (answered + true)."""
    parts = np.concatenate([answered & true, answered.astype(int) + true], axis=1)

    def join(sums: Array) -> Array:
        both, either = np.split(sums, 2, axis=-1)
        occurs = either > 0
        each = np.divide(2 * both, either, out=np.zeros_like(both), where=occurs)
        return _ratio(np.stack([each.sum(axis=-1), occurs.sum(axis=-1)], axis=-1))

    return Additive(parts.astype(np.float64), join)


def _precision(cutoff: int) -> Callable[[Predicted], Additive]:
    """The share of true ones among the most probable labels."""

    def precision(predicted: Predicted) -> Additive:
        order = np.argsort(-predicted.outputs, axis=1, kind="stable")[:, :cutoff]
        return _mean(np.take_along_axis(predicted.targets, order, axis=1).mean(axis=1))

    return precision


def _exact_match(predicted: Predicted) -> Additive:
    return _mean((chosen(predicted) == predicted.targets).all(axis=1), share=True)


def _brier_of_labels(predicted: Predicted) -> Additive:
    return _mean(((predicted.outputs - predicted.targets) ** 2).mean(axis=1))


def _area(truth: Array, outputs: Array) -> Additive:
    """The mean over groups `(G, n, K)` of the area under the curve of each.

    With other weights it is, to first order, how the positive ones are placed among the
    negative ones, plus how these are placed among those, less the area itself (DeLong,
    DeLong and Clarke-Pearson, Biometrics 44, 1988).
    """
    placed = np.stack([_placed(*pair) for pair in zip(truth, outputs, strict=True)])
    kinds = (truth > 0, truth <= 0)
    groups = [np.stack([placed * kind, kind]).sum(axis=-1) for kind in kinds]
    sums = np.concatenate(groups)
    areas = _ratio(np.moveaxis(sums[:2].sum(axis=-1), 0, -1))

    def join(sums: Array) -> Array:
        each = sums.reshape(*sums.shape[:-1], len(areas), 4)
        positive, negative = _ratio(each[..., :2]), _ratio(each[..., 2:])
        return (positive + negative - areas).clip(0, 1).mean(axis=-1)

    return Additive(sums.transpose(2, 1, 0).reshape(truth.shape[1], -1), join)


def _placed(truth: Array, outputs: Array) -> Array:
    """Return for each output which share of the other kind it is on the right side of.

    Equals count half.
    """
    placed = np.empty(outputs.shape)
    for positive in (True, False):
        own = (truth > 0) == positive
        others, asked = np.sort(outputs[~own]), outputs[own]
        sides = [np.searchsorted(others, asked, side) for side in ("left", "right")]
        below = (sides[0] + sides[1]) / (2 * max(len(others), 1))
        placed[own] = below if positive else 1 - below
    return placed


def _area_of_two(predicted: Predicted) -> Additive:
    return _area(one_hot(predicted)[None, :, 1:], predicted.outputs[None, :, 1:])


def _area_of_all(predicted: Predicted) -> Additive:
    return _area(_truth(predicted)[None], predicted.outputs[None])


def _area_of_each(predicted: Predicted) -> Additive:
    truth, outputs = _truth(predicted), predicted.outputs
    return _area(truth.T[..., None], outputs.T[..., None])


def _truth(predicted: Predicted) -> Array:
    exclusive = predicted.targets.ndim == 1
    return one_hot(predicted) if exclusive else predicted.targets


def _bits(predicted: Predicted) -> Additive:
    return _mean(surprise(predicted) / np.log(2))


def _perplexity(predicted: Predicted) -> Additive:
    nats = _mean(surprise(predicted))
    return Additive(nats.parts, _exponential_of_the_ratio)


def _exponential_of_the_ratio(sums: Array) -> Array:
    return np.exp(_ratio(sums))


def _errors(predicted: Predicted) -> tuple[Array, Array]:
    known = ~np.isnan(predicted.targets)
    return np.where(known, predicted.outputs - predicted.targets, 0.0), known


def _mae(predicted: Predicted) -> Additive:
    errors, known = _errors(predicted)
    return _over_known(np.abs(errors), known)


def _rmse(predicted: Predicted) -> Additive:
    errors, known = _errors(predicted)
    squares = _over_known(errors**2, known)
    return Additive(squares.parts, _root_of_the_ratio, root=True)


def _root_of_the_ratio(sums: Array) -> Array:
    return np.sqrt(_ratio(sums))


def _over_known(scores: Array, known: Array) -> Additive:
    return Additive(np.stack([scores.sum(axis=1), known.sum(axis=1)], axis=1), _ratio)


def _r2(predicted: Predicted) -> Additive:
    """Mean over columns of 1 - squared errors / squared deviations from the mean."""
    errors, known = _errors(predicted)
    # Centred first: a small spread around a large level would drown in rounding.
    count = np.maximum(known.sum(axis=0), 1)
    targets = np.where(known, predicted.targets, 0.0)
    centred = np.where(known, targets - targets.sum(axis=0) / count, 0.0)
    parts = np.concatenate([known, centred, centred**2, errors**2], axis=1)

    def join(sums: Array) -> Array:
        count, total, squares, error = np.split(sums, 4, axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (1 - error / (squares - total**2 / count)).mean(axis=-1)

    return Additive(parts, join)


def scaled_error(predicted: Predicted, scale: Array) -> Additive:
    """Absolute errors, each divided by the scale `(K,)` of its column."""
    errors, known = _errors(predicted)
    return _over_known(np.abs(errors) / scale, known)


Builder: TypeAlias = Callable[[Predicted], Additive]

BUILDERS: Final[Mapping[str, Mapping[str, Builder]]] = {
    "classes": {
        "accuracy": accuracy,
        "f1_macro": _f1_of_classes,
        "auroc": _area_of_two,
        "auroc_macro": _area_of_each,
        "auroc_micro": _area_of_all,
        "brier": _brier,
        "calibration_error": _calibration,
        "log_loss": lambda predicted: _mean(surprise(predicted)),
    },
    "labels": {
        "nats_per_frame": lambda predicted: _mean(cross_entropy(predicted)),
        "auroc_micro": _area_of_all,
        "auroc_macro": _area_of_each,
        "f1_micro": _f1_of_all_labels,
        "f1_macro": _f1_of_labels,
        **{f"precision_at_{cutoff}": _precision(cutoff) for cutoff in CUTOFFS},
        "exact_match": _exact_match,
        "brier": _brier_of_labels,
    },
    "symbols": {
        "bits_per_symbol": _bits,
        "perplexity": _perplexity,
        "accuracy": accuracy,
    },
    "numbers": {"mae": _mae, "rmse": _rmse, "r2": _r2},
}
"""For each form of answers, its metrics that are functions of sums."""
