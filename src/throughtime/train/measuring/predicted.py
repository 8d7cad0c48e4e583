"""What a model answered, beside what was true: arrays that know no model."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from throughtime.data import FloatArray, IntegerArray, Question
from throughtime.errors import BadTarget

Array: TypeAlias = npt.NDArray[Any]
Form: TypeAlias = Literal["classes", "symbols", "labels", "numbers"]


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
        float64: labels are 0 or 1; a real number that nobody knows is NaN, and counts
        nowhere.
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


def check(question: Question, predicted: Predicted, labels: Sequence[str]) -> None:
    """Refuse arrays that do not fit each other.

    Raises
    ------
    BadTarget
        A shape, a class, a label or a number cannot be.
    """
    outputs, targets = predicted.outputs, predicted.targets
    exclusive = form(question, predicted) in ("classes", "symbols")
    steps = question.horizon if question.task == "forecast" else 1
    n, width = len(outputs), steps * len(labels)
    for name, array, shape in [
        ("outputs", outputs, (n, width)),
        ("targets", targets, (n,) if exclusive else (n, width)),
        ("sequences", predicted.sequences, (n,)),
        ("steps", predicted.steps, (n,)),
    ]:
        _expect(name, array.shape == shape, f"an array {array.shape}", str(shape))
    _expect("outputs", n > 0, "empty", "one answer or more")
    _expect("outputs", bool(np.isfinite(outputs).all()), "not finite", "finite numbers")
    if exclusive:
        valid = bool(((targets >= 0) & (targets < width)).all())
        _expect("targets", valid, "another class", f"a class from 0 to {width - 1}")
    elif form(question, predicted) == "labels":
        valid = bool(np.isin(targets, (0, 1)).all())
        _expect("targets", valid, "another number", "0 or 1 for each label")


def _expect(argument: str, kept: bool, given: str, expected: str) -> None:
    if not kept:
        advice = "give the answers of one model, beside the truth"
        raise BadTarget(
            argument=argument, given=given, expected=expected, advice=advice
        )
