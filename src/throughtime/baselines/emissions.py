"""Hidden Markov models with what hmmlearn lacks: what is known at every step."""

import logging
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from throughtime.baselines.counting import Floats
from throughtime.baselines.settings import package
from throughtime.data.types import IntegerArray

# Added to what is counted of symbols and transitions: none is impossible.
_PRIOR: Final = 1e-3
# Of the logarithm of the likelihood: near a saddle point there is little.
_LEAST_GAIN: Final = 1e-6
_LEAST_VARIANCE: Final = 1e-3  # of units in which training varies by one


@dataclass(frozen=True, eq=False)
class Chain:
    """A hidden Markov model with S states.

    Parameters
    ----------
    start, transition
        `(S,)` and `(S, S)`, probabilities of the first state, and of the next one.
    symbols
        `(S, K)`, the probability of each symbol; None of a model of reals.
    means, variances
        `(S, F)`; None of a model of symbols.
    """

    start: Floats
    transition: Floats
    symbols: Floats | None = None
    means: Floats | None = None
    variances: Floats | None = None

    @property
    def n_parameters(self) -> int:
        """How many numbers it has."""
        own = (self.start, self.transition, self.symbols, self.means, self.variances)
        return sum(one.size for one in own if one is not None)

    def logs(self, sequence: Any) -> Floats:
        """Return the logarithm of the density of each step in each state, `(T, S)`.

        Parameters
        ----------
        sequence
            `(T,)` symbols, -1 an unknown one, which says nothing; or `(T, F)` reals.
        """
        if self.symbols is not None:
            known = np.where(sequence >= 0, sequence, 0)
            logs = np.log(self.symbols.T[known])
            return np.where((sequence >= 0)[:, None], logs, 0.0)
        assert self.means is not None and self.variances is not None
        apart = (sequence[:, None] - self.means) ** 2 / self.variances
        return -0.5 * (apart + np.log(2 * np.pi * self.variances)).sum(axis=2)

    def filtered(self, sequence: Any) -> tuple[Floats, Floats]:
        """Run the forward algorithm (Rabiner 1989).

        Parameters
        ----------
        sequence
            As in `logs`.

        Returns
        -------
        densities : numpy.ndarray
            `(T,)`, the logarithm of that of each step after those before it.
        states : numpy.ndarray
            `(T, S)`, the probability of each state after each step.
        """
        logs = self.logs(sequence)
        most = logs.max(axis=1)
        likely = np.exp(logs - most[:, None])
        states, scales = np.empty_like(likely), np.empty(len(likely))
        now = self.start
        for t, one in enumerate(likely):
            joint = now * one
            scales[t] = joint.sum()
            states[t] = joint / scales[t]
            now = states[t] @ self.transition
        return np.log(scales) + most, states


def learn_symbols(
    estimator: Any,
    sequences: Sequence[IntegerArray],
    size: int,
    states: int,
    rounds: int,
    seeds: Sequence[int],
    until: float = math.inf,
) -> Chain:
    """Learn categorical emissions by Baum and Welch's algorithm, from hmmlearn.

    Parameters
    ----------
    estimator
        Who asks.
    sequences
        Arrays `(T_i,)` of numbers below `size`.
    size
        K.
    states
        S.
    rounds
        Of the algorithm, at most.
    seeds
        Each draws where it begins once; the likeliest result is taken.
    until
        When it ends, by `time.monotonic`: after the round that goes on then.
    """
    models = package(estimator, "hmmlearn.hmm")
    joined = np.concatenate(sequences)[:, None]
    lengths = [len(one) for one in sequences]
    found: list[tuple[float, Any]] = []
    for seed in seeds:
        model = models.CategoricalHMM(
            states,
            startprob_prior=1 + _PRIOR,
            transmat_prior=1 + _PRIOR,
            emissionprob_prior=1 + _PRIOR,
            n_features=size,
            n_iter=rounds,
            tol=_LEAST_GAIN,
            random_state=seed,
        )
        with _quiet():
            _ending(model, until).fit(joined, lengths)
            found.append((model.score(joined, lengths), model))
        if time.monotonic() >= until:
            break
    _, best = max(found, key=lambda one: one[0])
    return Chain(best.startprob_, best.transmat_, symbols=best.emissionprob_)


def learn_reals(
    estimator: Any,
    sequences: Sequence[Floats],
    states: int,
    rounds: int,
    seed: int,
    until: float = math.inf,
) -> Chain:
    """Learn Gaussian emissions without covariances, as `learn_symbols` does.

    Parameters
    ----------
    estimator, states, rounds
        As in `learn_symbols`; not more states than there are steps.
    sequences
        Arrays `(T_i, F)`, scaled.
    seed
        Draws where k-means begins, from which the algorithm goes on.
    until
        As in `learn_symbols`.
    """
    models = package(estimator, "hmmlearn.hmm")
    joined = np.concatenate(sequences)
    model = models.GaussianHMM(
        min(states, len(joined)),
        startprob_prior=1 + _PRIOR,
        transmat_prior=1 + _PRIOR,
        min_covar=_LEAST_VARIANCE,
        n_iter=rounds,
        random_state=seed,
    )
    with _quiet():
        _ending(model, until).fit(joined, [len(one) for one in sequences])
    variances = np.stack([np.diag(one) for one in model.covars_])
    variances = np.maximum(variances, _LEAST_VARIANCE)
    return Chain(
        model.startprob_, model.transmat_, means=model.means_, variances=variances
    )


def _ending(model: Any, until: float) -> Any:
    """Let a model look at the clock after each round."""
    kind: Any = type(model.monitor_)

    class Clock(kind):
        @property
        def converged(self) -> bool:
            return super().converged or time.monotonic() >= until

    model.monitor_ = Clock(model.tol, model.n_iter, model.verbose)
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what hmmlearn says of its course to itself: rounds end where they end."""
    logger = logging.getLogger("hmmlearn")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Its first means are found by k-means, of which some may be the same.
            warnings.filterwarnings("ignore", "Number of distinct clusters")
            yield
    finally:
        logger.setLevel(level)
