"""Steps that name items, from sparse matrices: a row for each entry."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl
import torch

from throughtime.data.sources.arrays import array_source
from throughtime.data.sources.source import FrameSource
from throughtime.errors import BadMatrices, ValueMissing

#: The columns beside the sequence and the target.
STEP: Final = "step"
ITEM: Final = "item"
VALUE: Final = "value"


def is_sparse(data: Any) -> bool:
    """Whether data are a list of sparse matrices."""
    return isinstance(data, (list, tuple)) and any(map(_is_matrix, data))


def sparse_source(name: str, data: Sequence[Any], target: Any) -> FrameSource:
    """Make a source of sparse matrices: a row for each entry of a step.

    Parameters
    ----------
    name
        What messages call them.
    data
        N matrices `(T_i, d)` of `scipy.sparse`, or sparse tensors; an item is called by
        the number of its column.
    target
        None, or as `array_source` takes it.

    Raises
    ------
    BadMatrices, TargetShapeMismatch, ValueMissing
        Something is no matrix, has another shape, or a value that is no number.
    """
    # Loaded here: it takes a moment that other data can do without.
    from scipy.sparse import vstack

    matrices = sparse_matrices(name, data)
    steps = [np.arange(one.shape[0])[:, None] for one in matrices]
    dense = replace(array_source(name, steps, target), names=(STEP,))
    frames = [batch.frame for batch in dense.batches(list(dense.dtypes))]
    return FrameSource(name, with_items(name, pl.concat(frames), vstack(matrices)))


def sparse_matrices(name: str, data: Sequence[Any]) -> list[Any]:
    """Read sparse matrices and tensors as CSR of SciPy, all of one width.

    Parameters
    ----------
    name
        What messages call them.
    data
        N matrices `(T_i, d)`.

    Raises
    ------
    BadMatrices
        Something is no matrix, damaged, without a step, or of another width.
    """
    matrices = [_matrix(name, place, one) for place, one in enumerate(data)]
    widths = {one.shape[1] for one in matrices}
    if len(widths) > 1:
        given = "of " + " and ".join(f"{k}" for k in sorted(widths))
        raise BadMatrices(source=name, given=f"{given} columns")
    return matrices


def with_items(name: str, steps: pl.DataFrame, matrix: Any) -> pl.DataFrame:
    """Give every step a row for each item that it names, or one without an item.

    Parameters
    ----------
    name
        What messages call the data.
    steps
        A row for each of all S steps.
    matrix
        `(S, d)`, sparse, what they name.

    Raises
    ------
    ValueMissing
        A value is no number.
    """
    csr = matrix.tocsr()
    counts = np.diff(csr.indptr)
    rows = np.repeat(np.arange(len(counts)), np.maximum(counts, 1))
    wrong = np.isnan(csr.data)
    if wrong.any():
        step = int(np.searchsorted(csr.indptr, wrong.argmax(), side="right")) - 1
        at = f"{name}, step {step + 1} of all"
        raise ValueMissing(where=at, column=VALUE, advice="it, or no entry")
    places = np.flatnonzero(counts[rows] > 0)
    return steps[rows].with_columns(
        _spread(csr.indices.astype(np.int64), places, len(rows)).alias(ITEM),
        _spread(csr.data.astype(np.float64), places, len(rows)).alias(VALUE),
    )


def _spread(values: Any, places: Any, rows: int) -> pl.Series:
    """Put values into some rows; elsewhere there is none."""
    given = pl.Series(values)
    return pl.repeat(None, rows, dtype=given.dtype, eager=True).scatter(places, given)


def _is_matrix(one: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.layout != torch.strided
    return hasattr(one, "tocsr")


def _matrix(name: str, place: int, given: Any) -> Any:
    from scipy.sparse import csr_array

    if not _is_matrix(given) or given.ndim != 2:
        raise BadMatrices(source=name, given=f"and at {place} something else")
    if isinstance(given, torch.Tensor):
        coo = given.detach().cpu().to_sparse_coo().coalesce()
        entries = coo.values().numpy(), tuple(coo.indices().numpy())
        given = csr_array(entries, shape=tuple(given.shape))
    if not given.shape[0]:
        raise BadMatrices(source=name, given=f"without a step at {place}")
    csr = csr_array(given)
    try:
        csr.check_format()
    except ValueError as error:
        given = f"of which that at {place} is damaged ({error})"
        raise BadMatrices(source=name, given=given) from None
    return csr
