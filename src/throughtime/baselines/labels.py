"""Which labels the next step has, each by itself."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from throughtime.baselines.counting import Floats
from throughtime.baselines.reading import Reader
from throughtime.data.trivial.labels import cross_entropy, share
from throughtime.errors import NoLabels
from throughtime.estimators.sequences import Array


class Marginal(Reader):
    """Each label by the share of steps that have it, whatever came before.

    Sequences are of 0 and 1, a column for each of K labels; what is predicted is the
    next step. The first step of a sequence is not predicted, and not counted. One is
    added to every count (Laplace).

    Attributes
    ----------
    shares_ : numpy.ndarray
        `(K,)`, the probability of each label.
    n_features_in_ : int
        K; where X was a matrix, the length of its rows.
    """

    def fit(self, X: Any, y: None = None) -> Self:
        """Count the labels of sequences.

        Parameters
        ----------
        X
            N arrays ``(T_i, K)`` of 0 and 1, or one array ``(N, T, K)``.
        y
            Nothing; scikit-learn passes it.

        Raises
        ------
        NoLabels
            There are other numbers in it.
        """
        sequences = _labels(self._read_first(X))
        self._count(sequences)
        return self

    def predict_proba(self, X: Any) -> list[Floats]:
        """Give the probability of each label at the step after each, ``(T_i, K)``."""
        check_is_fitted(self, "_width")
        return [self._after(one) for one in _labels(self._read_more(X))]

    def predict(self, X: Any) -> list[Array]:
        """Give the labels that the step after each has, where it is likelier than not.

        Parameters
        ----------
        X
            As in `fit`.
        """
        return [(one >= 0.5).astype(int) for one in self.predict_proba(X)]

    def nats_per_frame(self, X: Any) -> float:
        """Give binary cross-entropies, summed over labels, averaged over all steps.

        The first step of a sequence is none of them.

        Parameters
        ----------
        X
            As in `fit`; one sequence at least has two steps.

        Raises
        ------
        NoLabels
            There is no step that counts.
        """
        check_is_fitted(self, "_width")
        sequences = _labels(self._read_more(X))
        frames = sum(len(one) - 1 for one in sequences)
        if not frames:
            raise NoLabels(given="one step in each sequence", expected="two in one")
        nats = sum(cross_entropy(self._after(one)[:-1], one[1:]) for one in sequences)
        return nats / frames

    def score(self, X: Any, y: None = None) -> float:
        """Give minus the nats per frame: scikit-learn looks for the highest score.

        Parameters
        ----------
        X
            As in `fit`.
        y
            Nothing; scikit-learn passes it.
        """
        return -self.nats_per_frame(X)

    def _count(self, sequences: Sequence[Floats]) -> None:
        now = np.concatenate([one[1:] for one in sequences])
        self.shares_ = share(now.sum(axis=0), len(now))

    def _after(self, sequence: Floats) -> Floats:
        return np.broadcast_to(self.shares_, sequence.shape)


class KeyChain(Marginal):
    """Each label by a first-order Markov chain of its own.

    A label's probability is its share of the steps after one that has it, or after one
    that has it not; else as in `Marginal`.

    Attributes
    ----------
    shares_ : numpy.ndarray
        `(2, K)`, the probability of each label after a step without it, and with it.
    n_features_in_ : int
        K; where X was a matrix, the length of its rows.
    """

    def _count(self, sequences: Sequence[Floats]) -> None:
        last = np.concatenate([one[:-1] for one in sequences])
        now = np.concatenate([one[1:] for one in sequences])
        here = np.stack([last == 0, last == 1])
        self.shares_ = share((here & (now == 1)).sum(axis=1), here.sum(axis=1))

    def _after(self, sequence: Floats) -> Floats:
        return np.where(sequence == 1, self.shares_[1], self.shares_[0])


def _labels(sequences: Sequence[Array]) -> list[Floats]:
    """Return arrays of 0 and 1, and refuse others."""
    found = [np.asarray(one, np.float64) for one in sequences]
    for one in found:
        other = one[(one != 0) & (one != 1)]
        if len(other):
            raise NoLabels(given=f"numbers such as {other[0]:g}", expected="0 and 1")
    return found
