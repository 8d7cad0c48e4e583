"""Columns into numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from throughtime.data.reading import Missing
from throughtime.data.schema import Kind
from throughtime.data.sources.source import Batch, Source
from throughtime.data.tables.roles import Roles, kind_of
from throughtime.data.types import FloatArray
from throughtime.errors import (
    InfiniteValue,
    TooManyCategories,
    UnsuitableColumn,
    ValueMissing,
)

#: The most different values of a text that is a feature.
MOST_CATEGORIES: Final = 1000

#: What to do about a missing value.
ABOUT_FEATURES: Final = "missing='forward', 'mean' or 'zero', or the value"
ABOUT_ITEMS: Final = "missing='zero', so that the row names nothing, or the value"
ABOUT_TARGETS: Final = "the value, or leave the row out"

# Types whose every value a float32 holds exactly.
_NARROW = (pl.Float32, pl.Int8, pl.Int16, pl.UInt8, pl.UInt16)


@dataclass
class Coded:
    """What is known of one column while it is read.

    Parameters
    ----------
    source, name, kind
        What messages call the table; the column, and what its values are.
    narrow
        Whether a float32 holds every value.
    integer
        Whether its type is one of whole numbers.
    required
        Whether a missing value is refused.
    advice
        What to do about a missing value.
    most
        The most different values of a category; None: any number.
    vocabulary
        The values of a category in order of their first appearance; each is coded as
        its place.
    whole, binary
        Whether every value so far was a whole number, 0 or 1.
    """

    source: str
    name: str
    kind: Kind
    narrow: bool
    integer: bool
    required: bool
    advice: str
    most: int | None = None
    vocabulary: pl.Series = field(
        default_factory=lambda: pl.Series([], dtype=pl.String)
    )
    whole: bool = True
    binary: bool = True

    @property
    def is_label(self) -> bool:
        """Whether it says yes or no: booleans, or whole numbers 0 and 1."""
        return self.kind == "boolean" or (self.integer and self.binary)

    def code(self, batch: Batch, dtype: npt.DTypeLike) -> FloatArray:
        """Return `(n,)` numbers, NaN for what is missing."""
        series = batch.frame[self.name]
        if self.kind == "category":
            series = self._places(as_text(series))
        numbers = series.cast(pl.Float64).to_numpy().astype(dtype)
        check(numbers, batch, self.name, self.advice if self.required else None)
        if self.whole:
            self._look_at(numbers[~np.isnan(numbers)])
        return numbers

    def _places(self, series: pl.Series) -> pl.Series:
        values = series.drop_nulls().unique(maintain_order=True)
        unknown = values.filter(~values.is_in(self.vocabulary.implode()))
        self.vocabulary = self.vocabulary.append(unknown)
        if self.most is not None and len(self.vocabulary) > self.most:
            raise TooManyCategories(
                source=self.source,
                column=self.name,
                most=self.most,
            )
        return series.cast(pl.Enum(self.vocabulary)).to_physical()

    def _look_at(self, numbers: FloatArray) -> None:
        self.whole = bool((numbers == np.floor(numbers)).all())
        zero_or_one = bool(((numbers == 0) | (numbers == 1)).all())
        self.binary = self.binary and zero_or_one


def as_text(series: pl.Series) -> pl.Series:
    """Return values as they name a category: 1.0 is 1, and NaN is missing."""
    if not series.dtype.is_float():
        return series.cast(pl.String)
    whole = series.cast(pl.Int64, strict=False)
    exact = (whole.cast(pl.Float64) == series).fill_null(value=False)
    series = series.fill_nan(None)
    return series.cast(pl.String).zip_with(~exact, whole.cast(pl.String))


def check(numbers: FloatArray, batch: Batch, name: str, required: str | None) -> None:
    """Refuse infinite numbers, and missing ones where `required` says what to do.

    Raises
    ------
    InfiniteValue, ValueMissing
        There is one.
    """
    infinite, missing = np.isinf(numbers), np.isnan(numbers)
    if infinite.any():
        raise InfiniteValue(where=batch.where(int(infinite.argmax())), column=name)
    if required is not None and missing.any():
        at = batch.where(int(missing.argmax()))
        raise ValueMissing(where=at, column=name, advice=required)


def is_narrow(source: Source, name: str, kind: Kind) -> bool:
    """Whether a float32 holds every value of a column exactly."""
    return kind != "number" or source.dtypes[name] in _NARROW


def coded_columns(source: Source, roles: Roles, missing: Missing) -> list[Coded]:
    """Say how each column of the matrices is to be coded.

    Raises
    ------
    UnsuitableColumn
        A column holds what can be no number, or no value of an item.
    """
    # Many symbols are no obstacle where the next of them is what is asked.
    symbols = roles.features if not roles.targets and len(roles.features) == 1 else ()
    unlimited = {*roles.targets, *roles.items, *symbols}
    columns: list[Coded] = []
    for name in roles.coded:
        kind, target = kind_of(source, name), name in roles.targets
        item = name in roles.items[:1]
        if item:  # a number is a name, too
            kind = "category"
        if name in roles.items[1:] and kind == "category":
            raise UnsuitableColumn(
                source=source.name,
                column=name,
                dtype=source.dtypes[name],
                advice="numbers as the values of items",
            )
        columns.append(
            Coded(
                source=source.name,
                name=name,
                kind=kind,
                narrow=not item and is_narrow(source, name, kind),
                integer=source.dtypes[name].is_integer(),
                required=target or missing == "error",
                advice=_advice(name, roles),
                most=None if name in unlimited else MOST_CATEGORIES,
            )
        )
    return columns


def _advice(name: str, roles: Roles) -> str:
    """Say what to do about a missing value."""
    if name in roles.targets:
        return ABOUT_TARGETS
    return ABOUT_ITEMS if name in roles.items else ABOUT_FEATURES


class Coder:
    """Turns rows of a table into rows of numbers.

    Parameters
    ----------
    columns
        How each column is coded, in their order in the matrices.
    difference
        The place of a further column, left 0 for the time since the step before; or
        None.
    """

    def __init__(self, columns: Sequence[Coded], difference: int | None = None) -> None:
        self.columns = columns
        self.difference: int | None = difference
        self.width = len(columns) + (difference is not None)
        # The narrowest type that holds every column exactly, as far as types tell.
        narrow = difference is None and all(one.narrow for one in columns)
        self.dtype: type[np.float32] | type[np.float64]
        self.dtype = np.float32 if narrow else np.float64

    def __call__(self, batch: Batch) -> FloatArray:
        """Return `(n, C)`, the numbers of a batch."""
        columns = [one.code(batch, self.dtype) for one in self.columns]
        if self.difference is not None:
            columns.insert(self.difference, np.zeros_like(columns[0]))
        return np.stack(columns, axis=1)
