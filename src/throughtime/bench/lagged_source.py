"""A source whose symbols depend on the one L steps back, and on nothing else.

Each symbol is, with probability q, that of L steps before; else it is drawn, all V
symbols alike. The first L are all drawn::

    a c b a b a c b a b a c c a b a c c      L = 5
    └─────────┴─────────┴                    most symbols come again

So the right symbol has probability p = q + (1 − q)/V, each other one (1 − p)/(V − 1).
Where the one L steps back is known, what is left to say is the entropy rate

    h = −p log₂ p − (1 − p) log₂ ((1 − p)/(V − 1))     bits per symbol.

The symbols of the L − 1 steps before are from the other chains of the L that lie side
by side in the source, and say nothing. So the least that a Markov chain with k symbols
of context can reach is

    H_k = log₂ V  for k < L,     H_k = h  for k ≥ L,

and a chain that reaches h distinguishes V^L contexts. A recurrent network has to hold L
symbols in its state, which grows with L alone.

`chain` and `network` measure both on the same symbols; `success` is the share of
H_0 − h that a model has learned, `memory_capacity` the lag up to which that is half.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, Final, NamedTuple

import numpy as np

from throughtime.baselines import NGram
from throughtime.errors import NumberOutOfRange
from throughtime.estimators import SymbolModel
from throughtime.train.asking.settings import check_count

#: A model has learned the source with at least this share of what is to be learned.
LEARNED: Final = 0.5
#: The networks here; they have 14,000 to 20,000 weights.
RECIPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "elman": {"hidden_size": 128, "init": "orthogonal", "learning_rate": 0.002},
    "gru": {"hidden_size": 64, "init": "orthogonal", "learning_rate": 0.005},
    "lstm": {"hidden_size": 64, "init": "chrono", "learning_rate": 0.01},
}


@dataclass(frozen=True)
class LaggedSource:
    """The source.

    Parameters
    ----------
    lag
        L, at least 1.
    symbols
        V, 2 to 26: letters from a on.
    repeat
        q, the probability that a symbol is that of L steps before; above 0, below 1.

    Raises
    ------
    NumberOutOfRange
        One of them is none of these.
    """

    lag: int
    symbols: int = 4
    repeat: float = 0.9

    def __post_init__(self) -> None:
        check_count("lag", self.lag, 1)
        check_count("symbols", self.symbols, 2, len(ascii_lowercase))
        if not 0 < self.repeat < 1:
            expected = "a number above 0 and below 1"
            raise NumberOutOfRange(
                argument="repeat", given=self.repeat, expected=expected
            )

    @property
    def right(self) -> float:
        """p, the probability of the symbol of L steps before."""
        return self.repeat + (1 - self.repeat) / self.symbols

    @property
    def entropy_rate(self) -> float:
        """h, in bits per symbol."""
        wrong = 1 - self.right
        surprise = wrong * math.log2(wrong / (self.symbols - 1))
        return -self.right * math.log2(self.right) - surprise

    def floor(self, context: int) -> float:
        """Give H_k, in bits per symbol: what no chain of this context falls below.

        Parameters
        ----------
        context
            k, symbols before the one to be said.
        """
        check_count("context", context, 0)
        return math.log2(self.symbols) if context < self.lag else self.entropy_rate

    def draw(self, steps: int, *, seed: int = 0) -> str:
        """Draw so many symbols.

        Parameters
        ----------
        steps
            How many.
        seed
            What they are drawn from.
        """
        check_count("steps", steps, 1)
        draw = np.random.default_rng(seed)
        drawn = draw.integers(self.symbols, size=steps)
        repeated = draw.random(steps) < self.repeat
        for start in range(self.lag, steps, self.lag):
            stop = min(start + self.lag, steps)
            before = drawn[start - self.lag : stop - self.lag]
            drawn[start:stop] = np.where(
                repeated[start:stop], before, drawn[start:stop]
            )
        return "".join(ascii_lowercase[symbol] for symbol in drawn.tolist())

    def bits(self, text: str) -> float:
        """Give the bits per symbol of who knows the source, of all but the first.

        Over ever more symbols it becomes h; models are judged beside it on the same
        ones, so that what happened to be drawn counts for none of them.

        Parameters
        ----------
        text
            What was drawn, longer than L.
        """
        check_count("len(text)", len(text), self.lag + 1)
        pairs = zip(text, text[self.lag :], strict=False)
        right = sum(before == now for before, now in pairs)
        wrong = len(text) - self.lag - right
        other = (1 - self.right) / (self.symbols - 1)
        said = right * math.log2(self.right) + wrong * math.log2(other)
        beginning = (self.lag - 1) * math.log2(self.symbols)
        return (beginning - said) / (len(text) - 1)


class Outcome(NamedTuple):
    """What a model came to.

    `bits` per symbol on the test; `success`, the share of what is to be learned;
    `numbers` that it keeps: counts of a chain, weights of a network.
    """

    bits: float
    success: float
    numbers: int


class Parts(NamedTuple):
    """Symbols to learn from, and others to be judged on."""

    training: str
    test: str


def parts(
    source: LaggedSource, *, steps: int = 100_000, test_steps: int = 20_000
) -> Parts:
    """Draw training and test symbols, always the same ones.

    Parameters
    ----------
    source
        What they are drawn from.
    steps, test_steps
        How many.
    """
    return Parts(source.draw(steps, seed=1), source.draw(test_steps, seed=2))


def success(source: LaggedSource, bits: float, test: str) -> float:
    """Give what share of H_0 − h a model has learned: 0 for nothing, 1 for all.

    Parameters
    ----------
    source
        Where the test is from.
    bits
        Per symbol of the test.
    test
        What it was measured on; h is that of these symbols.
    """
    nothing = source.floor(0)
    return (nothing - bits) / (nothing - source.bits(test))


def chain(source: LaggedSource, context: int, drawn: Parts) -> Outcome:
    """Count a Markov chain, and judge it.

    Parameters
    ----------
    source
        Where the symbols are from.
    context
        k, symbols of context: `throughtime.baselines.NGram` of order k + 1.
    drawn
        The symbols.
    """
    model = NGram(context + 1).fit(drawn.training)
    bits = model.bits_per_symbol(drawn.test)
    return Outcome(bits, success(source, bits, drawn.test), model.n_parameters_)


def network(
    source: LaggedSource,
    cell: str,
    drawn: Parts,
    *,
    hidden_size: int | None = None,
    epochs: int = 10,
    batch_size: int = 16,
    seed: int = 0,
) -> Outcome:
    """Train a recurrent network on one thread, and judge it.

    It reads the training symbols in parallel streams whose state is carried on; error
    flows back through windows of 2L steps, or 32.

    Parameters
    ----------
    source
        Where the symbols are from.
    cell
        The name of one of `RECIPES`.
    drawn
        The symbols; a tenth of those to learn from says which weights to keep.
    hidden_size
        H; None: that of the recipe.
    epochs, batch_size, seed
        As `throughtime.fit` takes them.
    """
    recipe = {**RECIPES[cell]}
    if hidden_size is not None:
        recipe["hidden_size"] = hidden_size
    model = SymbolModel(
        cell,
        **recipe,
        embedding=8,
        epochs=epochs,
        patience=epochs,
        batch_size=batch_size,
        steps=max(32, 2 * source.lag),
        random_state=seed,
        threads=1,
    ).fit(drawn.training)
    bits = model.bits_per_symbol(drawn.test)
    weights = sum(weight.numel() for weight in model.model_.parameters())
    return Outcome(bits, success(source, bits, drawn.test), weights)


def memory_capacity(successes: Mapping[int, float]) -> int:
    """Give the longest lag before success drops below `LEARNED`; 0: the first does.

    Parameters
    ----------
    successes
        By lag.
    """
    capacity = 0
    for lag, learned in sorted(successes.items()):
        if learned < LEARNED:
            break
        capacity = lag
    return capacity
