"""New data for a schema that is known: columns coded as they were in training."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from throughtime.data.reading import Missing
from throughtime.data.schema import Column, Schema
from throughtime.data.sources.source import Batch, Source
from throughtime.data.tables.coding import (
    as_text,
    check,
    is_narrow,
)
from throughtime.data.tables.roles import shown
from throughtime.data.types import FloatArray
from throughtime.errors import SchemaMismatch, TruthMissing, UnknownClass
from throughtime.errors.base import did_you_mean

_BOOLEANS: Final = ("false", "true")

#: What to do about a missing value of a feature, once a model is trained.
ABOUT_FEATURES: Final = (
    "the value, or a model that was trained with missing='forward', 'mean' or 'zero'"
)
ABOUT_ITEMS: Final = "the value, or a model that was trained with missing='zero'"
_ABOUT_TARGETS: Final = (
    "the value, or leave the row out; `throughtime predict` needs no truth"
)
_TEXTS: Final = (pl.String, pl.Categorical, pl.Enum)


class KnownCoder:
    """Turns rows of a table into the numbers that training would have made of them.

    Parameters
    ----------
    source
        The table.
    schema
        The columns.
    left_out
        Columns that are not read, and missing in every row.
    difference
        The place of the time since the step before, or None.
    missing
        What is done about missing features.
    items
        How many of the features, the first ones, are of items.

    Raises
    ------
    SchemaMismatch
        A column is missing, or of another kind.
    """

    def __init__(
        self,
        source: Source,
        schema: Schema,
        left_out: Sequence[Column],
        difference: int | None,
        missing: Missing,
        items: int = 0,
    ) -> None:
        self._items = schema.features[:items]
        self._schema, self._missing, self._left_out = schema, missing, left_out
        self.width = len(schema.columns)
        self.difference: int | None = difference
        self.read = [
            column
            for place, column in enumerate(schema.columns)
            if column not in left_out and place != difference
        ]
        for column in self.read:
            check_column(source, column, is_target=self._is_target(column))
        narrow = (
            difference is None
            and not items
            and all(is_narrow(source, one.name, one.kind) for one in self.read)
        )
        self.dtype: type[np.float32] | type[np.float64]
        self.dtype = np.float32 if narrow else np.float64

    def __call__(self, batch: Batch) -> FloatArray:
        """Return `(n, C)`, the numbers of a batch."""
        empty = np.full(len(batch.frame), np.nan, self.dtype)
        columns: list[FloatArray] = []
        for place, column in enumerate(self._schema.columns):
            if place == self.difference:
                columns.append(np.zeros_like(empty))
            else:
                known = column in self.read
                columns.append(self._code(column, batch) if known else empty)
        return np.stack(columns, axis=1)

    def _is_target(self, column: Column) -> bool:
        schema = self._schema
        return column not in schema.features and column in schema.targets

    def _code(self, column: Column, batch: Batch) -> FloatArray:
        is_target = self._is_target(column)
        series = batch.frame[column.name]
        if column.kind == "category":
            places = _places(series, column.categories)
            unknown = (places < 0).fill_null(value=False).to_numpy()
            if is_target and unknown.any():
                row = int(unknown.argmax())
                raise UnknownClass(
                    where=batch.where(row),
                    column=column.name,
                    value=str(series[row]),
                    known=shown(column.categories),
                )
            series = places
        numbers = series.cast(pl.Float64).to_numpy().astype(self.dtype)
        advice = ABOUT_ITEMS if column in self._items else ABOUT_FEATURES
        required = advice if self._missing == "error" else None
        check(numbers, batch, column.name, _ABOUT_TARGETS if is_target else required)
        wrong = (numbers != 0) & (numbers != 1) & ~np.isnan(numbers)
        if column.kind == "boolean" and wrong.any():
            raise SchemaMismatch(
                source=batch.where(int(wrong.argmax())),
                fault=f"has another value in column {column.name!r}",
                expected="0 or 1",
            )
        return numbers


def check_column(source: Source, column: Column, *, is_target: bool) -> None:
    """Refuse a table without a column, or with one of another kind.

    Raises
    ------
    SchemaMismatch, TruthMissing
        It is so.
    """
    dtype = source.dtypes.get(column.name)
    if dtype is None:
        hint = did_you_mean(column.name, source.dtypes)
        if is_target:
            what = f"column {column.name!r}"
            raise TruthMissing(source=source.name, what=what, hint=hint)
        fault = f"has no column {column.name!r}{hint}"
        raise SchemaMismatch(source=source.name, fault=fault, expected="one")
    if column.kind == "category":
        fits = dtype in _TEXTS or dtype.is_numeric() or dtype == pl.Boolean
    else:
        fits = dtype.is_numeric() or dtype == pl.Boolean
    if not fits and dtype != pl.Null:
        fault = f"has the type {dtype} in column {column.name!r}"
        words = {"number": "numbers", "boolean": "0 and 1", "category": "categories"}
        raise SchemaMismatch(
            source=source.name, fault=fault, expected=words[column.kind]
        )


def _places(series: pl.Series, categories: Sequence[str]) -> pl.Series:
    """Return where each value stands in `categories`: -1 nowhere, null if missing."""
    text = as_text(series)
    if tuple(categories) == _BOOLEANS:
        text = text.str.strip_chars().str.to_lowercase()
    places = text.cast(pl.Enum(categories), strict=False).to_physical().cast(pl.Int64)
    return places.fill_null(-1).set(text.is_null(), None)
