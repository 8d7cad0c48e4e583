"""The next symbol: from the frequencies of symbols, and of pairs of them."""

from typing import NamedTuple

import numpy as np

from throughtime.data.datasets import SequenceDataset, TextDataset
from throughtime.data.trivial.counted import FITTED, TEST, Floats, asked_next, steps
from throughtime.data.types import IntegerArray, Split


def text(dataset: TextDataset) -> dict[str, float]:
    """Return bits per character of unigrams and of bigrams."""
    places = np.concatenate([np.asarray(r) for r in dataset.splits["test"]])
    fitted, test = np.delete(dataset.symbols, places), dataset.part("test")
    size = len(dataset.vocabulary)
    return _compare(
        np.bincount(fitted, minlength=size),
        Pairs(fitted[:-1], fitted[1:]),
        Pairs(test[:-1], test[1:]),
    )


def next_symbols(dataset: SequenceDataset) -> dict[str, float]:
    """Return bits per symbol of unigrams and of bigrams, within sequences.

    A symbol that is missing, or that training never saw, is no part of any pair; where
    no pair is left there is nothing to measure.
    """
    [column] = asked_next(dataset.schema, "category")
    counts = np.zeros(len(column.categories), dtype=np.int64)
    for rows, first, stop in steps(dataset, [column], FITTED):
        symbols = rows[first:stop, 0]
        known = symbols[symbols >= 0].astype(np.int64)
        counts += np.bincount(known, minlength=len(counts))
    test = _pairs(dataset, TEST)
    return _compare(counts, _pairs(dataset, FITTED), test) if len(test.now) else {}


class Pairs(NamedTuple):
    """Symbols, `(n,)` each, and what came right after them."""

    last: IntegerArray
    now: IntegerArray


def _pairs(dataset: SequenceDataset, parts: tuple[Split, ...]) -> Pairs:
    columns = asked_next(dataset.schema, "category")
    last: list[IntegerArray] = []
    now: list[IntegerArray] = []
    for rows, first, stop in steps(dataset, columns, parts, after=1):
        follower = rows[first + 1 : stop + 1, 0]
        symbol = rows[first : first + len(follower), 0]
        known = (symbol >= 0) & (follower >= 0)
        last.append(symbol[known].astype(np.int64))
        now.append(follower[known].astype(np.int64))
    return Pairs(np.concatenate(last), np.concatenate(now))


def _compare(counts: IntegerArray, fitted: Pairs, test: Pairs) -> dict[str, float]:
    single = _unigram(counts)
    return {
        "unigram": _bits(single[test.now]),
        "bigram": _bits(_bigram(single, fitted, test)),
    }


def _unigram(counts: IntegerArray) -> Floats:
    """Probability of each symbol; one is added to every count, `UNKNOWN` included."""
    return (counts + 1.0) / (counts.sum() + len(counts))


def _bigram(single: Floats, fitted: Pairs, test: Pairs) -> Floats:
    """Probability of each test symbol after the one before it.

    Counts are mixed with the unigram by the number of different followers (Witten
    and Bell 1991).
    """
    size = len(single)
    pairs, counts = np.unique(fitted.last * size + fitted.now, return_counts=True)
    before = np.bincount(fitted.last, minlength=size)
    followers = np.bincount(pairs // size, minlength=size)
    asked = test.last * size + test.now
    place = np.searchsorted(pairs, asked).clip(max=len(pairs) - 1)
    seen = np.where(pairs[place] == asked, counts[place], 0)
    # A symbol that was never followed has weight 1 for the unigram.
    weight = np.maximum(followers, 1)[test.last]
    return (seen + weight * single[test.now]) / (before[test.last] + weight)


def _bits(probabilities: Floats) -> float:
    return float(-np.log2(probabilities).mean())
