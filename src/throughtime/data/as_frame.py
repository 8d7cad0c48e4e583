"""A data set as the table that its rows would be in a file."""

import numpy as np
import polars as pl

from throughtime.data.datasets import SequenceDataset
from throughtime.data.schema import Column
from throughtime.data.sources.arrays import SEQUENCE
from throughtime.data.types import FloatArray


def as_frame(dataset: SequenceDataset) -> tuple[pl.DataFrame, str]:
    """Return all rows of a data set, categories by name, in the order of sequences.

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
    lengths = dataset.frames.lengths
    rows = np.concatenate(
        [dataset.frames.read(k, 0, int(length)) for k, length in enumerate(lengths)]
    )
    name = dataset.schema.sequence or SEQUENCE
    columns = {name: pl.Series(np.repeat(np.asarray(dataset.keys), lengths))}
    for place, column in enumerate(dataset.schema.columns):
        columns[column.name] = _values(rows[:, place], column)
    return pl.DataFrame(columns), name


def _values(numbers: FloatArray, column: Column) -> pl.Series:
    if column.kind != "category":
        return pl.Series(numbers).fill_nan(None)
    places = [
        None if number < 0 or number != number else int(number) for number in numbers
    ]
    names = [None if place is None else column.categories[place] for place in places]
    return pl.Series(names, dtype=pl.String)
