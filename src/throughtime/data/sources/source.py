"""What every source of rows can do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import polars as pl

#: Rows of a batch: many enough that work on a batch is not lost in its beginning.
BATCH_ROWS: Final = 65_536


class Batch(NamedTuple):
    """Some rows, and a function that says in words where one of them stands."""

    frame: pl.DataFrame
    where: Callable[[int], str]


class Source(Protocol):
    """A table that is read in batches."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def dtypes(self) -> Mapping[str, pl.DataType]:
        """The type of each column, in order."""

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Give all rows of these columns, in order."""


@dataclass(frozen=True)
class FrameSource:
    """A frame of polars.

    Parameters
    ----------
    name
        What messages call it.
    frame
        The rows.
    """

    name: str
    frame: pl.DataFrame

    @property
    def dtypes(self) -> Mapping[str, pl.DataType]:
        """The type of each column, in order."""
        return self.frame.schema

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Give all rows of these columns, in order."""
        chosen = self.frame.select(columns)
        for start in range(0, len(chosen), BATCH_ROWS):
            where = row_of(self.name, start)
            yield Batch(chosen.slice(start, BATCH_ROWS), where)


def row_of(name: str, first: int) -> Callable[[int], str]:
    """Return what names the rows of a batch that starts at row `first` of a table."""
    return lambda row: f"{name}, row {first + row + 1}"
