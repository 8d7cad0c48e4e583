"""What scikit-learn calls y: classes, labels or numbers, per sequence or per step."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    column_or_1d,
)

from throughtime.data import Column
from throughtime.errors import ClassesChanged, LengthsDiffer, OneClassGiven
from throughtime.estimators.datasets import Targets

Array: TypeAlias = npt.NDArray[Any]

TARGET = "target"
_LABELS = "multilabel-indicator"


def read_classes(y: Any) -> tuple[Array, bool]:
    """Look at the classes of N answers.

    Returns
    -------
    y : numpy.ndarray
        `(N,)` classes, or `(N, K)` labels, each 0 or 1.
    labels : bool
        Which of the two.

    Raises
    ------
    ValueError
        They are neither.
    """
    # NaN is no class, whatever numbers there are beside it.
    checked = check_array(y, ensure_2d=False, dtype=None, input_name="y")
    check_classification_targets(checked)
    if type_of_target(checked, input_name="y") == _LABELS:
        return checked, True
    return column_or_1d(checked, warn=True), False


def known_classes(y: Array) -> Array:
    """Return the different classes, in order.

    Raises
    ------
    OneClassGiven
        There is one.
    """
    classes = np.unique(y)
    if len(classes) < 2:
        raise OneClassGiven(value=classes.tolist()[0])
    return classes


def class_targets(y: Array, classes: Array, column: str = TARGET) -> Targets:
    """Make targets of classes, one for each sequence."""
    places = places_of(y, classes)
    names = tuple(map(str, classes.tolist()))
    return Targets((Column(column, "category", names),), _each(places), places)


def label_targets(y: Array) -> Targets:
    """Make targets of labels ``(N, K)``, one answer for each sequence."""
    columns = tuple(Column(f"{TARGET}{k}", "boolean") for k in range(y.shape[1]))
    return Targets(columns, _each(y))


def number_targets(y: Array) -> Targets:
    """Make targets of numbers ``(N,)`` or ``(N, K)``, one answer for each sequence."""
    many = range(y.shape[1]) if y.ndim > 1 else [""]
    columns = tuple(Column(f"{TARGET}{k}") for k in many)
    return Targets(columns, _each(y))


def places_of(y: Array, classes: Array) -> npt.NDArray[np.float32]:
    """Return where each class stands among the known ones.

    Raises
    ------
    ClassesChanged
        It does not.
    """
    places = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    unknown = classes[places] != y
    if unknown.any():
        given = repr(y[unknown].tolist()[0])
        raise ClassesChanged(argument="y", given=given, known=classes.tolist())
    # Whole numbers of this size are exact, and X keeps its dtype beside them.
    return places.astype(np.float32)


def per_step(y: Any, lengths: Sequence[int]) -> list[Array]:
    """Return N arrays `(T_i,)` or `(T_i, K)`.

    Raises
    ------
    ValueError, LengthsDiffer
        There are more or fewer of them, or of their steps, than X has.
    """
    steps = [np.asarray(one) for one in y]
    check_consistent_length(lengths, steps)
    for place, (one, length) in enumerate(zip(steps, lengths, strict=True)):
        if one.shape[:1] != (length,):
            given = len(one) if one.ndim else "no"
            raise LengthsDiffer(place=place, given=given, expected=length)
    return steps


def _each(values: Array) -> list[Array]:
    """Give the answer of each sequence as a row."""
    return list(values.reshape(len(values), 1, -1))
