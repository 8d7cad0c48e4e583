"""Tables to a file, piece by piece: CSV, Parquet or JSON Lines by its ending."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import polars as pl
from polars.exceptions import PolarsError
from polars.io.plugins import register_io_source

from throughtime.errors import CannotWrite, FolderMissing, UnknownTableFormat

_WRITERS: dict[str, Callable[[pl.LazyFrame, IO[bytes]], object]] = {
    ".csv": pl.LazyFrame.sink_csv,
    ".parquet": pl.LazyFrame.sink_parquet,
    ".jsonl": pl.LazyFrame.sink_ndjson,
    ".ndjson": pl.LazyFrame.sink_ndjson,
}


def check_ending(path: str | os.PathLike[str]) -> Path:
    """Refuse a file whose ending names no format that is written, or without a folder.

    Raises
    ------
    UnknownTableFormat, FolderMissing
        It is so.
    """
    file = Path(path)
    if file.suffix.lower() not in _WRITERS:
        raise UnknownTableFormat(path=file, known=", ".join(_WRITERS))
    if not file.parent.is_dir():
        raise FolderMissing(path=file, folder=file.parent)
    return file


def write_table(
    path: str | os.PathLike[str],
    columns: Mapping[str, Any],
    pieces: Iterable[pl.DataFrame],
) -> None:
    """Write a table whole or not at all; only one piece of it is in memory.

    Parameters
    ----------
    path
        Where; the ending says the format. A file that is there is replaced.
    columns
        The name and polars type of each column.
    pieces
        The rows, in order.

    Raises
    ------
    UnknownTableFormat, FolderMissing, CannotWrite
        The ending is not known, there is no such folder, or the system does not let us.
    """
    file = check_ending(path)
    part = file.with_name(f".{file.name}.part")
    failure: list[BaseException] = []

    def give(*_: object) -> Iterator[pl.DataFrame]:
        # polars would wrap an error of the model's: it is kept, and raised as it was.
        try:
            yield from pieces
        except BaseException as error:
            failure.append(error)
            raise

    try:
        table = register_io_source(give, schema=dict(columns), is_pure=True)
        # Opened here: after a failure polars may go on for a moment, and by its name
        # it would make the file again.
        with part.open("wb") as target:
            _WRITERS[file.suffix.lower()](table, target)
        part.replace(file)
    except (OSError, PolarsError) as error:
        if failure:
            raise failure[0] from None
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise CannotWrite(path=file, reason=reason) from None
    finally:
        part.unlink(missing_ok=True)
