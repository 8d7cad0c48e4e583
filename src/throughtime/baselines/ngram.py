"""The next symbol from the n - 1 before it."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from throughtime.baselines.counting import Floats, count, stream_of
from throughtime.baselines.smoothing import (
    SMOOTHINGS,
    each_order,
    levels_of,
    next_shares,
    probabilities,
    shares_after,
)
from throughtime.baselines.symbols import Given, NextSymbol, check_some_count
from throughtime.data.types import IntegerArray
from throughtime.estimators.datasets import share_of
from throughtime.train.asking.settings import check_choice, check_count


class NGram(NextSymbol):
    """The next symbol from the n - 1 before it, by smoothed counts (Shannon 1948).

    A beginning is context as a symbol is, so that the first symbols of a sequence have
    shorter contexts. What follows nothing known has the probability of shorter
    contexts, down to ``1 / K``: so every symbol has some, `UNKNOWN` too, and all of
    them sum to one.

    Parameters
    ----------
    order
        n; None: the one, from 1 to `max_order`, of the fewest bits per symbol on what
        is kept apart.
    max_order
        The longest that is tried where `order` is None.
    smoothing
        `"kneser-ney"` and `"modified-kneser-ney"`, interpolated, with one discount for
        each length and with three (Chen & Goodman 1999); or `"witten-bell"` (1991).
    validation
        The share of X that is kept apart to choose the order, as in
        `throughtime.estimators.SymbolModel`; it is not counted. Where `order` is given,
        or what chooses is, all of X is counted.
    random_state
        Draws what is kept apart.

    Attributes
    ----------
    symbols_ : numpy.ndarray
        `(K,)`, the symbols of the training part; of a text the first, `UNKNOWN`, stands
        for all others.
    order_ : int
        n.
    validation_bits_ : numpy.ndarray or None
        Bits per symbol of each order that was tried, on what chose among them.
    n_parameters_ : int
        How many stretches of 1 to n symbols are counted.
    """

    def __init__(
        self,
        order: int | None = None,
        *,
        max_order: int = 8,
        smoothing: str = "kneser-ney",
        validation: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.order = order
        self.max_order = max_order
        self.smoothing = smoothing
        self.validation = validation
        self.random_state = random_state

    def fit(
        self, X: Given, y: None = None, *, validation_data: Given | None = None
    ) -> Self:
        """Count a text, or sequences of symbols.

        Parameters
        ----------
        X
            A text, of which every character is a symbol; or N sequences of symbols.
        y
            Nothing; scikit-learn passes it.
        validation_data
            Like X: what chooses the order, in place of a share of X.
        """
        choose = self._check()
        train, apart = self._read(X, validation_data, choose=choose)
        size = len(self.symbols_)
        longest = self.max_order if self.order is None else self.order
        tables = count(stream_of(train, size), size, longest)
        smoothing = SMOOTHINGS[self.smoothing]
        self.validation_bits_: Floats | None = None
        if choose:
            stream, counted = stream_of(apart, size), _counted(apart)
            check_some_count(counted)
            shares = each_order(smoothing, tables, stream, size)
            bits = [-np.log2(one[counted]).mean() for one in shares]
            self.validation_bits_ = np.array(bits)
            tables = tables[: int(np.argmin(bits)) + 1]
        self.order_ = len(tables) if choose else longest
        self._levels = levels_of(smoothing, tables)
        self.n_parameters_ = sum(len(table.codes) for table in tables)
        return self

    def _check(self) -> bool:
        """Refuse parameters that say nothing; return whether the order is chosen."""
        check_choice("smoothing", self.smoothing, SMOOTHINGS)
        share_of(self.validation)
        check_count("max_order", self.max_order, 1)
        if self.order is not None:
            check_count("order", self.order, 1)
        return self.order is None

    def _each(self, places: IntegerArray) -> Floats:
        size = len(self.symbols_)
        return probabilities(self._levels, stream_of([places], size), size)[1:]

    def _after(self, places: IntegerArray) -> Floats:
        size = len(self.symbols_)
        return shares_after(self._levels, stream_of([places], size), size)[1:]

    def _next(self, sequences: Sequence[IntegerArray]) -> Floats:
        size = len(self.symbols_)
        begun = [stream_of([one], size) for one in sequences]
        return next_shares(self._levels, begun, size)


def _counted(sequences: Sequence[IntegerArray]) -> Any:
    """Say of each place in the stream whether its symbol counts."""
    nothing = np.zeros(2, bool)
    return np.concatenate(
        [part for one in sequences for part in (nothing[: 1 + len(one)], one[1:] >= 0)]
    )
