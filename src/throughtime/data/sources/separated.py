"""CSV files: text, whose types are found by looking at every value."""

import csv
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Final

import polars as pl

from throughtime.data.schema import Kind
from throughtime.data.sources.guessing import Guess, typed
from throughtime.data.sources.scanned import batches_of
from throughtime.data.sources.source import Batch, row_of
from throughtime.errors import (
    DuplicateColumn,
    FilesDiffer,
    NoHeader,
    NoRows,
    NotATable,
    NotUTF8,
    RaggedRow,
    UnnamedColumn,
)

_SEPARATORS: Final = ",;\t|"
_FORMAT: Final = "CSV"
_BYTES: Final = 1 << 20


class SeparatedSource:
    """CSV files, one after the other, each with the names in its first line.

    Parameters
    ----------
    name
        What messages call them.
    files
        At least one.
    kinds
        What some columns must be.

    Raises
    ------
    DataError
        A file is not UTF-8, its rows differ in their number of fields, a name occurs
        twice, or text stands among numbers.
    """

    def __init__(
        self, name: str, files: Sequence[Path], kinds: Mapping[str, Kind]
    ) -> None:
        self.name = name
        self._files = {file: _separator(file) for file in files}
        names = [_header(file, by) for file, by in self._files.items()]
        for file, own in zip(files, names, strict=True):
            if set(own) != set(names[0]):
                raise FilesDiffer(
                    source=file,
                    given=", ".join(own),
                    first=files[0],
                    expected=", ".join(names[0]),
                )
        guesses = {name: Guess(name, kinds.get(name)) for name in names[0]}
        self._ends: dict[Path, int] = {}
        for file in self._files:
            done = end = 0
            for frame, where in self._texts_of(file, names[0]):
                for column, guess in guesses.items():
                    guess.look_at(frame[column], where)
                end = done + _end(frame) or end
                done += len(frame)
            self._ends[file] = end
        if not sum(self._ends.values()):
            raise NoRows(source=name)
        self.dtypes = {column: guess.dtype() for column, guess in guesses.items()}

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Give all rows of these columns, in order."""
        for file, end in self._ends.items():
            done = 0
            for frame, where in self._texts_of(file, columns):
                # What comes after the last row that holds anything is no row.
                rows = frame.head(max(0, end - done))
                series = [typed(rows[name], self.dtypes[name]) for name in columns]
                if len(rows):
                    yield Batch(pl.DataFrame(series), where)
                done += len(frame)

    def _texts_of(self, file: Path, columns: Sequence[str]) -> Iterator[Batch]:
        separator, done = self._files[file], 0
        scan = pl.scan_csv(file, separator=separator, infer_schema=False, glob=False)
        last = _header(file, separator)[-1]
        read = list(dict.fromkeys([*columns, last]))
        try:
            for frame in batches_of(scan.select(read), file, _FORMAT):
                if frame[last].has_nulls():
                    _check_fields(file, separator)
                yield Batch(frame.select(columns), row_of(str(file), done))
                done += len(frame)
        except NotATable:
            _check_encoding(file)
            _check_fields(file, separator)
            raise


def _end(frame: pl.DataFrame) -> int:
    """Return how many rows there are up to the last that holds anything, or 0.

    Alone in its row, a field that is empty is a value that is missing.
    """
    if frame.width == 1:
        return len(frame)
    given = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    places = given.arg_true()
    return int(places[-1]) + 1 if len(places) else 0


def _separator(file: Path) -> str:
    """Return what separates the names in the first line."""
    if file.suffix.lower() == ".tsv":
        return "\t"
    with file.open("rb") as opened:
        line = opened.readline(_BYTES).decode("utf-8", "replace")
    return max(_SEPARATORS, key=line.count)


def _header(file: Path, separator: str) -> list[str]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        try:
            names = next(csv.reader(opened, delimiter=separator), [])
        except (UnicodeDecodeError, csv.Error):
            _check_encoding(file)
            raise NotATable(
                source=file, format=_FORMAT, reason="its first line cannot be read"
            ) from None
    for name in names:
        if not name.strip():
            raise UnnamedColumn(source=file, number=names.index(name) + 1)
        if names.count(name) > 1:
            raise DuplicateColumn(source=file, column=name)
    if not names:
        raise NotATable(source=file, format=_FORMAT, reason="its first line is empty")
    # Whole numbers may be names, such as years.
    if all(map(_is_number, names)) and not all(name.isdigit() for name in names):
        raise NoHeader(source=file, first=", ".join(names[:3]))
    return names


def _is_number(name: str) -> bool:
    try:
        return isfinite(float(name))
    except ValueError:
        return False


def _check_encoding(file: Path) -> None:
    decoder = getincrementaldecoder("utf-8")()
    done = 0
    with file.open("rb") as opened:
        while block := opened.read(_BYTES):
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                position = done - held + error.start
                raise NotUTF8(path=file, position=position) from None
            done += len(block)
    if held := len(decoder.getstate()[0]):
        raise NotUTF8(path=file, position=done - held)


def _check_fields(file: Path, separator: str) -> None:
    """Refuse a row with more or fewer fields than the first line has."""
    blank = 0
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = csv.reader(opened, delimiter=separator)
        columns = len(next(rows))
        for number, row in enumerate(rows, 1):
            if not row and columns > 1:  # no harm at the end of the file
                blank = blank or number
            elif len(row) > columns or (any(row) and len(row) < columns):
                fault = number, len(row)
                break
            elif blank and any(row):
                fault = blank, 0
                break
        else:
            return
    raise RaggedRow(where=f"{file}, row {fault[0]}", fields=fault[1], columns=columns)
