"""What type a column of texts has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from throughtime.data.schema import Kind
from throughtime.errors import DecimalComma, NotANumber

# Words for a missing number; in a column of text they are values like any other.
_MISSING: Final = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")

# Twenty and a half, as it is written in half of the world.
_COMMA: Final = r"^\s*[+-]?\d+,\d+\s*$"


@dataclass
class Guess:
    """The narrowest type that holds all values of one column so far.

    Parameters
    ----------
    column
        Its name.
    kind
        What it must be, where that is known.
    """

    column: str
    kind: Kind | None = None
    values: int = 0
    numbers: int = 0
    boolean: bool = True
    whole: bool = True
    first_text: tuple[str, str] | None = None
    commas: int = 0

    def look_at(self, texts: pl.Series, where: Callable[[int], str]) -> None:
        """Take the values that follow.

        Parameters
        ----------
        texts
            The values.
        where
            Says where one of them stands.
        """
        values = _bare(texts)
        given = values.is_not_null()
        self.values += int(given.sum())
        if self.boolean:
            self.boolean = _flags(values).null_count() == values.null_count()
        if self.whole:
            whole = values.cast(pl.Int64, strict=False)
            self.whole = whole.null_count() == values.null_count()
        numbers = values.cast(pl.Float64, strict=False).is_not_null()
        self.numbers += int(numbers.sum())
        self.commas += int(values.str.contains(_COMMA).sum())
        if self.first_text is None and (given & ~numbers).any():
            row = int((given & ~numbers).arg_max() or 0)
            self.first_text = where(row), texts[row]

    def dtype(self) -> pl.DataType:
        """Return the type.

        Raises
        ------
        NotANumber, DecimalComma
            Not all values are numbers, but most, or all must be; or they have commas.
        """
        if self.kind == "category":
            return pl.String()
        if not self.values:
            return pl.Null()
        if self.boolean:
            return pl.Boolean()
        if self.first_text is None:
            return pl.Int64() if self.whole else pl.Float64()
        if 2 * self.commas > self.values:
            where, value = self.first_text
            raise DecimalComma(where=where, column=self.column, value=value)
        if 2 * self.numbers > self.values or self.kind is not None:
            where, value = self.first_text
            raise NotANumber(where=where, column=self.column, value=value)
        return pl.String()


def typed(texts: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return texts as values of the type that a `Guess` found for them."""
    if dtype == pl.String:
        return texts
    if dtype == pl.Boolean:
        return _flags(_bare(texts))
    return _bare(texts).cast(dtype)


def _bare(texts: pl.Series) -> pl.Series:
    bare = texts.str.strip_chars()
    return bare.set(bare.is_in(_MISSING), None)


def _flags(values: pl.Series) -> pl.Series:
    lower = values.str.to_lowercase()
    given = lower.is_in(["true", "false"])
    return (lower == "true").set(~given, None)
