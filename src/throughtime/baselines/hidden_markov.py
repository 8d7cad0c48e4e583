"""Hidden Markov models: of symbols, of reals, and one for each class."""

import time
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from throughtime.baselines.counting import Floats
from throughtime.baselines.emissions import Chain, learn_reals, learn_symbols
from throughtime.baselines.reading import Reader
from throughtime.baselines.settings import candidates, drawn_seed, end_of
from throughtime.baselines.symbols import Given, NextSymbol
from throughtime.data.pieces import SEQUENCE
from throughtime.data.types import IntegerArray
from throughtime.errors import LabelsGiven, NothingToHoldOut, TargetNeeded
from throughtime.estimators.datasets import share_of, split_whole
from throughtime.estimators.sequences import Array
from throughtime.estimators.targets import known_classes, places_of, read_classes
from throughtime.train.asking.settings import check_count


class HiddenMarkov(NextSymbol):
    """The next symbol by a hidden Markov model with categorical emissions.

    hmmlearn learns it (Rabiner 1989); a thousandth is added to every count, so that no
    symbol is impossible.

    Parameters
    ----------
    states
        S, the number of hidden states; of several the one of the fewest bits per symbol
        on what is kept apart.
    starts
        How often the algorithm begins, each time elsewhere, as it may end far from the
        likeliest model; the likeliest of what it found is taken.
    rounds
        Of Baum and Welch's algorithm, at most.
    time_limit
        Seconds after which it begins no other round, nor tries another S; None: it does
        all of them.
    validation
        The share of X that is kept apart to choose S, as in
        `throughtime.estimators.SymbolModel`; it is not learned from. Where `states` is
        one number, or what chooses is given, all of X is learned from.
    random_state
        Draws what is kept apart, and where the algorithm begins.

    Attributes
    ----------
    symbols_ : numpy.ndarray
        `(K,)`, the symbols of the training part; of a text the first, `UNKNOWN`, stands
        for all others.
    states_ : int
        S.
    n_parameters_ : int
        The numbers of the model, ``S + S² + S K``.
    """

    def __init__(
        self,
        states: int | Sequence[int] = (1, 2, 4, 8, 16),
        *,
        starts: int = 4,
        rounds: int = 50,
        time_limit: float | None = None,
        validation: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.states = states
        self.starts = starts
        self.rounds = rounds
        self.time_limit = time_limit
        self.validation = validation
        self.random_state = random_state

    def fit(
        self, X: Given, y: None = None, *, validation_data: Given | None = None
    ) -> Self:
        """Learn from a text, or from sequences of symbols.

        Parameters
        ----------
        X
            As in `NGram.fit`.
        y
            Nothing; scikit-learn passes it.
        validation_data
            Like X: what chooses S, in place of a share of X.
        """
        tried = candidates("states", self.states)
        check_count("starts", self.starts, 1)
        check_count("rounds", self.rounds, 1)
        until = end_of(self.time_limit)
        share_of(self.validation)
        train, apart = self._read(X, validation_data, choose=len(tried) > 1)
        size, seed = len(self.symbols_), drawn_seed(self.random_state)
        found: list[tuple[float, Chain]] = []
        for states in tried:
            self._chain = learn_symbols(
                self,
                train,
                size,
                states,
                self.rounds,
                range(seed, seed + (self.starts if states > 1 else 1)),
                until,
            )
            found.append((self._bits(apart) if len(tried) > 1 else 0.0, self._chain))
            if time.monotonic() >= until:
                break
        _, self._chain = min(found, key=lambda one: one[0])
        self.states_ = len(self._chain.start)
        self.n_parameters_ = self._chain.n_parameters
        return self

    def _each(self, places: IntegerArray) -> Floats:
        densities, _ = self._chain.filtered(places)
        return np.exp(densities)

    def _after(self, places: IntegerArray) -> Floats:
        chain = self._chain
        assert chain.symbols is not None
        _, states = chain.filtered(places)
        return states @ chain.transition @ chain.symbols

    def _next(self, sequences: Sequence[IntegerArray]) -> Floats:
        chain = self._chain
        assert chain.symbols is not None
        return np.stack([_coming(chain, one) @ chain.symbols for one in sequences])


class HiddenMarkovClassifier(ClassifierMixin, Reader):
    """The class whose hidden Markov model makes a sequence likeliest.

    Each class has a model with Gaussian emissions without covariances, and counts as
    often as it occurs. hmmlearn learns them (Rabiner 1989), of features that are scaled
    to vary by one in training; no variance falls below a thousandth.

    Parameters
    ----------
    states
        S, the number of hidden states of each model; of several the one that names the
        most classes right among what is kept apart, the fewest of equal ones.
    rounds
        Of Baum and Welch's algorithm, at most.
    time_limit
        As in `HiddenMarkov`; every class has a model all the same.
    validation
        The share of X that is kept apart to choose S, of each class its own; it is not
        learned from. Where `states` is one number, or what chooses is given, all of X
        is learned from.
    random_state
        Draws what is kept apart, and where the algorithm begins.

    Attributes
    ----------
    classes_ : numpy.ndarray
        `(K,)`, the classes in order.
    states_ : int
        S.
    n_parameters_ : int
        The numbers of all models.
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    def __init__(
        self,
        states: int | Sequence[int] = (1, 2, 3, 4, 6, 8),
        *,
        rounds: int = 20,
        time_limit: float | None = None,
        validation: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.states = states
        self.rounds = rounds
        self.time_limit = time_limit
        self.validation = validation
        self.random_state = random_state

    def fit(
        self, X: Any, y: Any, *, validation_data: tuple[Any, Any] | None = None
    ) -> Self:
        """Learn from sequences and their classes.

        Parameters
        ----------
        X
            As in `throughtime.estimators.SequenceClassifier`.
        y
            ``(N,)``, classes of any type.
        validation_data
            Such an X and y: what chooses S, in place of a share of X.
        """
        tried = candidates("states", self.states)
        check_count("rounds", self.rounds, 1)
        until = end_of(self.time_limit)
        share_of(self.validation)
        if y is None:
            raise TargetNeeded(estimator=type(self).__name__)
        sequences = self._read_first(X)
        given = _classes(y, sequences)
        self.classes_ = known_classes(given)
        places = places_of(given, self.classes_).astype(np.int64)
        seed = drawn_seed(self.random_state)
        train, apart = np.arange(len(sequences)), None
        if len(tried) > 1 and validation_data is None:
            train, kept = self._cut(sequences, places, seed)
            apart = [sequences[k] for k in kept], given[kept]
        elif len(tried) > 1 and validation_data is not None:
            apart = validation_data
            places_of(read_classes(apart[1])[0], self.classes_)
        self._scale([sequences[k] for k in train.tolist()])
        found: list[tuple[float, int, list[Chain]]] = []
        for states in sorted(tried):
            self._chains = self._learned(sequences, places, train, states, seed, until)
            right = 0.0 if apart is None else self.score(*apart)
            found.append((right, states, self._chains))
            if time.monotonic() >= until:
                break
        _, self.states_, self._chains = max(found, key=lambda one: one[0])
        self.n_parameters_ = sum(one.n_parameters for one in self._chains)
        return self

    def predict_proba(self, X: Any) -> Floats:
        """Give the probability of each class, ``(N, K)``."""
        check_is_fitted(self, "_chains")
        joint = np.array(
            [
                [chain.filtered(self._scaled(one))[0].sum() for chain in self._chains]
                for one in self._read_more(X)
            ]
        )
        joint += np.log(self._frequencies)
        shares = np.exp(joint - joint.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> Array:
        """Give the likeliest class of each sequence ``(N,)``."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def _cut(
        self, sequences: Sequence[Array], places: IntegerArray, seed: int
    ) -> tuple[IntegerArray, IntegerArray]:
        if not share_of(self.validation):
            samples = f"{len(sequences)} samples"
            raise NothingToHoldOut(samples=samples, validation=self.validation)
        lengths = np.array([len(one) for one in sequences])
        splits = split_whole(lengths, places, self.validation, seed)
        return splits["train"][:, SEQUENCE], splits["validation"][:, SEQUENCE]

    def _scale(self, train: Sequence[Array]) -> None:
        joined = np.concatenate(train).astype(np.float64)
        self._level, spread = joined.mean(axis=0), joined.std(axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)

    def _scaled(self, sequence: Array) -> Floats:
        return (sequence - self._level) / self._spread

    def _learned(
        self,
        sequences: Sequence[Array],
        places: IntegerArray,
        train: IntegerArray,
        states: int,
        seed: int,
        until: float,
    ) -> list[Chain]:
        """Learn a model of each class."""
        own = [train[places[train] == k] for k in range(len(self.classes_))]
        self._frequencies = np.array([len(one) for one in own]) / len(train)
        return [
            learn_reals(
                self,
                [self._scaled(sequences[k]) for k in one],
                states,
                self.rounds,
                seed,
                until,
            )
            for one in own
        ]


def _coming(chain: Chain, sequence: Any) -> Floats:
    """Return the probability of each next state."""
    if not len(sequence):
        return chain.start
    return chain.filtered(sequence)[1][-1] @ chain.transition


def _classes(y: Any, sequences: Sequence[Array]) -> Array:
    given, labels = read_classes(y)
    if labels:
        raise LabelsGiven(shape=given.shape)
    check_consistent_length(sequences, given)
    return given
