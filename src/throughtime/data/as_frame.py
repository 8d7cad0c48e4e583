"""A data set as the table that its rows would be in a file."""

from typing import Final

import numpy as np
import polars as pl

from throughtime.data.datasets import SequenceDataset
from throughtime.data.schema import Column
from throughtime.data.sources.arrays import SEQUENCE
from throughtime.data.sources.items import STEP
from throughtime.data.types import FloatArray

#: What an item is called that training did not know.
STRANGE: Final = "\ufffd"


def as_frame(dataset: SequenceDataset) -> tuple[pl.DataFrame, str]:
    """Return all rows of a data set, categories by name, in the order of sequences.

    Where steps name items, there is a row for each of them, with a column that says its
    time, the number of its step.

    Parameters
    ----------
    dataset
        All of it comes into memory.

    Returns
    -------
    frame : polars.DataFrame
        A column for each of the schema, and one that says which sequence a row is of.
    sequence : str
        The name of that one.
    """
    lengths, items, schema = dataset.frames.lengths, dataset.items, dataset.schema
    rows = np.concatenate(
        [dataset.frames.read(k, 0, int(length)) for k, length in enumerate(lengths)]
    )
    name = schema.sequence or SEQUENCE
    columns = {name: pl.Series(np.repeat(np.asarray(dataset.keys), lengths))}
    for place, column in enumerate(schema.columns):
        columns[column.name] = _values(rows[:, place], column)
    frame = pl.DataFrame(columns)
    if items is None:
        return frame, name
    steps = np.concatenate([np.arange(length) for length in lengths])
    counts = np.diff(items.firsts)
    frame = frame.with_columns(pl.Series(schema.time or STEP, steps))
    frame = frame[np.repeat(np.arange(len(steps)), counts)]
    named = items.rows.read(0, items.rows.shape[0])
    columns = {
        column.name: _values(named[:, place], column)
        for place, column in enumerate(schema.items)
    }
    item = schema.items[0].name
    strange = pl.Series(named[:, 0] == -1)
    columns[item] = columns[item].set(strange, STRANGE)
    return frame.with_columns(**columns), name


def _values(numbers: FloatArray, column: Column) -> pl.Series:
    if column.kind != "category":
        return pl.Series(numbers).fill_nan(None)
    places = [
        None if number < 0 or number != number else int(number) for number in numbers
    ]
    names = [None if place is None else column.categories[place] for place in places]
    return pl.Series(names, dtype=pl.String)
