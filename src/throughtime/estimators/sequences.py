"""What scikit-learn calls X: sequences, in any form that people have them in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.utils import validation

from throughtime.data.sources.arrays import array_source
from throughtime.data.sources.items import is_sparse, sparse_matrices
from throughtime.errors import (
    BadArrays,
    BadMatrices,
    FeatureCountMismatch,
    OtherKindOfX,
)

Array: TypeAlias = npt.NDArray[Any]

# Type checkers bring stubs of an older scikit-learn, which know neither argument.
_checks: Any = validation


@dataclass(frozen=True)
class Sequences:
    """N sequences.

    Parameters
    ----------
    arrays
        N arrays `(T_i, F)` of numbers or booleans, of one dtype.
    stacked
        Whether they came as one array, and answers per step go back as one.
    rows
        Whether it was a matrix, whose rows are sequences of one feature.
    matrices
        N sparse matrices `(T_i, F)` of which the arrays are empty, `(T_i, 0)`; None:
        they came as arrays.
    """

    arrays: Sequence[Array]
    stacked: bool
    rows: bool
    matrices: Sequence[Any] | None = None

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """`(N,)`, the steps of each."""
        return np.array([len(one) for one in self.arrays], np.int64)

    @property
    def width(self) -> int:
        """F."""
        if self.matrices is not None:
            return int(self.matrices[0].shape[1])
        return self.arrays[0].shape[1]

    def shaped(self, answers: list[Array]) -> Any:
        """Give answers per step back as X came: one array, or a list of them."""
        return np.stack(answers) if self.stacked else answers


def read_first(
    estimator: Any, X: Any, *, gaps: bool, sparse: bool = False
) -> Sequences:
    """Read the sequences to learn from, and note what scikit-learn asks to be noted.

    Parameters
    ----------
    estimator
        Whose `n_features_in_` is set: F; of a matrix the length of its rows.
    X
        As `Sequences` says.
    gaps
        Whether NaN may stand for what is missing.
    sparse
        Whether sparse matrices are taken.

    Raises
    ------
    ValueError, TypeError
        They are no sequences.
    """
    many = _several(X)
    if many is not None and is_sparse(many):
        found = _of_matrices(many, sparse)
        estimator.n_features_in_ = found.width
        return found
    if many is None:
        rows = _checks.validate_data(estimator, X, ensure_all_finite=_finite(gaps))
        return _of_rows(rows)
    found = _of_arrays(many, gaps, stacked=_is_cube(X))
    estimator.n_features_in_ = found.width
    return found


def read_more(
    estimator: Any,
    X: Any,
    *,
    gaps: bool,
    width: int | None,
    rows: bool,
    sparse: bool = False,
) -> Sequences:
    """Read sequences like those that were learned from.

    Parameters
    ----------
    estimator, X, gaps, sparse
        As in `read_first`.
    width
        The F of those; None: any.
    rows
        Whether they were a matrix: then another one has rows as long.

    Raises
    ------
    ValueError, TypeError
        They are no such sequences.
    """
    many = _several(X)
    if many is None and rows:
        checked = _checks.validate_data(
            estimator, X, reset=False, ensure_all_finite=_finite(gaps)
        )
        found = _of_rows(checked)
    elif many is not None and is_sparse(many):
        found = _of_matrices(many, sparse)
    elif many is None:
        found = _of_rows(_checks.check_array(X, ensure_all_finite=_finite(gaps)))
    else:
        found = _of_arrays(many, gaps, stacked=_is_cube(X))
    if width is not None and found.width != width:
        shape = ("T", "N", found.width)
        raise FeatureCountMismatch(given=shape, expected=width)
    return found


def _several(X: Any) -> list[Any] | None:
    """Return the sequences one by one; None: they are the rows of a matrix."""
    if _is_cube(X):
        return list(np.asarray(X))
    listed = isinstance(X, (list, tuple))
    if not listed and not (isinstance(X, np.ndarray) and X.dtype == object):
        return None
    if not listed and X.ndim != 1:
        return None
    try:
        dimensions = {np.ndim(one) for one in X}
    except ValueError:  # a list of rows of different lengths
        return list(X)
    if dimensions == {1} and len({len(one) for one in X}) > 1:
        return [np.asarray(one)[:, None] for one in X]
    # A list of numbers, or of rows as long as each other, is scikit-learn's to judge.
    return list(X) if dimensions - {0, 1} else None


def _is_cube(X: Any) -> bool:
    """Whether X is one array ``(N, T, F)``, of NumPy or any other library."""
    return getattr(X, "ndim", 0) == 3


def _of_rows(rows: Array) -> Sequences:
    if rows.dtype.kind not in "fiub":
        raise BadArrays(source="the arrays", given=f"an array of dtype {rows.dtype}")
    return Sequences(list(rows[:, :, None]), stacked=True, rows=True)


def _of_arrays(arrays: list[Any], gaps: bool, *, stacked: bool) -> Sequences:
    found = array_source("the arrays", arrays, None).sequences
    for place, one in enumerate(found):
        _checks.assert_all_finite(one, allow_nan=gaps, input_name=f"X[{place}]")
    return Sequences(found, stacked=stacked, rows=False)


def _of_matrices(many: list[Any], taken: bool) -> Sequences:
    if not taken:
        raise OtherKindOfX(given="sparse matrices", expected="arrays")
    matrices = sparse_matrices("X", many)
    for place, one in enumerate(matrices):
        if one.dtype.kind not in "fiub":
            raise BadMatrices(source="X", given=f"of {one.dtype} at {place}")
        _checks.assert_all_finite(one.data, input_name=f"X[{place}]")
    nothing = [np.empty((one.shape[0], 0), np.float32) for one in matrices]
    return Sequences(nothing, stacked=False, rows=False, matrices=matrices)


def _finite(gaps: bool) -> Any:
    return "allow-nan" if gaps else True
