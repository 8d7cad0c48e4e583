"""The source of what was given, and what it already says of its columns."""

from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from throughtime.data.reading import Reading
from throughtime.data.sources.arrays import SEQUENCE, array_source
from throughtime.data.sources.source import FrameSource, Source
from throughtime.errors import NotADataSource, SettingWithoutUse


def open_source(data: Any, reading: Reading) -> tuple[Source, Reading]:
    """Find the source of data.

    Parameters
    ----------
    data
        A frame or arrays.
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
    NotADataSource, BadArrays, TargetShapeMismatch
        It is none.
    """
    if isinstance(data, pl.LazyFrame):
        data = data.collect(engine="streaming")
    if isinstance(data, pl.DataFrame):
        return FrameSource("the frame", data), reading
    if isinstance(data, (np.ndarray, list, tuple)):
        return _open_arrays(data, reading)
    frame = nw.from_native(data, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        raise NotADataSource(kind=type(data).__name__)
    return FrameSource("the frame", frame.to_polars()), reading


def _open_arrays(data: Any, reading: Reading) -> tuple[Source, Reading]:
    source = array_source("the arrays", data, reading.target)
    if reading.sequence is not None:
        raise SettingWithoutUse(
            argument="sequence",
            given=reading.sequence,
            source=source.name,
            fact="are one sequence each",
        )
    targets = source.target_names or None
    return source, replace(reading, sequence=SEQUENCE, target=targets)
