"""`.ts` files, the format of the UCR and UEA archives.

Lines that begin with `@` describe the sequences; after `@data` each line is one: its
channels separated by colons, the values of each by commas, `?` for a missing one, and
last, where the header says so, its class or its number.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from throughtime.data.sources.arrays import SEQUENCE
from throughtime.data.sources.paths import check_readable
from throughtime.data.sources.source import BATCH_ROWS, Batch
from throughtime.data.types import FloatArray
from throughtime.errors import BadTSFile, NotUTF8

#: The columns beside the channels.
TARGET: Final = "target"
SPLIT: Final = "split"

_TRAIN: Final = "_TRAIN"
_TEST: Final = "_TEST"
_MISSING: Final = "?"


class _Case(NamedTuple):
    """One sequence: `values` `(T, F)`, from a line of a file."""

    file: Path
    line: int
    values: FloatArray
    target: str | float | None

    @property
    def where(self) -> str:
        return f"{self.file}, line {self.line}"


class TSSource:
    """A `.ts` file, and the one with the test part beside it.

    Its columns are `sequence`, `x0`, `x1`, …, one for each channel, `target` where
    there is one, and `split` where there are two files.

    Parameters
    ----------
    file
        If its name ends in `_TRAIN.ts` and there is one that ends in `_TEST.ts`, both
        are read.
    with_targets
        Whether there shall be a target.
    with_split
        Whether there shall be a column for what is training and what is test.
    alone
        Whether the file beside it stays unread.

    Raises
    ------
    BadTSFile, NotUTF8, EmptyFile, UnreadableFile
        Something in a file is not as it should be.
    """

    def __init__(
        self,
        file: Path,
        with_targets: bool = True,
        with_split: bool = True,
        alone: bool = False,
    ) -> None:
        self.name = str(file)
        self._files = [file]
        partner = file.with_name(file.stem.removesuffix(_TRAIN) + _TEST + file.suffix)
        if file.stem.endswith(_TRAIN) and partner.exists() and not alone:
            check_readable(partner)
            self._files.append(partner)
        first = next(self._cases(), None)
        if first is None:
            raise BadTSFile(where=self.name, fault="has no sequence after `@data`")
        self._width = first.values.shape[1]
        self.has_target = with_targets and first.target is not None
        self.has_split = with_split and len(self._files) > 1
        self.dtypes: Mapping[str, pl.DataType] = self._frame([first]).schema

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Give all rows of these columns, in order."""
        held: list[_Case] = []
        number = rows = 0
        for case in self._cases():
            if case.values.shape[1] != self._width:
                width = case.values.shape[1]
                fault = f"has {width} channels, the first sequence {self._width}"
                raise BadTSFile(where=case.where, fault=fault)
            held.append(case)
            rows += len(case.values)
            if rows >= BATCH_ROWS:
                yield self._batch(held, number, columns)
                number, rows = number + len(held), 0
                held = []
        if held:
            yield self._batch(held, number, columns)

    def _batch(
        self, cases: Sequence[_Case], number: int, columns: Sequence[str]
    ) -> Batch:
        ends = np.cumsum([len(case.values) for case in cases])

        def where(row: int) -> str:
            return cases[int(np.searchsorted(ends, row, side="right"))].where

        return Batch(self._frame(cases, number).select(columns), where)

    def _frame(self, cases: Sequence[_Case], number: int = 0) -> pl.DataFrame:
        lengths = [len(case.values) for case in cases]
        values = np.concatenate([case.values for case in cases])
        columns = {SEQUENCE: np.repeat(np.arange(number, number + len(cases)), lengths)}
        columns |= {f"x{k}": values[:, k] for k in range(values.shape[1])}
        if self.has_target:
            targets = np.array([case.target for case in cases])
            columns[TARGET] = np.repeat(targets, lengths)
        if self.has_split:
            parts = [
                "train" if case.file == self._files[0] else "test" for case in cases
            ]
            columns[SPLIT] = np.repeat(parts, lengths)
        return pl.DataFrame(columns)

    def _cases(self) -> Iterator[_Case]:
        for file in self._files:
            try:
                yield from _read(file)
            except UnicodeDecodeError as error:
                raise NotUTF8(path=file, position=error.start) from None


def _read(file: Path) -> Iterator[_Case]:
    said: dict[str, str] = {}
    inside = False
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if inside:
                yield _case(file, number, line, said)
            elif line.startswith("@"):
                word, _, rest = line[1:].partition(" ")
                said[word.lower()] = rest.strip().lower()
                inside = word.lower() == "data"
            else:
                where = f"{file}, line {number}"
                raise BadTSFile(where=where, fault="stands before `@data`")
            if said.get("timestamps", "false") != "false":
                where = f"{file}, line {number}"
                raise BadTSFile(where=where, fault="says that there are time stamps")
    if not inside:
        raise BadTSFile(where=str(file), fault="has no line `@data`")


def _case(file: Path, number: int, line: str, said: Mapping[str, str]) -> _Case:
    where = f"{file}, line {number}"
    channels, target = line.split(":"), None
    classes = said.get("classlabel", "false").startswith("true")
    if classes or said.get("targetlabel", "false").startswith("true"):
        text = channels.pop().strip()
        target = text if classes else _numbers(where, text)[0].item()
    values = [_numbers(where, channel) for channel in channels]
    lengths = sorted({len(one) for one in values})
    if len(lengths) != 1:
        fault = f"has channels of {lengths} values" if lengths else "has no channel"
        raise BadTSFile(where=where, fault=fault)
    return _Case(file, number, np.stack(values, axis=1), target)


def _numbers(where: str, text: str) -> FloatArray:
    values = [value.strip() for value in text.split(",")]
    try:
        return np.array(
            [np.nan if value == _MISSING else float(value) for value in values]
        )
    except ValueError as error:
        fault = f"has a value that is no number ({error})"
        raise BadTSFile(where=where, fault=fault) from None
