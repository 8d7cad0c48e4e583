"""The source of new data, for a schema that is known."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from throughtime.data.as_frame import as_frame
from throughtime.data.datasets import SequenceDataset, TextDataset
from throughtime.data.loading import is_bundled, load
from throughtime.data.reading import Reading
from throughtime.data.schema import Column, Schema
from throughtime.data.sources.arrays import ArraySource, array_source
from throughtime.data.sources.items import (
    ITEM,
    STEP,
    VALUE,
    is_sparse,
    sparse_source,
)
from throughtime.data.sources.json_lines import LinesSource
from throughtime.data.sources.numpy_files import numpy_source
from throughtime.data.sources.opening import frame_source, own
from throughtime.data.sources.paths import find_files
from throughtime.data.sources.scanned import ScannedSource
from throughtime.data.sources.separated import SeparatedSource
from throughtime.data.sources.source import FrameSource, Source
from throughtime.data.sources.svmlight_files import svmlight_source
from throughtime.data.sources.ts_files import TSSource
from throughtime.errors import SchemaMismatch


def open_known(
    data: Any, schema: Schema, reading: Reading, targets: Sequence[Column]
) -> tuple[Source, Reading]:
    """Find the source of new data.

    Parameters
    ----------
    data
        The path of a table, the name of a bundled data set, a frame, arrays, or a data
        set.
    schema
        What the columns must be.
    reading
        What a person said.
    targets
        The columns that are no features and shall be read.

    Raises
    ------
    DataError
        It cannot be read; the message says why and what to do.
    """
    if is_bundled(data):
        data = load(data)
    if isinstance(data, TextDataset):
        raise SchemaMismatch(source=data.name, fault="is a text", expected="a table")
    if isinstance(data, SequenceDataset):
        frame, sequence = as_frame(data)
        if data.items is not None:
            reading = replace(reading, time=data.schema.time or STEP)
        return FrameSource(data.name, frame), replace(reading, sequence=sequence)
    if isinstance(data, (str, os.PathLike)):
        return _open_files(os.fspath(data), schema, reading, targets)
    if is_sparse(data):
        given = reading.target if targets else None
        matrices = sparse_source("the matrices", data, given)
        return _open_items(matrices, schema, replace(reading, target=None))
    if isinstance(data, (np.ndarray, list, tuple)):
        source = array_source("the arrays", data, reading.target if targets else None)
        return _renamed(source, schema, targets), own(source, reading, ())
    return frame_source(data), reading


def _open_files(
    path: str, schema: Schema, reading: Reading, targets: Sequence[Column]
) -> tuple[Source, Reading]:
    files, format = find_files(path)
    if format == "CSV":
        columns = (*schema.items, *schema.columns)
        kinds = {column.name: column.kind for column in columns}
        return SeparatedSource(path, files, kinds), reading
    if format == "NumPy":
        source = numpy_source(files[0], bool(targets))
        return _renamed(source, schema, targets), own(source, reading, ())
    if format == "TS":
        alone = TSSource(files[0], bool(targets), alone=True)
        return alone, own(alone, reading, ())
    if format == "svmlight":
        return _open_items(svmlight_source(files[0]), schema, reading)
    if format == "JSON Lines":
        return LinesSource(path, files), reading
    return ScannedSource(path, files, format), reading


def _open_items(
    source: FrameSource, schema: Schema, reading: Reading
) -> tuple[Source, Reading]:
    """Give items the names of the schema's columns; a step may name nothing.

    Raises
    ------
    SchemaMismatch
        The values say something that training knew nothing of.
    """
    names = dict(zip((ITEM, VALUE), (one.name for one in schema.items), strict=False))
    if VALUE not in names and (source.frame[VALUE].drop_nulls() != 1).any():
        fault = "gives items other values than 1"
        raise SchemaMismatch(source=source.name, fault=fault, expected="items alone")
    if source.frame[ITEM].has_nulls():
        reading = replace(reading, missing="zero")
    renamed = replace(source, frame=source.frame.rename(names))
    return renamed, replace(own(renamed, reading, ()), time=STEP)


def _renamed(
    source: ArraySource, schema: Schema, targets: Sequence[Column]
) -> ArraySource:
    """Give the columns of arrays the names of the schema, by their order.

    Raises
    ------
    SchemaMismatch
        There are more or fewer of them.
    """
    features = [
        column.name
        for column in schema.columns
        if column in schema.features or column not in schema.targets
    ]
    if not set(features) <= set(source.features):
        _check_count(source, "columns", len(source.features), len(features))
        source = replace(source, names=tuple(features))
    if source.targets is not None:
        _check_count(source, "targets", len(source.target_names), len(targets))
        names = tuple(column.name for column in targets)
        source = replace(source, target_names=names)
    return source


def _check_count(source: Source, what: str, given: int, expected: int) -> None:
    if given != expected:
        raise SchemaMismatch(
            source=source.name, fault=f"has {given} {what} a step", expected=expected
        )
