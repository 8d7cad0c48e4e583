"""Sparse matrices as X: sequences whose steps name a few of very many columns."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from throughtime.data import Column
from throughtime.data.items import Items
from throughtime.data.pieces import SEQUENCE, START, STOP
from throughtime.data.sources.items import ITEM, VALUE
from throughtime.data.store import MemoryStore
from throughtime.data.types import FloatArray, IntegerArray
from throughtime.errors import BadMatrices, NoItems

MOST_DIGITS: Final = 19
"""Fewer are a number of 64 bits, whatever they are."""


def item_columns(matrices: Sequence[Any], pieces: IntegerArray) -> tuple[Column, ...]:
    """Say which columns of X there are to learn, and that they have values.

    Parameters
    ----------
    matrices
        N matrices `(T_i, d)`, as CSR.
    pieces
        `(n, 4)`, the steps to learn from.

    Raises
    ------
    NoItems
        They name nothing.
    """
    named = [
        matrices[piece[SEQUENCE]][piece[START] : piece[STOP]].indices
        for piece in pieces.tolist()
    ]
    found = np.unique(np.concatenate(named))
    if not len(found):
        raise NoItems(source="X", column=ITEM)
    return columns_named(found)


def columns_named(places: IntegerArray) -> tuple[Column, ...]:
    """Give the columns of X at these places their numbers as names."""
    return Column(ITEM, "category", tuple(map(str, places.tolist()))), Column(VALUE)


def items_of(matrices: Sequence[Any], columns: Sequence[Column]) -> Items:
    """Lay the entries of all steps one after the other, by what the columns know.

    Parameters
    ----------
    matrices
        As in `item_columns`.
    columns
        What it gave, or what a run says: names that are no numbers stand for the
        columns of X in their order.

    Raises
    ------
    BadMatrices
        They have values, and items have none.
    """
    known = numbers_of(columns[0])
    lengths = [one.shape[0] for one in matrices]
    entries = np.concatenate([np.diff(one.indptr) for one in matrices])
    # A step that names nothing has a row that says so.
    counts = np.maximum(entries, 1)
    firsts = np.append(0, np.cumsum(counts))
    values = np.concatenate([one.data for one in matrices])
    rows: FloatArray = np.full((int(firsts[-1]), len(columns)), np.nan)
    given = np.repeat(entries > 0, counts)
    rows[given, 0] = _places(np.concatenate([one.indices for one in matrices]), known)
    if len(columns) > 1:
        rows[given, 1] = values
    elif (values != 1).any():
        raise BadMatrices(source="X", given="of other values than 1")
    store = MemoryStore(len(rows), len(columns), rows.dtype)
    store.write(0, rows)
    starts = np.cumsum(lengths) - lengths
    return Items(store, firsts, starts, len(known))


@lru_cache(maxsize=4)
def numbers_of(column: Column) -> IntegerArray:
    """Return which column of X each item is."""
    names = column.categories
    if column.name == ITEM and all(map(_is_number, names)):
        return np.array(names, np.int64)
    return np.arange(len(names))


def _is_number(name: str) -> bool:
    """Whether a name is how the number of a column is written."""
    return name.isdecimal() and len(name) < MOST_DIGITS and str(int(name)) == name


def _places(columns: IntegerArray, known: IntegerArray) -> FloatArray:
    """Return the place of each column among those that are known, or -1."""
    order = np.argsort(known)
    found = np.searchsorted(known, columns, sorter=order)
    found = order[np.minimum(found, len(known) - 1)]
    return np.where(known[found] == columns, found, -1).astype(np.float64)
