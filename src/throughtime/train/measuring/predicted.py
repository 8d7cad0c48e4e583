"""What a model answered, beside what was true: arrays that know no model."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from throughtime.data import Question
from throughtime.data.types import FloatArray, IntegerArray
from throughtime.errors import BadTarget

Array: TypeAlias = npt.NDArray[Any]
Form: TypeAlias = Literal["classes", "symbols", "labels", "numbers"]

# What float32 may leave of a sum of many probabilities.
_ROUNDING = 1e-4


class Predicted(NamedTuple):
    """All answers to one target, or to several of one kind, beside the truth.

    Where a question has several categorical targets, there is one `Predicted` for
    each of them: classes exclude each other, and those of two targets do not. Several
    labels, or several real numbers, are columns of one.

    Parameters
    ----------
    outputs
        `(n, K)`, float64. Classes, labels, symbols: probabilities. Real numbers: values
        in the units of their columns; a forecast of the 1st to the H-th step of C
        columns has K = H · C of them, the 1st step of all columns first.
    targets
        `(n,)`, int64, where one of K classes or symbols is true; else `(n, K)`,
        float64: labels are 0 or 1. What nobody knows counts nowhere: a class below 0,
        a real number that is NaN; an answer that has a label that is NaN.
    sequences
        `(n,)`, int64: to which sequence each answer belongs.
    steps
        `(n,)`, int64: at which step of it the answer was given; 0 where there is one
        answer per sequence.
    """

    outputs: FloatArray
    targets: Array
    sequences: IntegerArray
    steps: IntegerArray


def form(question: Question, predicted: Predicted) -> Form:
    """Say what the answers are; the next step's may be symbols or labels."""
    if question.task == "classify":
        return "classes"
    if question.task == "next" and predicted.targets.ndim == 1:
        return "symbols"
    return "labels" if question.task in ("multilabel", "next") else "numbers"


def checked(
    question: Question, predicted: Predicted, labels: Sequence[str]
) -> Predicted:
    """Refuse arrays that do not fit each other; give what can be measured, in float64.

    Raises
    ------
    BadTarget
        A shape, a class, a label, a probability or a number cannot be.
    """
    outputs, targets, sequences, steps = predicted
    exclusive = form(question, predicted) in ("classes", "symbols")
    ahead = question.horizon if question.task == "forecast" else 1
    n, width = len(outputs), ahead * len(labels)
    for name, array, shape in [
        ("outputs", outputs, (n, width)),
        ("targets", targets, (n,) if exclusive else (n, width)),
        ("sequences", sequences, (n,)),
        ("steps", steps, (n,)),
    ]:
        expected = f"{shape} for {len(labels)} labels"
        _expect(name, array.shape == shape, f"an array {array.shape}", expected)
    finite = bool(np.isfinite(outputs).all())
    _expect("outputs", finite, "not finite", "finite numbers")
    if form(question, predicted) == "numbers":
        known = np.full(n, True)
    else:
        _check_probabilities(outputs, exclusive)
        known = _known(targets, width, exclusive)
    _expect("targets", bool(known.any()), "empty", "one known target or more")
    outputs, targets = outputs.astype(np.float64), targets[known]
    return Predicted(outputs[known], targets, sequences[known], steps[known])


def _check_probabilities(outputs: Array, exclusive: bool) -> None:
    inside = bool(((outputs >= 0) & (outputs <= 1 + _ROUNDING)).all())
    _expect("outputs", inside, "not between 0 and 1", "probabilities")
    if exclusive:
        whole = bool((np.abs(outputs.sum(axis=1) - 1) <= _ROUNDING).all())
        _expect("outputs", whole, "of another sum than 1", "probabilities of classes")


def _known(targets: Array, width: int, exclusive: bool) -> Array:
    """Return which answers `(n,)` have a truth to be measured against."""
    if exclusive:
        valid = bool((targets < width).all())
        _expect("targets", valid, "another class", f"a class from 0 to {width - 1}")
        return targets >= 0
    valid = bool((np.isin(targets, (0, 1)) | np.isnan(targets)).all())
    _expect("targets", valid, "another number", "0 or 1 for each label")
    return np.logical_not(np.isnan(targets).any(axis=1))


def _expect(argument: str, kept: bool, given: str, expected: str) -> None:
    if not kept:
        advice = "give the answers of one model, beside the truth"
        raise BadTarget(
            argument=argument, given=given, expected=expected, advice=advice
        )
