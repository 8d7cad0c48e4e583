"""Sequences whose steps name a few of very many features: what a sparse layer reads."""

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from throughtime.errors import (
    BadFeatureValue,
    BadSparseSteps,
    NoSuchFeature,
    NotSparseSteps,
)


class Named(NamedTuple):
    """The entries in the order of their features, each feature once."""

    features: Tensor
    """The features that any step names, rising, ``(u,)``."""
    offsets: Tensor
    """Where the entries of each begin, and their number, ``(u + 1,)``."""
    rows: Tensor
    """Of each entry: which of the T·B steps names the feature, ``(n,)``."""
    order: Tensor
    """Of each entry: its place in the order of the steps, ``(n,)``."""


class _Rows(NamedTuple):
    """One sequence: features and values of all steps, and how many each step has."""

    features: Tensor
    values: Tensor | None
    counts: Tensor
    width: int | None = None


@dataclass(frozen=True, eq=False)
class SparseSequences:
    """B sequences of up to T steps, of which each names a few of F features.

    A feature that a step names twice counts with the sum of both values; the order
    within a step says nothing. `of` makes them of what people have; here are the
    arrays, for who has them in this form.

    Parameters
    ----------
    features
        Numbers from 0 to F - 1, ``(n,)`` int64: those of step 0 of every sequence, one
        sequence after the other, those of step 1, …
    offsets
        Where the features of each step and sequence begin, and n, ``(T·B + 1,)``.
    lengths
        The number of steps of each sequence, ``(B,)`` int64 on the CPU; what lies
        behind is empty.
    input_size
        F.
    values
        Of each feature, ``(n,)``; None: all are 1. Gradients flow to them.

    Raises
    ------
    NoSuchFeature, BadFeatureValue, BadSparseSteps
        They are not so.
    """

    features: Tensor
    offsets: Tensor
    lengths: Tensor
    input_size: int
    values: Tensor | None = None

    @classmethod
    def of(
        cls,
        sequences: Iterable[Any],
        input_size: int | None = None,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Self:
        """Make them of one item per sequence, each of its own length.

        Parameters
        ----------
        sequences
            Each a matrix of `scipy.sparse` or a sparse tensor ``(T, F)``, or a list of
            steps, which are lists of features or of pairs ``(feature, value)``.
        input_size
            F; may be left out where matrices say it.
        dtype
            Of the values; None: torch's default.
        device
            Of features and values.
        """
        dtype = torch.get_default_dtype() if dtype is None else dtype
        read = [_read(one, number, dtype) for number, one in enumerate(sequences)]
        for number, one in enumerate(read):
            input_size = one.width if input_size is None else input_size
            if one.width is not None and one.width != input_size:
                raise BadSparseSteps(
                    argument=f"sequence {number}",
                    given=f"of {one.width} features",
                    expected=f"{input_size}, as input_size or an earlier one says",
                    advice="give all sequences the same features",
                )
        if input_size is None:
            raise BadSparseSteps(
                argument="input_size",
                given="None",
                expected="the number of features, which lists do not say",
                advice="give it",
            )
        return cls._laid(read, input_size, dtype).to(device)

    @classmethod
    def _laid(cls, read: Sequence[_Rows], size: int, dtype: torch.dtype) -> Self:
        """Join sequences that were read one by one."""
        lengths = torch.tensor([len(one.counts) for one in read], dtype=torch.int64)
        batch = len(read)
        places = [torch.arange(len(o.counts)) * batch + b for b, o in enumerate(read)]
        empty = torch.zeros(0, dtype=torch.int64)
        counts = torch.cat([empty, *(one.counts for one in read)])
        rows = torch.repeat_interleave(torch.cat([empty, *places]), counts)
        features = torch.cat([empty, *(one.features for one in read)])
        values = None
        if any(one.values is not None for one in read):
            ones = [torch.ones(len(o.features), dtype=dtype) for o in read]
            given = [o.values for o in read]
            each_value = [
                w if v is None else v for v, w in zip(given, ones, strict=True)
            ]
            values = torch.cat(each_value)
        return cls.placed(features, values, rows, lengths, size)

    @classmethod
    def placed(
        cls,
        features: Tensor,
        values: Tensor | None,
        rows: Tensor,
        lengths: Tensor,
        input_size: int,
    ) -> Self:
        """Make them of entries in any order: step 0 of all sequences before step 1.

        Parameters
        ----------
        features, values, lengths, input_size
            As of the class, but for the order.
        rows
            t·B + b of each entry, which step t of sequence b names, ``(n,)`` int64.
        """
        batch = len(lengths)
        steps = int(lengths.max()) if batch else 0
        order = torch.argsort(rows, stable=True)
        each = torch.bincount(rows, minlength=steps * batch)
        offsets = torch.cat([each.new_zeros(1), each.cumsum(0)])
        ordered = None if values is None else values[order]
        return cls(features[order], offsets, lengths, input_size, ordered)

    def __post_init__(self) -> None:
        _check_arrays(self)
        _check_features(self)
        if self.values is not None and not bool(self.values.detach().isfinite().all()):
            place = int((~self.values.detach().isfinite()).nonzero()[0])
            raise BadFeatureValue(
                **_where(self, place),
                feature=int(self.features[place]),
                given=self.values[place].item(),
            )

    @property
    def steps(self) -> int:
        """T."""
        return (len(self.offsets) - 1) // len(self.lengths) if len(self.lengths) else 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(T, B, F)``."""
        return self.steps, len(self.lengths), self.input_size

    @property
    def whole(self) -> bool:
        """Whether all sequences have all steps."""
        return bool((self.lengths == self.steps).all())

    def between(self, start: int, stop: int) -> Self:
        """The steps from one to before another, of the same sequences."""
        steps, batch, size = self.shape
        start, stop, _ = slice(start, stop).indices(steps)
        stop = max(start, stop)
        offsets = self.offsets[start * batch : stop * batch + 1]
        first, last = int(offsets[0]), int(offsets[-1])
        return type(self)(
            self.features[first:last],
            offsets - first,
            (self.lengths - start).clamp(0, stop - start),
            size,
            None if self.values is None else self.values[first:last],
        )

    @cached_property
    def named(self) -> Named:
        """The entries in the order of their features."""
        ordered, order = torch.sort(self.features)
        found, counts = torch.unique_consecutive(ordered, return_counts=True)
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        rows = torch.searchsorted(self.offsets, order, right=True) - 1
        return Named(found, offsets, rows, order)

    def to(
        self,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """The same on a device, with values of a dtype; None leaves either."""
        values = self.values
        if values is not None:
            values = values.to(device=device, dtype=dtype)
        moved = self.features.to(device=device), self.offsets.to(device=device)
        if moved[0] is self.features and values is self.values:
            return self
        return replace(self, features=moved[0], offsets=moved[1], values=values)

    def to_dense(self, dtype: torch.dtype | None = None) -> Tensor:
        """All features of all steps, ``(T, B, F)``: for small ones, to compare."""
        values = self.values
        if values is None:
            dtype = torch.get_default_dtype() if dtype is None else dtype
            values = torch.ones(self.features.shape, dtype=dtype).to(self.features)
        if dtype is not None:
            values = values.to(dtype)
        steps, batch, size = self.shape
        counts = self.offsets.diff()
        rows = torch.arange(len(counts), device=counts.device)
        rows = torch.repeat_interleave(rows, counts)
        dense = values.new_zeros(steps * batch, size)
        dense = dense.index_put((rows, self.features), values, accumulate=True)
        return dense.view(steps, batch, size)


# ---------------------------------------------------------------------------- reading
def _read(sequence: Any, number: int, dtype: torch.dtype) -> _Rows:
    """One sequence as arrays, whatever it was."""
    place = f"sequence {number}"
    if isinstance(sequence, Tensor):
        if sequence.layout == torch.strided or sequence.dim() != 2:
            given = f"a tensor of {sequence.layout} and {sequence.dim()} dimensions"
            raise NotSparseSteps(place=place, given=given)
        return _of_matrix(place, _arrays(sequence), sequence.shape[1], dtype)
    if hasattr(sequence, "tocsr"):
        csr = sequence.tocsr()
        arrays = [torch.as_tensor(a) for a in (csr.indices, csr.data, csr.indptr)]
        return _of_matrix(place, arrays, int(csr.shape[1]), dtype)
    if not isinstance(sequence, Sequence) or isinstance(sequence, str):
        raise NotSparseSteps(place=place, given=f"of type {type(sequence).__name__}")
    return _of_steps(place, sequence, dtype)


def _arrays(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Columns, values and row offsets of a sparse tensor."""
    if matrix.layout == torch.sparse_csr:
        csr = matrix.col_indices(), matrix.values(), matrix.crow_indices()
        return csr[0].cpu(), csr[1].cpu(), csr[2].cpu()
    found = matrix.to_sparse_coo().coalesce().cpu()
    rows, columns = found.indices()
    ends = torch.bincount(rows, minlength=len(matrix)).cumsum(0)
    return columns, found.values(), torch.cat([ends.new_zeros(1), ends])


def _of_matrix(
    place: str, arrays: Sequence[Tensor], width: int, dtype: torch.dtype
) -> _Rows:
    features, values, starts = arrays
    counts = starts.diff().to(torch.int64)
    rising = bool((counts >= 0).all()) and int(starts[0]) == 0
    if not rising or int(starts[-1]) != len(features) or len(values) != len(features):
        raise BadSparseSteps(
            argument=f"{place}: the matrix",
            given="with row offsets that fall, or do not end at the number of columns",
            expected="offsets that rise from 0 to it, as a valid CSR matrix has",
            advice="make it from COO",
        )
    return _Rows(features.to(torch.int64), values.to(dtype), counts, width)


def _of_steps(place: str, steps: Sequence[Any], dtype: torch.dtype) -> _Rows:
    features: list[int] = []
    values: list[float] = []
    counts: list[int] = []
    weighted = False
    for time, step in enumerate(steps):
        before = len(features)
        try:
            for item in step:
                pair = isinstance(item, tuple)
                feature, value = item if pair else (item, 1.0)
                weighted = weighted or pair
                features.append(operator.index(feature))
                values.append(float(value))
        except (TypeError, ValueError):
            at = f"Step {time} of {place}"
            raise NotSparseSteps(place=at, given=f"{step!r:.60}") from None
        counts.append(len(features) - before)
    return _Rows(
        torch.tensor(features, dtype=torch.int64),
        torch.tensor(values, dtype=dtype) if weighted else None,
        torch.tensor(counts, dtype=torch.int64),
    )


# ---------------------------------------------------------------------------- checking
def _check_arrays(given: SparseSequences) -> None:
    """Refuse arrays of other forms than they need."""
    features, values, offsets = given.features, given.values, given.offsets
    batch, entries = len(given.lengths), len(features)
    if features.dim() != 1 or features.dtype != torch.int64:
        raise _unfit("features", features, "one axis of int64")
    if values is not None and (
        values.shape != features.shape or not values.is_floating_point()
    ):
        raise _unfit("values", values, f"{entries} numbers of floating point")
    rows = len(offsets) - 1
    uneven = rows % batch if batch else rows
    rising = bool((offsets.diff() >= 0).all())
    if (
        rows < 0
        or uneven
        or not rising
        or int(offsets[0])
        or int(offsets[-1]) != entries
    ):
        raise _unfit("offsets", offsets, f"T·{batch} + 1 numbers from 0 to {entries}")
    lengths = given.lengths
    if batch and not 0 <= int(lengths.min()) <= int(lengths.max()) <= given.steps:
        raise _unfit("lengths", lengths, f"numbers from 0 to {given.steps}")


def _unfit(argument: str, given: Tensor, expected: str) -> BadSparseSteps:
    return BadSparseSteps(
        argument=argument,
        given=f"of shape {tuple(given.shape)} in {given.dtype}, or otherwise unfit",
        expected=expected,
        advice="let SparseSequences.of make it",
    )


def _check_features(given: SparseSequences) -> None:
    features = given.features
    if not len(features):
        return
    least, most = torch.aminmax(features)
    if int(least) >= 0 and int(most) < given.input_size:
        return
    outside = (features < 0) | (features >= given.input_size)
    place = int(outside.nonzero()[0])
    raise NoSuchFeature(
        **_where(given, place), given=int(features[place]), last=given.input_size - 1
    )


def _where(given: SparseSequences, place: int) -> dict[str, int]:
    """Which step of which sequence an entry belongs to."""
    at = torch.tensor(place, device=given.offsets.device)
    row = int(torch.searchsorted(given.offsets, at, right=True)) - 1
    step, sequence = divmod(row, len(given.lengths))
    return {"step": step, "sequence": sequence}
