"""From counts to probabilities: three ways to smooth an n-gram model.

All are of one form, ``p(w | h) = direct(h w) + rest(h) p(w | h')``, h' being h without
its first symbol, and end at ``1 / V``: they differ in what is taken from the counts.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from throughtime.baselines.counting import Floats, Grams, Places, found, lookup
from throughtime.data.types import IntegerArray

# Where no symbol occurs once, the estimate of a discount does not exist.
_DISCOUNT: Final = 0.5
# Probabilities that are worked out together: few enough to stay near the processor.
_AT_ONCE: Final = 2**18


class Level(NamedTuple):
    """One length of context: `direct` `(U,)` of each k-gram, `rest` of each context."""

    table: Grams
    direct: Floats
    rest: Floats


Smoothing = Callable[[Grams, Sequence[Grams], bool], Level]


def kneser_ney(table: Grams, shorter: Sequence[Grams], longest: bool) -> Level:
    r"""Interpolated Kneser-Ney with one discount (Chen & Goodman 1999).

    .. math::
        p(w \mid h) = \frac{\max(c(hw) - D, 0)}{c(h)}
            + \frac{D\,N_{1+}(h\,\cdot)}{c(h)}\,p(w \mid h')

    c are counts for the longest k-grams, and for shorter ones after how many different
    symbols each occurs; ``D = n1 / (n1 + 2 n2)``, of how many have a count of 1 and 2,
    and 1/2 where none has 1.
    """
    counts = _adjusted(table, longest)
    return _discounted(table, shorter, counts, np.full(3, _one_discount(counts)))


def modified_kneser_ney(table: Grams, shorter: Sequence[Grams], longest: bool) -> Level:
    r"""Interpolated Kneser-Ney with three discounts (Chen & Goodman 1999).

    ``D_j = j - (j + 1) D n_{j+1} / n_j`` is taken from counts of j = 1, 2 and, as j =
    3, more, with D as in `kneser_ney`, which also stands where D_j does not exist or
    does not lie between 0 and j.
    """
    counts = _adjusted(table, longest)
    single = _one_discount(counts)
    discounts = np.full(3, single)
    for j in (1, 2, 3):
        have, more = (np.count_nonzero(counts == n) for n in (j, j + 1))
        own = j - (j + 1) * single * more / have if have else 0.0
        if 0 < own <= j:
            discounts[j - 1] = own
    return _discounted(table, shorter, counts, discounts)


def witten_bell(table: Grams, shorter: Sequence[Grams], longest: bool) -> Level:
    r"""Interpolation by the number of different followers (Witten & Bell 1991).

    .. math::
        p(w \mid h) = \frac{c(hw) + N_{1+}(h\,\cdot)\,p(w \mid h')}
            {c(h) + N_{1+}(h\,\cdot)}

    c are counts at all lengths, so that `longest` changes nothing.
    """
    contexts, many = _contexts(table, shorter)
    total = np.bincount(contexts, table.counts, many)
    followers = np.bincount(contexts, table.counts > 0, many)
    whole = np.where(total > 0, total + followers, 1.0)
    rest = np.where(total > 0, followers / whole, 1.0)
    return Level(table, table.counts / whole[contexts], rest)


SMOOTHINGS: Final[dict[str, Smoothing]] = {
    "kneser-ney": kneser_ney,
    "modified-kneser-ney": modified_kneser_ney,
    "witten-bell": witten_bell,
}
"""The ways by their names."""


def levels_of(smoothing: Smoothing, tables: Sequence[Grams]) -> list[Level]:
    """Make the levels of a model whose longest k-grams are those of the last table."""
    return [
        smoothing(table, tables[:place], place == len(tables) - 1)
        for place, table in enumerate(tables)
    ]


def each_order(
    smoothing: Smoothing, tables: Sequence[Grams], stream: IntegerArray, size: int
) -> list[Floats]:
    """Give the probability of each symbol by models of 1, 2, … symbols.

    Parameters
    ----------
    smoothing
        The way.
    tables
        As `count` makes them.
    stream, size
        As in `found`.

    Returns
    -------
    list of numpy.ndarray
        For each order `(N,)`; of marks it means nothing.
    """
    answers: list[Floats] = []
    lower = np.full(len(stream), 1 / size)
    for place, at in enumerate(found(tables, stream, size)):
        table, shorter = tables[place], tables[:place]
        answers.append(_mixed(smoothing(table, shorter, True), at, lower))
        if table.before is not None:
            lower = _mixed(smoothing(table, shorter, False), at, lower)
    return answers


def probabilities(levels: Sequence[Level], stream: IntegerArray, size: int) -> Floats:
    """Give the probability `(N,)` of each symbol of a stream; of marks it is nothing.

    Parameters
    ----------
    levels
        The model.
    stream, size
        As in `found`.
    """
    shares = np.full(len(stream), 1 / size)
    tables = [level.table for level in levels]
    for level, at in zip(levels, found(tables, stream, size), strict=True):
        shares = _mixed(level, at, shares)
    return shares


def shares_after(levels: Sequence[Level], stream: IntegerArray, size: int) -> Floats:
    """Give the probability `(N, V)` of each symbol after each of a stream.

    Parameters
    ----------
    levels
        The model.
    stream, size
        As in `found`.
    """
    ends = [np.zeros(len(stream), np.int64)]
    tables = [level.table for level in levels[:-1]]
    ends += [at.grams for at in found(tables, stream, size)]
    answers = np.empty((len(stream), size))
    rows = max(1, _AT_ONCE // size)
    for start in range(0, len(stream), rows):
        shares = np.full((1, size), 1 / size)
        for level, places in zip(levels, ends, strict=True):
            shares = _followed(level, places[start : start + rows], size, shares)
        answers[start : start + rows] = shares
    return answers


def next_shares(
    levels: Sequence[Level], contexts: Sequence[IntegerArray], size: int
) -> Floats:
    """Give the probability `(N, V)` of each symbol to come next.

    Parameters
    ----------
    levels
        The model.
    contexts
        N arrays of what came before, with the mark where that is the beginning. Only
        the last symbols, one fewer than the model has levels, are looked at.
    size
        V.
    """
    shares = np.full((len(contexts), size), 1 / size)
    tails = [one[max(0, len(one) - len(levels) + 1) :] for one in contexts]
    for k, level in enumerate(levels):
        places = [_place(levels, tail[len(tail) - k :], size, k) for tail in tails]
        shares = _followed(level, np.array(places, np.int64), size, shares)
    return shares


def _followed(level: Level, ends: IntegerArray, size: int, shorter: Floats) -> Floats:
    """Mix in what every symbol `(N, V)` is after contexts at these places `(N,)`."""
    grams = lookup(level.table, ends[:, None], np.arange(size), size)
    contexts = np.broadcast_to(ends[:, None], grams.shape)
    return _mixed(level, Places(contexts, grams), shorter)


def _place(levels: Sequence[Level], symbols: IntegerArray, size: int, k: int) -> int:
    """Return where these k symbols stand among the k-grams; -1: nowhere."""
    if len(symbols) < k:
        return -1
    place = np.zeros((), np.int64)
    for level, symbol in zip(levels, symbols, strict=False):
        place = lookup(level.table, place, symbol, size)
    return int(place)


def _mixed(level: Level, at: Places, lower: Floats) -> Floats:
    known = at.contexts >= 0
    direct = np.where(at.grams >= 0, level.direct[at.grams], 0.0)
    rest = np.where(known, level.rest[at.contexts], 1.0)
    return direct + rest * lower


def _adjusted(table: Grams, longest: bool) -> IntegerArray:
    if longest:
        return table.counts
    assert table.before is not None
    return table.before


def _one_discount(counts: IntegerArray) -> float:
    once, twice = np.count_nonzero(counts == 1), np.count_nonzero(counts == 2)
    return once / (once + 2 * twice) if once else _DISCOUNT


def _discounted(
    table: Grams, shorter: Sequence[Grams], counts: IntegerArray, discounts: Floats
) -> Level:
    contexts, many = _contexts(table, shorter)
    total = np.bincount(contexts, counts, many)
    taken = np.concatenate([[0.0], discounts])[counts.clip(max=3)]
    taken = np.minimum(taken, counts)
    whole = np.where(total > 0, total, 1.0)
    rest = np.where(total > 0, np.bincount(contexts, taken, many) / whole, 1.0)
    return Level(table, (counts - taken) / whole[contexts], rest)


def _contexts(table: Grams, shorter: Sequence[Grams]) -> tuple[IntegerArray, int]:
    """Return the context of each k-gram, and how many there are."""
    if not shorter:
        return np.zeros(len(table.codes), np.int64), 1
    # The mark is the last of the symbols, and always there.
    width = int(shorter[0].codes[-1]) + 1
    return table.codes // width, len(shorter[-1].codes)
