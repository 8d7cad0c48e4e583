"""JSON Lines files, some lines at a time."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from throughtime.data.sources.guessing import Guess
from throughtime.data.sources.scanned import ScannedSource, common, readable
from throughtime.data.sources.source import row_of
from throughtime.errors import NoRows, NotATable

_FORMAT: Final = "JSON Lines"
_BYTES: Final = 1 << 23


class LinesSource(ScannedSource):
    """JSON Lines files, one after the other, each line an object with names.

    Polars would map such files, whose pages then count as memory of the process.

    Parameters
    ----------
    name
        What messages call them.
    files
        At least one.

    Raises
    ------
    NotATable, FilesDiffer, NoRows, NotANumber
        A file is damaged, has other columns than the first, or no line, or a text
        stands among numbers.
    """

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        super().__init__(name, files, _FORMAT)

    def _types_of(self, file: Path) -> Mapping[str, pl.DataType]:
        types: dict[str, pl.DataType] = {}
        guesses: dict[str, Guess] = {}
        done = 0
        for block in _blocks(file):
            with readable(file, _FORMAT):
                # Every line is looked at: the first may be whole numbers by chance.
                frame = pl.read_ndjson(block, infer_schema_length=None)
            for name, dtype in frame.schema.items():
                if dtype == pl.String:
                    guess = guesses.setdefault(name, Guess(name))
                    guess.look_at(frame[name], row_of(str(file), done))
                both = common(types.get(name, dtype), dtype)
                if both is None:
                    reason = f"column {name!r} holds {types[name]} and {dtype}"
                    raise NotATable(source=file, format=_FORMAT, reason=reason)
                types[name] = both
            done += len(frame)
        if not types:
            raise NoRows(source=file)
        for guess in guesses.values():
            guess.dtype()  # refuses text among numbers
        return types

    def _frames(
        self, file: Path, types: Mapping[str, pl.DataType], columns: Sequence[str]
    ) -> Iterator[pl.DataFrame]:
        for block in _blocks(file):
            with readable(file, _FORMAT):
                frame = pl.read_ndjson(block, schema=pl.Schema(types))
            yield frame.select(columns)


def _blocks(file: Path) -> Iterator[bytes]:
    """Give whole lines, about as many bytes as a block has."""
    with readable(file, _FORMAT), file.open("rb") as opened:
        while block := opened.read(_BYTES):
            block += opened.readline()
            if block.strip():
                yield block
