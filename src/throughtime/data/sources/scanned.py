"""Files that know their types: Parquet and Arrow, read batch by batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from throughtime.data.sources.source import BATCH_ROWS, Batch, row_of
from throughtime.errors import FilesDiffer, NotATable, UnreadableFile

_SCANS: Final[Mapping[str, Callable[[Path], pl.LazyFrame]]] = {
    "Parquet": lambda file: pl.scan_parquet(file, glob=False),
    "Arrow": lambda file: pl.scan_ipc(file, glob=False),
    "Arrow stream": lambda file: pl.read_ipc_stream(file).lazy(),
}


class ScannedSource:
    """Files of one format, one after the other.

    Parameters
    ----------
    name
        What messages call them.
    files
        At least one.
    format
        One of those that polars knows the types of.

    Raises
    ------
    NotATable, FilesDiffer
        A file is damaged, or has other columns than the first.
    """

    def __init__(self, name: str, files: Sequence[Path], format: str) -> None:
        self.name = name
        self._files, self._format = files, format
        self._own = [self._types_of(file) for file in files]
        self.dtypes = dict(self._own[0])
        for file, types in zip(files[1:], self._own[1:], strict=True):
            self.dtypes = merge(self.dtypes, types, file, files[0])

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Give all rows of these columns, in order."""
        wanted = pl.Schema({name: self.dtypes[name] for name in columns})
        for file, own in zip(self._files, self._own, strict=True):
            done = 0
            for frame in self._frames(file, own, columns):
                yield Batch(frame.cast(wanted), row_of(str(file), done))
                done += len(frame)

    def _types_of(self, file: Path) -> Mapping[str, pl.DataType]:
        with readable(file, self._format):
            return _SCANS[self._format](file).collect_schema()

    def _frames(
        self, file: Path, types: Mapping[str, pl.DataType], columns: Sequence[str]
    ) -> Iterator[pl.DataFrame]:
        scan = _SCANS[self._format](file).select(columns)
        yield from batches_of(scan, file, self._format)


def batches_of(scan: pl.LazyFrame, file: Path, format: str) -> Iterator[pl.DataFrame]:
    """Give the rows of one file, of which only some are in memory at a time.

    Raises
    ------
    NotATable
        The file is damaged.
    """
    with readable(file, format):
        batches = scan.collect_batches(chunk_size=BATCH_ROWS, engine="streaming")
    while True:
        with readable(file, format):
            frame = next(batches, None)
        if frame is None:
            return
        if len(frame):
            yield frame


@contextmanager
def readable(file: Path, format: str) -> Iterator[None]:
    """Turn what polars says of a file into one sentence.

    Raises
    ------
    NotATable, UnreadableFile
        What it becomes.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _damaged(file, format, error) from None
    except OSError as error:
        if error.errno is None:  # the file ends before its content does
            raise _damaged(file, format, error) from None
        raise UnreadableFile(path=file, reason=error.strerror) from None


def _damaged(file: Path, format: str, error: BaseException) -> NotATable:
    first = str(error).strip().partition("\n")[0]
    reason = first.rstrip(".:").replace(". ", ", ")
    return NotATable(source=file, format=format, reason=reason)


def merge(
    known: Mapping[str, pl.DataType],
    given: Mapping[str, pl.DataType],
    file: Path,
    first: Path,
) -> dict[str, pl.DataType]:
    """Return types that hold the columns of both files.

    Raises
    ------
    FilesDiffer
        There are none.
    """
    merged: dict[str, pl.DataType] = {}
    for name, dtype in known.items():
        other = given.get(name)
        both = None if other is None else common(dtype, other)
        if both is None or len(known) != len(given):
            raise FilesDiffer(
                source=file,
                given=_described(given),
                first=first,
                expected=_described(known),
            )
        merged[name] = both
    return merged


def common(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """Return a type that holds the values of both, or None."""
    if one == other or other == pl.Null:
        return one
    if one == pl.Null:
        return other
    if one.is_numeric() and other.is_numeric():
        whole = one.is_integer() and other.is_integer()
        return pl.Int64() if whole else pl.Float64()
    texts = (pl.String, pl.Categorical, pl.Enum)
    return pl.String() if one in texts and other in texts else None


def _described(dtypes: Mapping[str, pl.DataType]) -> str:
    return ", ".join(f"{name} ({dtype})" for name, dtype in list(dtypes.items())[:20])
