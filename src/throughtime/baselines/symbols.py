"""What models of the next symbol have in common: a text, or sequences of symbols."""

from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from throughtime.baselines.counting import Floats
from throughtime.baselines.settings import drawn_seed
from throughtime.data import UNKNOWN, encode
from throughtime.data.pieces import SEQUENCE, STOP
from throughtime.data.types import IntegerArray
from throughtime.errors import NoSymbols, NothingToHoldOut, UnknownPrompt
from throughtime.estimators.datasets import share_of, split_steps
from throughtime.estimators.given_symbols import (
    blocks_apart,
    check_text,
    listed,
    plain,
)

Given = str | Sequence[Any]


class NextSymbol(BaseEstimator):
    """The probability of the next symbol of a text, or of sequences of symbols.

    Attributes
    ----------
    symbols_ : numpy.ndarray
        `(K,)`, the symbols of the training part; of a text the first, `UNKNOWN`, stands
        for all others.
    """

    validation: float
    random_state: Any

    @abstractmethod
    def fit(self, X: Given, y: None = None, *, validation_data: Any = None) -> Self:
        """Learn from a text, or from sequences of symbols."""

    @abstractmethod
    def _each(self, places: IntegerArray) -> Floats:
        """Give the probability that each of `(T,)` symbols had, the first included."""

    @abstractmethod
    def _after(self, places: IntegerArray) -> Floats:
        """Give the probability `(T, K)` of each symbol after each of `(T,)`."""

    @abstractmethod
    def _next(self, sequences: Sequence[IntegerArray]) -> Floats:
        """Give the probability `(N, K)` of each symbol after N sequences."""

    def score(self, X: Given, y: None = None) -> float:
        """Give minus the bits per symbol: scikit-learn looks for the highest score.

        Parameters
        ----------
        X
            As in `fit`.
        y
            Nothing; scikit-learn passes it.
        """
        return -self.bits_per_symbol(X)

    def bits_per_symbol(self, X: Given) -> float:
        """Give the mean of -log2 of the probability of each symbol but the first.

        A symbol that training never saw counts as `UNKNOWN` in a text, and not at all
        in sequences: the convention of `throughtime.estimators.SymbolModel`.

        Parameters
        ----------
        X
            As in `fit`.

        Raises
        ------
        NoSymbols
            No symbol counts.
        """
        return self._bits(self._asked(X))

    def predict_proba(self, X: Given) -> Floats:
        """Give the probability of each symbol to come next, ``(N, K)``; of a text one.

        Parameters
        ----------
        X
            As in `fit`.
        """
        return self._next(self._asked(X))

    def predict_steps(self, X: Given) -> list[Floats]:
        """Give the probability of each symbol to come after each, N arrays ``(T, K)``.

        Parameters
        ----------
        X
            As in `fit`; of a text N is 1.
        """
        return [self._after(one) for one in self._asked(X)]

    def predict(self, X: Given) -> Any:
        """Give the likeliest symbol to come next, ``(N,)``; of a text one.

        Parameters
        ----------
        X
            As in `fit`.
        """
        return self.symbols_[self.predict_proba(X).argmax(axis=1)]

    def sample(
        self,
        n: int,
        temperature: float = 1.0,
        *,
        prompt: Given | None = None,
        random_state: Any = None,
    ) -> Any:
        """Draw symbols, each after those before it.

        Parameters
        ----------
        n
            How many.
        temperature
            Logarithms of probabilities are divided by it: below 1 the likely comes more
            often, at 0 the likeliest always comes.
        prompt
            What comes before; it is not drawn again. None: the beginning.
        random_state
            Of the drawing.

        Returns
        -------
        str or list
            As in `fit`.
        """
        check_is_fitted(self, "symbols_")
        known, draw = self.symbols_.tolist(), check_random_state(random_state)
        unknown = [one for one in prompt or () if one not in known[self._text :]]
        if unknown:
            raise UnknownPrompt(symbols=", ".join(map(repr, unknown)))
        places = self._places([prompt])[0].tolist() if prompt else []
        given = len(places)
        for _ in range(n):
            shares = self._next([np.array(places, np.int64)])[0]
            # What stands for all unseen characters is no character.
            places.append(_drawn(shares[self._text :], temperature, draw) + self._text)
        symbols = [known[place] for place in places[given:]]
        return "".join(symbols) if self._text else symbols

    # ------------------------------------------------------------------ what was given
    def _read(
        self, X: Given, validation_data: Given | None, *, choose: bool
    ) -> tuple[list[IntegerArray], list[IntegerArray]]:
        """Return what is learned from and what chooses, and note the symbols.

        Parameters
        ----------
        X, validation_data
            As in `fit`.
        choose
            Whether something is to be chosen; without that all of X is learned from.
        """
        self._text = isinstance(X, str)
        cut = choose and validation_data is None
        if isinstance(X, str):
            check_text(X)
            train, apart = self._cut_text(X) if cut else ([X], [])
            self.symbols_ = np.array([UNKNOWN, *sorted(set("".join(train)))])
        else:
            sequences = listed(X)
            train, apart = self._cut(sequences) if cut else (sequences, [])
            joined = np.concatenate([np.asarray(one) for one in train])
            self.symbols_ = np.unique(joined)
        places = self._places(["".join(train)] if self._text else train)
        if choose and validation_data is not None:
            return places, self._asked(validation_data)
        return places, self._places(["".join(apart)] if self._text else apart)

    def _cut_text(self, text: str) -> tuple[list[str], list[str]]:
        train, apart = blocks_apart(text, _some(self.validation, "a text"))
        return (
            [text[one.start : one.stop] for one in train],
            [text[one.start : one.stop] for one in apart],
        )

    def _cut(self, sequences: list[Any]) -> tuple[list[Any], list[Any]]:
        share = _some(self.validation, f"{len(sequences)} sequences")
        lengths = np.array([len(one) for one in sequences])
        seed = drawn_seed(self.random_state)
        splits = split_steps(lengths, True, float(share), seed)
        stops = splits["train"][:, [SEQUENCE, STOP]].tolist()
        # What is before the first step that counts is read, as context.
        later = splits["validation"].tolist()
        return (
            [sequences[place][:stop] for place, stop in stops],
            [sequences[place][first:stop] for place, _, stop, first in later],
        )

    def _asked(self, X: Given) -> list[IntegerArray]:
        check_is_fitted(self, "symbols_")
        if isinstance(X, str) != self._text:
            given, expected = "a text", "a list of sequences, as in training"
            if self._text:
                given, expected = "no text", "a text, as in training"
            raise NoSymbols(given=given, expected=expected)
        return self._places([X] if self._text else listed(X))

    def _places(self, sequences: Sequence[Any]) -> list[IntegerArray]:
        """Return where each symbol stands among the known ones; -1: it does not."""
        if self._text:
            vocabulary = tuple(self.symbols_.tolist())
            return [encode(one, vocabulary) for one in sequences]
        known = {symbol: place for place, symbol in enumerate(self.symbols_.tolist())}
        return [
            np.array([known.get(symbol, -1) for symbol in plain(one)], np.int64)
            for one in sequences
        ]

    def _bits(self, sequences: list[IntegerArray]) -> float:
        counted = [one[1:] >= 0 for one in sequences]
        check_some_count(np.concatenate(counted))
        shares = [
            self._each(one)[1:][where]
            for one, where in zip(sequences, counted, strict=True)
        ]
        return float(-np.log2(np.concatenate(shares)).mean())


def check_some_count(counted: npt.NDArray[np.bool_]) -> None:
    """Refuse symbols of which none counts.

    Raises
    ------
    NoSymbols
        So it is.
    """
    if not counted.any():
        raise NoSymbols(
            given="without a symbol that counts",
            expected="a symbol that training saw after the first of a sequence",
        )


def _some(validation: float, samples: str) -> Fraction:
    """Return the share that chooses; there must be one."""
    share = share_of(validation)
    if not share:
        raise NothingToHoldOut(samples=samples, validation=validation)
    return share


def _drawn(shares: Floats, temperature: float, draw: np.random.RandomState) -> int:
    if temperature == 0:
        return int(shares.argmax())
    logs = np.log(shares) / temperature
    weights = np.exp(logs - logs.max())
    return int(draw.choice(len(shares), p=weights / weights.sum()))
