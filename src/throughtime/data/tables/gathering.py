"""Rows that name items into steps: those of one time are one step."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from throughtime.data.items import Items
from throughtime.data.pieces import SEQUENCE, START, STOP
from throughtime.data.store import Store, new_store
from throughtime.data.tables.classes import Category, fit_categories
from throughtime.data.tables.coding import Coded
from throughtime.data.tables.keys import Keys
from throughtime.data.tables.laying import Laid
from throughtime.data.tables.stretches import sequence_of, stretches
from throughtime.data.types import FloatArray, IntegerArray
from throughtime.errors import NoItems, RowsOfAStepDiffer, UnsuitableColumn


def gather(laid: Laid, names: Sequence[str], width: int) -> tuple[Laid, Items]:
    """Make a step of all rows of one time; without times, of every row.

    Parameters
    ----------
    laid
        The rows; the first columns are the items and their values.
    names
        What the columns are called.
    width
        How many of them are of items.

    Returns
    -------
    laid : Laid
        The other columns, a row for each step; `rows` as before.
    items : Items
        Those of each step, as they were coded while reading.

    Raises
    ------
    RowsOfAStepDiffer
        Another column holds several values at one time.
    """
    firsts = _firsts(laid)
    edges = np.append(laid.starts, laid.frames.shape[0])
    counts = np.diff(np.searchsorted(firsts, edges))
    keys = replace(laid.keys, lengths=counts)
    dtype = laid.frames.read(0, 0).dtype
    own = new_store(laid.frames.shape[0], width, dtype, laid.in_memory)
    others = laid.frames.shape[1] - width
    frames = new_store(len(firsts), others, dtype, laid.in_memory)
    for part in stretches(laid.frames, laid.starts):
        own.write(part.start, part.rows[:, :width])
        begin, end = np.searchsorted(firsts, [part.start, part.start + len(part.rows)])
        first = firsts[begin:end] - part.start
        inside = np.ones(len(part.rows), np.bool_)
        inside[first] = False
        differ = _differ(part.rows[:, width:], part.before[:, width:]) & inside[:, None]
        if differ.any():
            row, column = np.argwhere(differ)[0].tolist()
            _refuse(laid, part.start + row, names[width + column], firsts)
        frames.write(int(begin), part.rows[first, width:])
    gathered = replace(
        laid,
        keys=keys,
        frames=frames,
        parts=None if laid.parts is None else laid.parts.of(keys),
    )
    starts = np.cumsum(counts) - counts
    return gathered, Items(own, np.append(firsts, laid.frames.shape[0]), starts, 0)


def fit_items(
    items: Items, keys: Keys, train: IntegerArray, column: Coded
) -> tuple[Items, tuple[str, ...]]:
    """Give every item its place among those of the training part.

    Parameters
    ----------
    items
        As they were coded while reading.
    keys
        The sequences, with their rows.
    train
        `(m, 4)`, the pieces of the training part, in steps.
    column
        How items were coded.

    Returns
    -------
    items : Items
        With their places.
    known : tuple of str
        What they are called.

    Raises
    ------
    UnsuitableColumn, NoItems
        Items are fractions, or training names none.
    """
    if column.kind == "number" and not column.whole:
        raise UnsuitableColumn(
            source=column.source,
            column=column.name,
            dtype="fractions",
            advice="names or whole numbers as items",
        )
    rows = train.copy()
    for piece in rows:
        bounds = items.bounds(piece[SEQUENCE], 0, piece[STOP])
        piece[START], piece[STOP] = bounds[[piece[START], piece[STOP]]] - bounds[0]
    category = Category(0, column, is_predicted=False, is_target=False)
    known = fit_categories(items.rows, keys, rows, [category])[column.name]
    if not known:
        raise NoItems(source=column.source, column=column.name)
    return replace(items, size=len(known)), known


def _firsts(laid: Laid) -> IntegerArray:
    """Return the first row of each step."""
    times: Store | None = laid.times
    if times is None:
        return np.arange(laid.frames.shape[0])
    found = [np.empty(0, np.int64)]
    for part in stretches(times, laid.starts):
        new = ~part.inside | (part.rows != part.before)[:, 0]
        found.append(part.start + np.flatnonzero(new))
    return np.concatenate(found)


def _differ(rows: FloatArray, before: FloatArray) -> npt.NDArray[np.bool_]:
    return (rows != before) & ~(np.isnan(rows) & np.isnan(before))


def _refuse(laid: Laid, row: int, column: str, firsts: IntegerArray) -> None:
    sequence = sequence_of(row, laid.starts)
    step = int(np.searchsorted(firsts, row, side="right")) - 1
    first = int(np.searchsorted(firsts, laid.starts[sequence]))
    key = laid.keys.names[sequence]
    raise RowsOfAStepDiffer(column=column, step=step - first, key=key)
