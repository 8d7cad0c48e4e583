"""Real-valued series by a hidden Markov model: what each hidden state expects."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from throughtime.baselines.counting import Floats
from throughtime.baselines.emissions import learn_reals
from throughtime.baselines.series import SeriesForecaster, changes_of
from throughtime.baselines.settings import candidates, drawn_seed
from throughtime.errors import SeriesTooShort
from throughtime.estimators.datasets import share_of
from throughtime.train.asking.settings import check_count


class HiddenMarkovForecaster(SeriesForecaster):
    """The next values by a hidden Markov model with Gaussian emissions.

    The states are those of all features together, without covariances; hmmlearn learns
    them (Rabiner 1989), of changes that are scaled to vary by one in training. A
    forecast is the expected value, over all courses that the hidden chain may take.

    Parameters
    ----------
    states
        S, the number of hidden states; of several the one under which the last steps of
        each sequence are likeliest.
    horizon
        H, how many steps ahead.
    difference
        s: changes since s steps before are learned and added to the value then; 0: the
        values themselves.
    missing
        `"error"`, or `"forward"`: the last value stands for one that is missing.
    rounds
        Of Baum and Welch's algorithm, at most.
    validation
        The share of each sequence, its last steps, that chooses S. All of X is learned
        from again with what was chosen.
    random_state
        Draws where the algorithm begins.

    Attributes
    ----------
    states_ : int
        S.
    n_parameters_ : int
        The numbers of the model.
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    def __init__(
        self,
        states: int | Sequence[int] = (1, 2, 3, 4, 6, 8),
        horizon: int = 1,
        *,
        difference: int = 1,
        missing: str = "error",
        rounds: int = 50,
        validation: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.states = states
        self.horizon = horizon
        self.difference = difference
        self.missing = missing
        self.rounds = rounds
        self.validation = validation
        self.random_state = random_state

    def _season(self) -> int:
        return self.difference

    def _learn_from(self, series: Sequence[Floats]) -> None:
        tried = candidates("states", self.states)
        check_count("difference", self.difference, 0)
        check_count("rounds", self.rounds, 1)
        share = share_of(self.validation)
        seed = drawn_seed(self.random_state)
        known = [self._known_changes(one) for one in series]
        joined = np.concatenate(known)
        if len(joined) < 2:
            raise SeriesTooShort(rows=len(joined), lags=self.difference)
        self._level, spread = joined.mean(axis=0), joined.std(axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)
        scaled = [self._scaled(one) for one in known if len(one)]
        best = tried[0]
        if len(tried) > 1:
            best = self._chosen(scaled, sorted(tried), share, seed)
        self._chain = learn_reals(self, scaled, best, self.rounds, seed)
        self.states_ = len(self._chain.start)
        self.n_parameters_ = self._chain.n_parameters

    def _chosen(
        self, scaled: Sequence[Floats], tried: Sequence[int], share: Fraction, seed: int
    ) -> int:
        """Say with how many states the last steps are likeliest."""
        kept = [len(one) - int(share * len(one)) for one in scaled]
        train = [one[:stop] for one, stop in zip(scaled, kept, strict=True)]
        if all(stop == len(one) for one, stop in zip(scaled, kept, strict=True)):
            raise SeriesTooShort(rows=sum(kept), lags=self.difference)
        found: list[tuple[float, int]] = []
        for states in tried:
            chain = learn_reals(self, train, states, self.rounds, seed)
            likely = sum(
                chain.filtered(one)[0][stop:].sum()
                for one, stop in zip(scaled, kept, strict=True)
            )
            found.append((-likely, states))
        return min(found)[1]

    def _known_changes(self, values: Floats) -> Floats:
        changes = changes_of(values, self.difference)
        return changes[~np.isnan(changes).any(axis=1)]

    def _scaled(self, changes: Floats) -> Floats:
        return (changes - self._level) / self._spread

    def _coming(self, changes: Floats) -> Floats:
        means = self._chain.means
        assert means is not None, "a chain of reals"
        coming = np.empty((len(changes), self.horizon, changes.shape[1]))
        # Before the first change is known, the mean of training takes its place.
        coming[:] = self._level
        known = ~np.isnan(changes).any(axis=1)
        if not known.any():
            return coming
        first = int(known.argmax())
        _, states = self._chain.filtered(self._scaled(changes[first:]))
        for ahead in range(self.horizon):
            states = states @ self._chain.transition
            coming[first:, ahead] = states @ means * self._spread + self._level
        return coming
