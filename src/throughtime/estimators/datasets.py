"""Sequences and targets as a data set: what the trainer learns from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from throughtime.data import (
    Column,
    FramesInMemory,
    Question,
    Schema,
    SequenceDataset,
    whole,
)
from throughtime.data.sources.arrays import SEQUENCE
from throughtime.data.tables.splitting import CONTEXT, hold_out
from throughtime.data.types import IntegerArray, Split
from throughtime.errors import (
    NothingToHoldOut,
    NumberOutOfRange,
    UnknownColumn,
    UnusedSetting,
)
from throughtime.errors.base import did_you_mean
from throughtime.estimators.items import items_of
from throughtime.estimators.sequences import Array, Sequences

# So many sequences make a draw worth having; fewer are cut by time.
_ENOUGH: Final = 10
_NOTHING: Final = np.empty((0, 4), np.int64)


@dataclass(frozen=True)
class Targets:
    """What is to be answered.

    Parameters
    ----------
    columns
        The columns that are predicted; none where that is the future of X.
    values
        N arrays `(T_i, K)`, or `(1, K)` for one answer per sequence: numbers, 0 and 1,
        or places of classes.
    strata
        The class of each sequence, where it has one.
    """

    columns: tuple[Column, ...] = ()
    values: Sequence[Array] | None = None
    strata: npt.NDArray[Any] | None = None


def schema_of(
    sequences: Sequences,
    targets: tuple[Column, ...],
    inputs: Mapping[str, Any] | None,
    items: tuple[Column, ...] = (),
) -> Schema:
    """Name the columns of X `x0`, `x1`, …, and say what each is for.

    Parameters
    ----------
    sequences
        X.
    targets
        The columns that are predicted.
    inputs
        For each further input of the cell its column, or columns: `"x3"`, or 3.
    items
        What the steps of sparse matrices name, which has no other columns.

    Raises
    ------
    UnknownColumn
        X has no such column.
    UnusedSetting
        X is sparse: its columns are read as items.
    """
    if items:
        if inputs:
            reason = "sparse X, whose columns are all items"
            raise UnusedSetting(argument="inputs", given=inputs, reason=reason)
        return Schema((), targets, sequence=SEQUENCE, items=items)
    kind = "boolean" if sequences.arrays[0].dtype == bool else "number"
    columns = tuple(Column(f"x{place}", kind) for place in range(sequences.width))
    further = {
        name: tuple(
            _column(f"inputs[{name!r}]", one, columns) for one in _listed(group)
        )
        for name, group in (inputs or {}).items()
    }
    taken = {column for group in further.values() for column in group}
    features = tuple(column for column in columns if column not in taken)
    return Schema(features, targets, further, sequence=SEQUENCE)


def places_in(schema: Schema) -> dict[Column, int]:
    """Say where in X each column stands that is read.

    As its name says; columns that have names of their own stand in their order.
    """
    read = [
        column
        for column in schema.columns
        if column not in schema.targets or column in schema.features
    ]
    numbers = [column.name.removeprefix("x") for column in read]
    order = range(len(read))
    if sorted(numbers) == sorted(map(str, order)):
        order = map(int, numbers)
    return dict(zip(read, order, strict=True))


def make_dataset(
    sequences: Sequences,
    schema: Schema,
    question: Question,
    splits: Mapping[Split, IntegerArray],
    *,
    targets: Targets | None = None,
    weights: Array | None = None,
    missing: Any = "error",
) -> SequenceDataset:
    """Lay X and y side by side.

    Parameters
    ----------
    sequences, schema, question, splits, weights, missing
        As in `SequenceDataset`.
    targets
        What is true; None: it is not known.
    """
    separate = [one for one in schema.targets if one not in schema.features]
    order = list(places_in(schema).values())
    values = targets.values if targets is not None else None
    matrices = sequences.matrices
    frames: list[Array] = []
    for place, array in enumerate(sequences.arrays):
        read = array[:, order]
        if separate:
            unknown = np.full((1, len(separate)), np.nan, np.float32)
            answers = unknown if values is None else values[place]
            answers = np.broadcast_to(answers, (len(array), len(separate)))
            read = np.concatenate([read, answers], axis=1)
        frames.append(read.astype(np.result_type(read.dtype, np.float32), copy=False))
    return SequenceDataset(
        name="arrays",
        schema=schema,
        question=question,
        frames=FramesInMemory(frames),
        keys=[str(place) for place in range(len(frames))],
        splits=splits,
        # A step of a sparse matrix may name nothing.
        missing="zero" if schema.items else missing,
        weights=weights,
        items=None if matrices is None else items_of(matrices, schema.items),
    )


def split_whole(
    lengths: IntegerArray,
    strata: npt.NDArray[Any] | None,
    validation: float,
    seed: int,
) -> dict[Split, IntegerArray]:
    """Keep a share of the sequences for validation, each class its own.

    Parameters
    ----------
    lengths
        `(N,)`.
    strata
        The class of each sequence, or None.
    validation
        The share; 0: all are learned from, and their own loss says when to stop.
    seed
        Of the draw.

    Raises
    ------
    NumberOutOfRange, NothingToHoldOut
        The share is none, or nothing can be kept apart.
    """
    share, everything = share_of(validation), np.arange(len(lengths))
    train = apart = everything
    if share:
        if len(lengths) < 2:
            raise NothingToHoldOut(samples="1 sample", validation=validation)
        drawn = np.random.default_rng(seed).permutation(len(lengths))
        train, apart = map(np.sort, hold_out(drawn, strata, share))
    return {
        "train": whole(train, lengths),
        "validation": whole(apart, lengths),
        "test": _NOTHING,
    }


def split_steps(
    lengths: IntegerArray, ahead: bool, validation: float, seed: int
) -> dict[Split, IntegerArray]:
    """Keep whole sequences for validation, or the last steps of few sequences.

    Parameters
    ----------
    lengths
        As in `split_whole`. Of fewer than ten sequences the last steps of each are
        kept; those before them are read, but do not count.
    ahead
        Whether answers are about what comes after their step.
    validation, seed
        As in `split_whole`.

    Raises
    ------
    NumberOutOfRange, NothingToHoldOut
        As in `split_whole`.
    """
    share = share_of(validation)
    if not share or len(lengths) >= _ENOUGH:
        return split_whole(lengths, None, validation, seed)
    train: list[tuple[int, int, int, int]] = []
    apart: list[tuple[int, int, int, int]] = []
    for sequence, length in enumerate(lengths.tolist()):
        cut = length - int(length * share)
        train.append((sequence, 0, cut, 0))
        if cut < length:
            first = cut - ahead
            apart.append((sequence, max(0, cut - CONTEXT), length, first))
    if not apart:
        samples = f"{len(lengths)} sequences of at most {lengths.max()} steps"
        raise NothingToHoldOut(samples=samples, validation=validation)
    return {
        "train": np.array(train, np.int64),
        "validation": np.array(apart, np.int64),
        "test": _NOTHING,
    }


def all_of_it(lengths: IntegerArray) -> dict[Split, IntegerArray]:
    """Ask for answers to every step, and learn from none."""
    everything = whole(np.arange(len(lengths)), lengths)
    return {"train": _NOTHING, "validation": _NOTHING, "test": everything}


def share_of(validation: object) -> Fraction:
    """Return the share that is kept apart, as it was written.

    Raises
    ------
    NumberOutOfRange
        It is no share.
    """
    real = isinstance(validation, int | float | np.floating)
    if isinstance(validation, bool) or not real or not 0 <= validation < 1:
        expected = "a number of at least 0 and below 1"
        raise NumberOutOfRange(
            argument="validation", given=validation, expected=expected
        )
    return Fraction(float(validation)).limit_denominator(10**6)


def _listed(group: Any) -> Sequence[Any]:
    return group if isinstance(group, (list, tuple)) else (group,)


def _column(input: str, given: Any, columns: tuple[Column, ...]) -> Column:
    names = [column.name for column in columns]
    whole_number = isinstance(given, int | np.integer) and not isinstance(given, bool)
    name = f"x{given}" if whole_number else given
    if name not in names:
        raise UnknownColumn(
            argument=f"inputs[{input!r}]",
            name=given,
            source="X",
            hint=did_you_mean(str(given), names),
            columns=", ".join(names[:20]),
        )
    return columns[names.index(name)]
