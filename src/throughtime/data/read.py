"""From whatever people have to a data set."""

from dataclasses import fields, replace
from os import PathLike
from typing import Any, Final

from throughtime.data.datasets import Dataset, SequenceDataset, TextDataset
from throughtime.data.loading import load
from throughtime.data.reading import Reading
from throughtime.data.sources.opening import is_table, open_source
from throughtime.data.tables.assembling import assemble
from throughtime.data.tables.questions import steps_of
from throughtime.errors import SettingOfTables

_PATH: Final = (str, PathLike)

# What may be said of any data: how to draw, to fill, and to hold them.
_GENERAL: Final = ("seed", "memory", "missing")
_AHEAD: Final = ("horizon", "difference")


def read(data: Any, reading: Reading | None = None) -> Dataset:
    """Read data of any kind.

    Parameters
    ----------
    data
        The name of a bundled data set; the path of a table: CSV, Parquet, Arrow, JSON
        Lines, `.npz` or `.ts`, of a folder of such tables of one format, or a pattern
        such as `year-*.parquet`; the path of any other file, which is text; a frame
        of polars, pandas or Arrow; a list of arrays `(T_i, F)`, or one array
        `(N, T, F)`; a data set.
    reading
        What is known of them; by default everything follows from the data.

    Returns
    -------
    SequenceDataset or TextDataset
        The order of the rows in a file does not matter where there is a time column,
        nor which sequence comes first.

    Raises
    ------
    DataError
        The data cannot be used; the message says why and what to do.
    """
    reading = Reading() if reading is None else reading
    if isinstance(data, SequenceDataset | TextDataset):
        return _as_it_is(data, reading)
    if is_table(data) or not isinstance(data, _PATH):
        return assemble(*open_source(data, reading))
    return _as_it_is(load(data), reading)


def _as_it_is(dataset: Dataset, reading: Reading) -> Dataset:
    """Return a data set that knows its columns; of a forecast, as far as asked.

    Raises
    ------
    SettingOfTables
        Something is said that it does not need.
    """
    forecasts = (
        isinstance(dataset, SequenceDataset) and dataset.question.task == "forecast"
    )
    default = Reading()
    for one in fields(Reading):
        given = getattr(reading, one.name)
        free = one.name in _GENERAL or (forecasts and one.name in _AHEAD)
        if given != getattr(default, one.name) and not free:
            raise SettingOfTables(
                argument=one.name,
                given=given,
                source=dataset.name,
                fact="is a text" if isinstance(dataset, TextDataset) else "knows it",
            )
    if not isinstance(dataset, SequenceDataset) or not forecasts:
        return dataset
    question = dataset.question
    if reading.horizon is not None:
        question = replace(question, horizon=steps_of(reading, "horizon"))
    if reading.difference is not None:
        question = replace(question, difference=steps_of(reading, "difference"))
    return replace(dataset, question=question)
