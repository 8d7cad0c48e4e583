"""The source of what was given, and what it already says of its columns."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import narwhals as nw
import numpy as np
import polars as pl

from throughtime.data.question import ABOUT_THE_FUTURE
from throughtime.data.reading import Missing, Reading
from throughtime.data.schema import Kind
from throughtime.data.sources.arrays import SEQUENCE, array_source
from throughtime.data.sources.items import (
    ITEM,
    STEP,
    VALUE,
    is_sparse,
    sparse_source,
)
from throughtime.data.sources.json_lines import LinesSource
from throughtime.data.sources.numpy_files import numpy_source
from throughtime.data.sources.paths import find_files, format_of, is_pattern
from throughtime.data.sources.scanned import ScannedSource
from throughtime.data.sources.separated import SeparatedSource
from throughtime.data.sources.source import FrameSource, Source
from throughtime.data.sources.svmlight_files import svmlight_source
from throughtime.data.sources.ts_files import SPLIT, TARGET, TSSource
from throughtime.errors import NotADataSource, UnusedSetting

_FRAME: Final = "the frame"
_PATH: Final = (str, os.PathLike)


def is_table(data: Any) -> bool:
    """Whether a path leads to tables, by its ending; a folder or pattern does."""
    if not isinstance(data, _PATH):
        return False
    path = Path(os.fspath(data))
    try:
        several = is_pattern(str(path)) or path.is_dir()
    except (OSError, ValueError):  # a name that the system does not allow
        return False
    return several or format_of(path) is not None


def open_source(data: Any, reading: Reading) -> tuple[Source, Reading]:
    """Find the source of data.

    Parameters
    ----------
    data
        The path of a table, a frame, or arrays.
    reading
        What a person said.

    Returns
    -------
    source : Source
        The table.
    reading : Reading
        With the names of the columns that the source knows itself.

    Raises
    ------
    DataError
        It cannot be read; the message says why and what to do.
    """
    if isinstance(data, _PATH):
        return _open_files(os.fspath(data), reading)
    if is_sparse(data):
        matrices = sparse_source("the matrices", data, reading.target)
        return _open_items(matrices, replace(reading, target=None))
    if isinstance(data, (np.ndarray, list, tuple)):
        # What the future is asked of are columns; else targets are arrays.
        asks_future = reading.task in ABOUT_THE_FUTURE
        target = None if asks_future else reading.target
        source = array_source("the arrays", data, target)
        reading = reading if asks_future else replace(reading, target=None)
        return source, own(source, reading, source.target_names)
    return frame_source(data), reading


def _open_files(path: str, reading: Reading) -> tuple[Source, Reading]:
    files, format = find_files(path)
    with_targets = reading.task not in ABOUT_THE_FUTURE
    if format == "CSV":
        return SeparatedSource(path, files, _texts(reading)), reading
    if format == "NumPy":
        source = numpy_source(files[0], with_targets)
        return source, own(source, reading, source.target_names)
    if format == "TS":
        source = TSSource(files[0], with_targets, reading.split in (None, SPLIT))
        if source.has_split:
            reading = replace(reading, split=SPLIT)
        return source, own(source, reading, (TARGET,) if source.has_target else ())
    if format == "svmlight":
        return _open_items(svmlight_source(files[0]), reading)
    if format == "JSON Lines":
        return LinesSource(path, files), reading
    return ScannedSource(path, files, format), reading


def _texts(reading: Reading) -> dict[str, Kind]:
    """Say which columns stay as they are written: items are names, not numbers."""
    items = reading.items
    if not items:
        return {}
    if isinstance(items, str):
        return dict.fromkeys((items, items.rsplit(":", 1)[0]), "category")
    return {items[0]: "category"}


def _open_items(source: FrameSource, reading: Reading) -> tuple[Source, Reading]:
    """Add what such a file says itself: all but the question."""
    said = {"time": reading.time, "items": reading.items}
    for argument, given in said.items():
        if given is not None:
            reason = f"{source.name}, which says its {argument} itself"
            raise UnusedSetting(argument=argument, given=given, reason=reason)
    columns = {SEQUENCE, STEP, ITEM, VALUE}
    targets = tuple(name for name in source.dtypes if name not in columns)
    reading = own(source, reading, targets)
    without = source.frame[ITEM].has_nulls() and reading.missing == "error"
    missing: Missing = "zero" if without else reading.missing
    return source, replace(reading, time=STEP, items=(ITEM, VALUE), missing=missing)


def own(source: Source, reading: Reading, targets: Sequence[str]) -> Reading:
    """Add what the source itself says: it numbers its sequences, and knows targets.

    Raises
    ------
    UnusedSetting
        Something else was said.
    """
    said = {"sequence": reading.sequence, "target": reading.target if targets else None}
    for argument, given in said.items():
        if given is not None:
            reason = f"{source.name}, which says its {argument} itself"
            raise UnusedSetting(argument=argument, given=given, reason=reason)
    return replace(reading, sequence=SEQUENCE, target=targets or reading.target)


def frame_source(data: Any) -> FrameSource:
    """Make a source of a frame of any library that narwhals knows.

    Raises
    ------
    NotADataSource
        It is none.
    """
    if isinstance(data, pl.DataFrame):
        return FrameSource(_FRAME, data)
    frame = nw.from_native(data, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        raise NotADataSource(kind=type(data).__name__)
    if not frame.implementation.is_pandas_like():
        return FrameSource(_FRAME, frame.to_polars())
    # Polars reads frames of pandas through pyarrow, which may be missing.
    columns = [series_of(frame[name]) for name in frame.columns]
    return FrameSource(_FRAME, pl.DataFrame(columns))


def series_of(column: nw.Series[Any]) -> pl.Series:
    """Return a column of a frame as one of polars, value by value where it must be."""
    if column.dtype.is_numeric() or column.dtype == nw.Boolean:
        plain = column.to_numpy()
        if plain.dtype != object:
            return pl.Series(column.name, plain)
    # pandas marks what is missing among texts by NaN.
    missing = column.is_null().to_list()
    pairs = zip(column.to_list(), missing, strict=True)
    values = [None if empty else value for value, empty in pairs]
    return pl.Series(column.name, values, strict=False)
