"""Answers to new data, written beside the rows that were asked."""

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from throughtime.data import (
    NewRows,
    Reading,
    check_ending,
    read_like,
    write_table,
)
from throughtime.data.loading import is_bundled
from throughtime.data.pieces import SEQUENCE, STOP
from throughtime.data.sources.paths import find_files
from throughtime.errors import OverwritesData, PredictsNoText
from throughtime.train.model import Model
from throughtime.train.preparing.outputs import Classes, Labels
from throughtime.train.runs import Run
from throughtime.train.tasks import OfSequences

Array = npt.NDArray[Any]
_HALF = 0.5


def predict(run: Run, data: Any, out: str | os.PathLike[str]) -> int:
    """Write what the model of a run says to new data.

    Each row has the columns that name its sequence and its time, and the answer:
    of classes and symbols the likeliest and all probabilities, ``p(class)``; of labels
    whether each is likelier than not, and ``p(label)``; real numbers in their units. An
    answer per step stands beside its step, in the order of the rows; an answer per
    sequence is one row, in the order in which the sequences begin.

    Parameters
    ----------
    run
        The run.
    data
        As `fit` takes them, with the columns of the training; targets are not needed.
    out
        Where to write: `.csv`, `.parquet` or `.jsonl` by its ending. A file that is
        there is replaced, once all is written.

    Returns
    -------
    int
        The number of rows written.

    Raises
    ------
    ThroughtimeError
        The data or the file cannot be used; the message says why and what to do.
    """
    _keep_data(data, check_ending(out))
    if run.of_text:
        raise PredictsNoText(run=run.path)
    model = run.model
    reading = Reading(missing=model.reader.missing, memory=run.reading.memory)
    rows = read_like(data, model.schema, model.question, reading)
    if model.question.per == "sequence":
        return _write_sequences(run, rows, out)
    return _write_steps(run, rows, out)


def _keep_data(data: Any, out: Path) -> None:
    """Refuse to write over what is read."""
    is_path = isinstance(data, (str, os.PathLike)) and not is_bundled(data)
    if not is_path or not out.is_file():
        return
    files, _ = find_files(os.fspath(data))
    if any(file.samefile(out) for file in files):
        raise OverwritesData(path=str(out))


def _write_sequences(run: Run, rows: NewRows, out: str | os.PathLike[str]) -> int:
    model = run.model
    answers = np.empty((len(rows.dataset.keys), len(model.labels)))
    for pieces, outputs in _answers(run, rows):
        answers[pieces[:, SEQUENCE]] = outputs
    order = rows.order
    name = rows.dataset.schema.sequence or "sequence"
    keys = pl.DataFrame({name: [rows.dataset.keys[place] for place in order]})
    dtype = rows.source.dtypes.get(name)
    if dtype is not None and dtype.is_integer():  # as beside answers per step
        keys = keys.cast(dtype)
    table = pl.concat([keys, answered(model, answers[order])], how="horizontal")
    write_table(out, table.schema, [table])
    return len(table)


def _write_steps(run: Run, rows: NewRows, out: str | os.PathLike[str]) -> int:
    model = run.model
    room = rows.room(len(model.labels))
    for pieces, outputs in _answers(run, rows):
        for place, piece in enumerate(pieces.tolist()):
            rows.put(room, piece[SEQUENCE], 0, outputs[: piece[STOP], place])

    def tables() -> Iterator[pl.DataFrame]:
        done = 0
        for keys, answers in rows.in_order(room):
            if not keys.width:
                numbers = np.arange(done, done + len(answers)) + 1
                keys = pl.DataFrame({"row": numbers})
            done += len(answers)
            table = answered(model, answers)
            yield pl.concat([keys, table], how="horizontal")

    written = tables()
    first = next(written)
    write_table(out, first.schema, chain([first], written))
    return room.shape[0]


def _answers(run: Run, rows: NewRows) -> Iterator[tuple[Array, Array]]:
    """Give pieces, each a whole sequence, and their answers, batch by batch."""
    task = OfSequences(rows.dataset, run.settings)
    for pieces, outputs, _ in task.answered(run.model, "test"):
        yield pieces, outputs.cpu().numpy()


def answered(model: Model, outputs: Array) -> pl.DataFrame:
    """Say answers as columns.

    Parameters
    ----------
    model
        Whose they are.
    outputs
        `(n, K)`, as the model gives them.
    """
    output = model.output
    if isinstance(output, Classes):
        columns = _classes(output, outputs, ahead=model.question.task == "next")
    elif isinstance(output, Labels):
        likely = outputs >= _HALF
        columns = {name: likely[:, k] for k, name in enumerate(output.labels)}
    else:
        return pl.DataFrame(dict(zip(output.labels, outputs.T, strict=True)))
    shares = {f"p({name})": outputs[:, k] for k, name in enumerate(output.labels)}
    return pl.DataFrame({**columns, **shares})


def _classes(output: Classes, outputs: Array, *, ahead: bool) -> dict[str, Any]:
    """Name the likeliest class of each column."""
    found: dict[str, Any] = {}
    start = 0
    for column, size in zip(output.columns, output.sizes, strict=True):
        best = outputs[:, start : start + size].argmax(axis=1)
        name = f"next {column.name}" if ahead else column.name
        found[name] = np.array(column.categories)[best].tolist()
        start += size
    return found
