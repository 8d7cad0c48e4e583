"""Categories, known from the training part alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from throughtime.data.pieces import SEQUENCE, START, STOP
from throughtime.data.store import Store
from throughtime.data.tables.coding import Coded
from throughtime.data.tables.keys import Keys
from throughtime.data.tables.stretches import STRETCH, sequence_of, stretches
from throughtime.data.types import FloatArray, IntegerArray
from throughtime.errors import OneClassOnly, UnseenClass


@dataclass(frozen=True)
class Category:
    """A column whose values become places among those of the training part.

    `place` is that of the column in the matrices. Of what is predicted there must be
    two values in training at least, and of a target none that training does not know.
    """

    place: int
    column: Coded
    is_predicted: bool
    is_target: bool


def fit_categories(
    frames: Store,
    keys: Keys,
    train: IntegerArray,
    categories: Sequence[Category],
) -> dict[str, tuple[str, ...]]:
    """Give every category its places, and write them into the matrices.

    Parameters
    ----------
    frames
        `(n, C)`, categories as they were coded while reading.
    keys
        The sequences.
    train
        `(m, 4)`, the pieces of the training part.
    categories
        Which columns.

    Returns
    -------
    dict
        The values of each column that occur in training, in order.

    Raises
    ------
    OneClassOnly, UnseenClass
        A target has no other value, or one that training does not know.
    """
    if not categories:
        return {}
    starts = np.cumsum(keys.lengths) - keys.lengths
    codes = _codes(frames, starts, train, [one.place for one in categories])
    known: dict[str, tuple[str, ...]] = {}
    order: dict[str, FloatArray] = {}
    for one, found in zip(categories, codes, strict=True):
        texts = [text_of(one.column, code) for code in found.tolist()]
        if one.column.kind == "category":
            sorting = sorted(range(len(texts)), key=texts.__getitem__)
            texts, found = [texts[k] for k in sorting], found[sorting]
        if one.is_predicted and len(texts) < 2:
            raise OneClassOnly(column=one.column.name, value=", ".join(texts))
        known[one.column.name], order[one.column.name] = tuple(texts), found
    _write(frames, keys, starts, categories, order)
    return known


def text_of(column: Coded, code: float) -> str:
    """Return the value that a code stands for."""
    if column.kind == "category":
        return str(column.vocabulary[int(code)])
    if column.kind == "boolean":
        return "true" if code else "false"
    return str(int(code))


def _codes(
    frames: Store, starts: IntegerArray, train: IntegerArray, places: Sequence[int]
) -> list[FloatArray]:
    """Return the different codes of each column in the training part, sorted."""
    found: list[FloatArray] = [np.empty(0) for _ in places]
    for rows in _chunks(frames, starts, train):
        for k, place in enumerate(places):
            values = rows[:, place]
            found[k] = np.union1d(found[k], values[~np.isnan(values)])
    return found


def _chunks(
    frames: Store, starts: IntegerArray, train: IntegerArray
) -> Iterator[FloatArray]:
    """Give the rows of the training part, those of many short pieces together."""
    held: list[FloatArray] = []
    size = 0
    for piece in train.tolist():
        first = int(starts[piece[SEQUENCE]])
        stop = first + piece[STOP]
        for start in range(first + piece[START], stop, STRETCH):
            held.append(frames.read(start, min(start + STRETCH, stop)))
            size += len(held[-1])
            if size >= STRETCH:
                yield np.concatenate(held)
                held.clear()
                size = 0
    if held:
        yield np.concatenate(held)


def _write(
    frames: Store,
    keys: Keys,
    starts: IntegerArray,
    categories: Sequence[Category],
    order: Mapping[str, FloatArray],
) -> None:
    for part in stretches(frames, starts):
        rows = part.rows.copy()
        for one in categories:
            values = rows[:, one.place]
            places = _places(values, order[one.column.name])
            if one.is_target and (places < 0).any():
                row = int((places < 0).argmax())
                raise UnseenClass(
                    column=one.column.name,
                    value=text_of(one.column, values[row]),
                    key=keys.names[sequence_of(part.start + row, starts)],
                )
            rows[:, one.place] = places
        frames.write(part.start, rows)


def _places(values: FloatArray, order: FloatArray) -> npt.NDArray[np.float64]:
    """Return where each value stands in `order`, -1 where nowhere."""
    if not len(order):
        return np.where(np.isnan(values), np.nan, -1.0)
    sorting = np.argsort(order)
    near = np.searchsorted(order, values, sorter=sorting).clip(max=len(order) - 1)
    places = sorting[near]
    found = np.where(order[places] == values, places, -1.0)
    return np.where(np.isnan(values), np.nan, found)
