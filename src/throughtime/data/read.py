"""From whatever people have to a data set."""

from dataclasses import fields, replace
from os import PathLike
from typing import Any, Final

from throughtime.data.datasets import Dataset, SequenceDataset, TextDataset
from throughtime.data.loading import is_bundled, load
from throughtime.data.reading import Reading
from throughtime.data.sources.opening import is_table, open_source
from throughtime.data.tables.assembling import assemble
from throughtime.data.tables.questions import steps_of
from throughtime.data.tables.roles import check_missing_items
from throughtime.errors import UnusedSetting

_PATH: Final = (str, PathLike)

# What may be said of a data set that is one already.
_OF_SEQUENCES: Final = ("missing",)
_OF_FORECASTS: Final = ("missing", "horizon", "difference")


def read(data: Any, reading: Reading | None = None) -> Dataset:
    """Read data of any kind.

    Parameters
    ----------
    data
        The name of a bundled data set; the path of a table: CSV, Parquet, Arrow, JSON
        Lines, `.npz`, `.ts` or svmlight, of a folder of such tables of one format, or a
        pattern such as `year-*.parquet`; the path of any other file, which is text; a
        frame of polars, pandas or Arrow; a list of arrays `(T_i, F)`, or one array
        `(N, T, F)`; a list of sparse matrices `(T_i, d)`, of `scipy.sparse` or of
        torch, whose steps name items; a data set.
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
    if not isinstance(data, _PATH):
        return assemble(*open_source(data, reading))
    if is_bundled(data):
        return _as_it_is(load(data), reading)
    if is_table(data):
        return assemble(*open_source(data, reading))
    text = load(data, split=reading.split)
    return _as_it_is(text, replace(reading, split=None))


def _as_it_is(dataset: Dataset, reading: Reading) -> Dataset:
    """Return a data set that knows its columns, as far as more may be said of it.

    Raises
    ------
    UnusedSetting
        Something is said that has no use.
    """
    free: tuple[str, ...] = ()
    if isinstance(dataset, SequenceDataset):
        free = _OF_FORECASTS if dataset.question.task == "forecast" else _OF_SEQUENCES
    default = Reading()
    for one in fields(Reading):
        given = getattr(reading, one.name)
        if given != getattr(default, one.name) and one.name not in free:
            reason = f"{dataset.name}, which is read in one way only"
            raise UnusedSetting(argument=one.name, given=given, reason=reason)
    if not isinstance(dataset, SequenceDataset):
        return dataset
    question = dataset.question
    if reading.horizon is not None:
        question = replace(question, horizon=steps_of(reading, "horizon"))
    if reading.difference is not None:
        question = replace(question, difference=steps_of(reading, "difference"))
    missing = dataset.missing if reading.missing == "error" else reading.missing
    if dataset.items is not None:
        check_missing_items(dataset.schema.items[0].name, missing)
    card = dataset.card
    if card is not None and question != dataset.question:
        card = replace(card, baselines={})  # those are of another question
    return replace(dataset, question=question, missing=missing, card=card)
