"""Arrays in Python: a list of matrices, or one array of three dimensions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from throughtime.data.sources.source import BATCH_ROWS, Batch
from throughtime.errors import BadArrays, TargetShapeMismatch

Array = npt.NDArray[Any]

#: The column that numbers the sequences.
SEQUENCE: Final = "sequence"


@dataclass(frozen=True)
class ArraySource:
    """Sequences in memory; its columns are `sequence`, `x0`, `x1`, …, and the targets.

    Parameters
    ----------
    name
        What messages call it.
    sequences
        N arrays `(T_i, F)` of numbers or booleans, of one dtype.
    targets
        None, or N arrays `(T_i, K)` for answers per step, `(1, K)` per sequence.
    target_names
        K names.
    names
        F names, where they are not `x0`, `x1`, ….
    """

    name: str
    sequences: Sequence[Array]
    targets: Sequence[Array] | None = None
    target_names: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def dtypes(self) -> Mapping[str, pl.DataType]:
        """The type of each column, in order."""
        targets = None if self.targets is None else self.targets[0][:1]
        return self._frame([0], [self.sequences[0][:1]], targets).schema

    @property
    def features(self) -> list[str]:
        """The names of the F features."""
        width = self.sequences[0].shape[1]
        return list(self.names) or [f"x{place}" for place in range(width)]

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Give all rows of these columns, in order."""
        first, rows = 0, 0
        for last, sequence in enumerate(self.sequences):
            rows += len(sequence)
            if rows >= BATCH_ROWS or last + 1 == len(self.sequences):
                yield self._batch(first, last + 1, columns)
                first, rows = last + 1, 0

    def _batch(self, first: int, last: int, columns: Sequence[str]) -> Batch:
        chosen = self.sequences[first:last]
        lengths = [len(one) for one in chosen]
        targets = None
        if self.targets is not None:
            targets = np.concatenate(
                [
                    target if len(target) == length else np.repeat(target, length, 0)
                    for target, length in zip(
                        self.targets[first:last], lengths, strict=True
                    )
                ]
            )
        ends = np.cumsum(lengths)

        def where(row: int) -> str:
            place = int(np.searchsorted(ends, row, side="right"))
            step = row - int(ends[place]) + lengths[place]
            return f"{self.name}, sequence {first + place}, step {step}"

        numbers = np.repeat(np.arange(first, last), lengths)
        return Batch(self._frame(numbers, chosen, targets).select(columns), where)

    def _frame(
        self,
        numbers: Sequence[int] | Array,
        sequences: Sequence[Array],
        targets: Array | None,
    ) -> pl.DataFrame:
        steps = np.concatenate(sequences)
        columns = {name: steps[:, k] for k, name in enumerate(self.features)}
        if targets is not None:
            columns |= {n: targets[:, k] for k, n in enumerate(self.target_names)}
        return pl.DataFrame({SEQUENCE: np.asarray(numbers, np.int64), **columns})


def array_source(name: str, data: Any, target: Any) -> ArraySource:
    """Make a source of arrays.

    Parameters
    ----------
    name
        What messages call them.
    data
        N arrays `(T_i, F)`, or one `(N, T, F)`.
    target
        None, `(N,)` or `(N, K)`: per sequence; `(N, T, K)`, or a list of N arrays
        `(T_i,)` or `(T_i, K)`: per step.

    Raises
    ------
    BadArrays, TargetShapeMismatch
        Something has another shape or type.
    """
    sequences = _sequences(name, data)
    if target is None:
        return ArraySource(name, sequences)
    targets, single = _targets(target, [len(one) for one in sequences])
    width = targets[0].shape[1]
    names = ("target",) if single else tuple(f"target{k}" for k in range(width))
    return ArraySource(name, sequences, targets, names)


def _sequences(name: str, data: Any) -> list[Array]:
    if isinstance(data, np.ndarray) and data.ndim != 3:
        raise BadArrays(source=name, given=f"one array of shape {data.shape}")
    arrays = [_matrix(name, place, one) for place, one in enumerate(data)]
    if not arrays:
        raise BadArrays(source=name, given="no array at all")
    widths = {one.shape[1] for one in arrays}
    if len(widths) > 1 or 0 in widths:
        given = "arrays of " + " and ".join(f"{k}" for k in sorted(widths)) + " columns"
        raise BadArrays(source=name, given=given)
    dtype = np.result_type(*{one.dtype for one in arrays})
    return [one.astype(dtype, copy=False) for one in arrays]


def _matrix(name: str, place: int, given: Any) -> Array:
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise BadArrays(source=name, given=f"at {place} {error}") from None
    if array.ndim != 2:
        given = f"at {place} an array of shape {array.shape}"
        raise BadArrays(source=name, given=given)
    if not len(array):
        raise BadArrays(source=name, given=f"at {place} a sequence without a step")
    if array.dtype.kind not in "fiub":
        given = f"at {place} an array of dtype {array.dtype}"
        raise BadArrays(source=name, given=given)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _targets(given: Any, lengths: list[int]) -> tuple[list[Array], bool]:
    """Return N arrays `(T_i, K)` or `(1, K)`, and whether K was not said."""
    per_step = isinstance(given, (list, tuple)) and any(np.ndim(one) for one in given)
    if per_step or np.ndim(given) == 3:
        steps = [np.asarray(one) for one in given]
        single = all(one.ndim == 1 for one in steps)
        if [one.shape[:1] for one in steps] != [(length,) for length in lengths]:
            raise _mismatch([one.shape for one in steps], lengths)
    else:
        array = np.asarray(given)
        single = array.ndim == 1
        if array.ndim not in (1, 2) or len(array) != len(lengths):
            raise _mismatch(array.shape, lengths)
        steps = list(array.reshape(len(array), 1, -1))
    steps = [one.reshape(len(one), -1) for one in steps]
    if len({one.shape[1] for one in steps}) > 1 or not steps[0].shape[1]:
        raise _mismatch([one.shape for one in steps], lengths)
    return [_plain(one) for one in steps], single


def _plain(target: Array) -> Array:
    # Labels may come as an array of Python objects.
    return np.asarray(target.tolist()) if target.dtype == object else target


def _mismatch(given: Any, lengths: list[int]) -> TargetShapeMismatch:
    shown = f"{given[:3]}…" if isinstance(given, list) and len(given) > 3 else given
    return TargetShapeMismatch(given=shown, sequences=len(lengths))
