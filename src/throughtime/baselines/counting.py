"""How often every stretch of symbols occurs: the tables of an n-gram model.

A k-gram is kept as the place of its first k - 1 symbols in the table before, times the
number of symbols, plus its last one. So every code is a small number, whatever k and
the size of the vocabulary; tables are sorted, and a k-gram is found by bisection.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from throughtime.data.types import IntegerArray

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grams:
    """All k-grams of a text.

    Parameters
    ----------
    codes
        `(U,)`, sorted: the place of the context among the (k-1)-grams, times `width`,
        plus the last symbol.
    counts
        `(U,)`, how often each occurs.
    before
        `(U,)`, after how many different symbols each occurs, the beginning of a
        sequence being one of them; at the beginning itself, where nothing can stand
        before it, how often. None for the longest.
    """

    codes: IntegerArray
    counts: IntegerArray
    before: IntegerArray | None


class Places(NamedTuple):
    """Where `(N,)` symbols stand among k-grams; -1: nowhere.

    `contexts` are the k - 1 symbols before each in the table of those, `grams` the
    symbol with them in the table of k-grams.
    """

    contexts: IntegerArray
    grams: IntegerArray


def stream_of(sequences: Sequence[IntegerArray], size: int) -> IntegerArray:
    """Put a mark, the number `size`, before each sequence, and join all of them.

    Parameters
    ----------
    sequences
        Arrays `(T_i,)` of numbers below `size`; -1: a symbol nobody knows.
    size
        V, the size of the vocabulary.
    """
    mark = np.array([size], np.int64)
    parts = [part for one in sequences for part in (mark, one)]
    return np.concatenate(parts).astype(np.int64, copy=False)


def count(stream: IntegerArray, size: int, longest: int) -> list[Grams]:
    """Count all k-grams of up to `longest` symbols.

    Parameters
    ----------
    stream
        `(N,)`, as `stream_of` makes it, of known symbols.
    size
        V.
    longest
        The largest k.

    Returns
    -------
    list of Grams
        Of 1, 2, … symbols, as far as there are any. The mark is what contexts may begin
        with; it is never counted as a symbol that comes.
    """
    age = _steps_since_mark(stream, size)
    tables: list[Grams] = []
    shorter = np.zeros(len(stream), np.int64)
    for k in range(1, longest + 1):
        ends = np.flatnonzero(age >= k - 1)
        if not len(ends):
            break  # no sequence is as long
        contexts = shorter[ends - 1] if k > 1 else shorter
        codes, own, counts = np.unique(
            contexts * (size + 1) + stream[ends],
            return_inverse=True,
            return_counts=True,
        )
        if k == 1:
            counts = np.where(codes == size, 0, counts)
        else:
            begun = shorter[age == k - 2] if k > 2 else shorter[:0]
            tables[-1] = _with_before(tables[-1], own, shorter[ends], begun)
        tables.append(Grams(codes, counts, None))
        shorter = np.full(len(stream), -1, np.int64)
        shorter[ends] = own
    return tables


def found(tables: Sequence[Grams], stream: IntegerArray, size: int) -> Iterator[Places]:
    """Look every symbol of a stream up, with 0, 1, 2, … symbols before it.

    Parameters
    ----------
    tables
        As `count` makes them.
    stream, size
        As in `count`; symbols may be unknown.
    """
    marks, contexts = stream == size, np.zeros(len(stream), np.int64)
    for table in tables:
        grams = lookup(table, contexts, stream, size)
        yield Places(contexts, grams)
        contexts = np.concatenate([grams[:1] * 0 - 1, grams[:-1]])
        contexts[marks] = -1


def lookup(
    table: Grams, contexts: IntegerArray, symbols: IntegerArray, size: int
) -> IntegerArray:
    """Return the places of k-grams, -1 where there is none; shapes are broadcast.

    Parameters
    ----------
    table
        Of the k-grams.
    contexts
        Places of their first k - 1 symbols; -1: nowhere.
    symbols
        Their last ones; -1: unknown.
    size
        V.
    """
    codes = contexts * (size + 1) + symbols
    places = np.searchsorted(table.codes, codes).clip(max=len(table.codes) - 1)
    known = (table.codes[places] == codes) & (contexts >= 0) & (symbols >= 0)
    return np.where(known, places, -1)


def _steps_since_mark(stream: IntegerArray, size: int) -> IntegerArray:
    steps = np.arange(len(stream))
    return steps - np.maximum.accumulate(np.where(stream == size, steps, 0))


def _with_before(
    table: Grams, longer: IntegerArray, ends: IntegerArray, begun: IntegerArray
) -> Grams:
    """Count what stands before each k-gram, from the (k+1)-grams that end with it."""
    last = np.empty(longer.max(initial=-1) + 1, np.int64)
    last[longer] = ends
    before = np.bincount(last, minlength=len(table.codes))
    before[begun] = table.counts[begun]
    return Grams(table.codes, table.counts, before)
