"""Is one model better than another: a paired test, and the interval that it gives.

The same test sequences, or blocks of steps, are answered by both. If neither is better,
which of both answers is whose might be exchanged in each of them: signs of differences
are flipped at random, and the p-value is the share of flips that bring a difference as
large as the one measured (Fisher 1935; Good, *Permutation Tests*, 2000). Of accuracies
it is the exact test of McNemar (1947). The interval holds every difference that the
same test does not refuse, so that it leaves zero out exactly where p is small.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from throughtime.bench.comparing.scoring import Scored
from throughtime.data.types import IntegerArray
from throughtime.train.measuring.predicted import Array
from throughtime.train.measuring.resampling import block_length

FLIPS: Final = 9999
LEVEL: Final = 0.05
"""How often one of all comparisons, or more, may be decided though nothing differs."""

# More units than that are put together: sums of many are as good.
_MOST_UNITS = 4096
# So many times as long as those of a bootstrap are blocks, if there are so many then:
# of fewer units p cannot fall below 0.05 / 25, as it must in up to 25 comparisons.
_TIMES, _FEWEST = 3, 10
# Up to so many units all flips are gone through.
_ALL = 13
_AT_ONCE = 4_000_000


class Flips(NamedTuple):
    """A difference, and for each flip up to which true difference it is as large.

    `effect` is what was measured; `lows` and `highs`, `(R,)` in order, are the true
    differences below and above it from which on a flip brings as large a deviation;
    `units` says over what was paired; `least` is the smallest p-value that so many of
    them can have.
    """

    effect: float
    lows: Array
    highs: Array
    units: str
    least: float

    @property
    def p(self) -> float:
        """The p-value of no difference."""
        if self.effect >= 0:
            return self._share(int(np.searchsorted(self.lows, 0.0, side="right")))
        return self._share(
            len(self.highs) - int(np.searchsorted(self.highs, 0.0, side="left"))
        )

    def interval(self, level: float) -> tuple[float, float]:
        """Return the differences whose p-value is above a level."""
        count = int(np.floor(level * (len(self.lows) + 1) + 1e-9))
        if count < 1:
            return -np.inf, np.inf
        return float(self.lows[count - 1]), float(self.highs[-count])

    def _share(self, as_large: int) -> float:
        return (as_large + 1) / (len(self.lows) + 1)


class Compared(NamedTuple):
    """A difference that was tested beside others.

    Parameters
    ----------
    effect
        By how much the first model is better, in units of the metric.
    low, high
        The interval of the effect, at the `confidence` of its step of Holm's procedure:
        it leaves zero out exactly where `p` is at most 0.05.
    p
        After Holm's correction.
    comparisons
        How many it was corrected for.
    units
        Over what was paired.
    enough
        Whether there are enough of them: of fewer not even the smallest p-value that
        they can have would decide one of so many comparisons.
    """

    effect: float
    low: float
    high: float
    confidence: float
    p: float
    comparisons: int
    units: str
    enough: bool = True

    @property
    def decided(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def flips(first: Scored, second: Scored, seed: int = 0) -> Flips:
    """Pair two models' answers to the same questions.

    Parameters
    ----------
    first, second
        In the same order, of the same metric. That of numbers is a root of a mean: it
        is the squared errors that are paired, and as their means differ by the
        difference of the roots times the sum of these, both are zero together.
    seed
        Draws the flips.
    """
    sums = [one.additive.parts.astype(np.float64) for one in (first, second)]
    better = sums[0][:, 0] - sums[1][:, 0]
    better = better if first.higher else -better
    counts = sums[0][:, 1]
    roots = first.value + second.value
    if first.additive.root and roots > 0:
        better = better / roots  # a² - b² = (a - b)(a + b)
    effect = better.sum() / counts.sum()
    starts, units = _units(first, better - effect * counts)
    better = np.add.reduceat(better, starts)
    counts = np.add.reduceat(counts, starts)
    lows, highs = _thresholds(better, counts, seed)
    # To flip everything is as large as to flip nothing.
    least = (2 if len(starts) <= _ALL else 1) / (len(lows) + 1)
    return Flips(float(effect), lows, highs, units, least)


def holm(differences: Sequence[Flips], level: float = LEVEL) -> list[Compared]:
    """Correct for the number of comparisons (Holm 1979).

    The smallest of m p-values is compared with level / m, the next with level / (m - 1)
    and so on, until one is larger; each interval is at the level that its p-value was
    compared with, or the one where the procedure ended.
    """
    m = len(differences)
    order = sorted(range(m), key=lambda place: differences[place].p)
    found: dict[int, Compared] = {}
    corrected, step, going_on = 0.0, 0, True
    for rank, place in enumerate(order):
        one = differences[place]
        step = rank if going_on else step
        own = level / (m - step)
        low, high = one.interval(own)
        going_on = going_on and not low <= 0 <= high
        corrected = max(corrected, min(1.0, one.p * (m - rank)))
        found[place] = Compared(
            one.effect,
            low,
            high,
            1 - own,
            corrected,
            m,
            one.units,
            one.least <= level / m,
        )
    return [found[place] for place in range(m)]


def _units(scored: Scored, pull: Array) -> tuple[IntegerArray, str]:
    """Say where each unit begins, and what they are.

    Whole sequences where there are enough; else blocks of consecutive steps within
    them, so long that what happens in one tells little of the next.
    """
    starts = np.flatnonzero(np.diff(scored.sequences, prepend=-1))
    n, sequences = len(pull), len(starts)
    if sequences >= _FEWEST or sequences == n:
        if sequences > _MOST_UNITS:
            starts = starts[_edges(sequences, _MOST_UNITS)]
        return starts, f"{sequences:,} test sequences"
    # Blocks of a bootstrap may depend on their neighbours, those that are flipped not.
    length = min(_TIMES * block_length(pull), max(1, n // _FEWEST))
    lengths = np.diff(starts, append=n)
    counts = np.maximum(1, np.rint(lengths / length).astype(np.int64))
    if counts.sum() < _FEWEST:
        counts = -(-lengths // length)
    blocks = np.concatenate(
        [
            start + _edges(own, count)
            for start, own, count in zip(starts, lengths, counts, strict=True)
        ]
    )
    longest = int(np.diff(blocks, append=n).max())
    told = f"{len(blocks):,} blocks of up to {longest:,} test steps"
    return blocks, f"{told} of {sequences} sequences" if sequences > 1 else told


def _edges(n: int, count: int) -> IntegerArray:
    """Cut n things into so many parts, as equal as can be."""
    return np.unique(np.arange(count) * n // count)


def _thresholds(better: Array, counts: Array, seed: int) -> tuple[Array, Array]:
    """Return for each flip the true differences from which on it is as large.

    With a true difference θ the differences are ``better - θ counts``. Away from the
    effect their sum grows at least as fast as that of any flip of them, so each flip is
    as large up to one θ on either side.
    """
    total, whole = better.sum(), counts.sum()
    lows: list[Array] = []
    highs: list[Array] = []
    for signs in _signs(len(better), np.random.default_rng(seed)):
        flipped, weight = signs @ better, signs @ counts
        with np.errstate(divide="ignore", invalid="ignore"):
            same = (total - flipped) / (whole - weight)
            other = (total + flipped) / (whole + weight)
        # A flip of nothing, or of everything, is as large whatever is true.
        lows.append(np.nan_to_num(np.fmin(same, other), nan=-np.inf))
        highs.append(np.nan_to_num(np.fmax(same, other), nan=np.inf))
        nothing = np.abs(weight) >= whole
        lows[-1][nothing], highs[-1][nothing] = -np.inf, np.inf
    return np.sort(np.concatenate(lows)), np.sort(np.concatenate(highs))


def _signs(units: int, random: np.random.Generator) -> Iterator[Array]:
    """Give signs `(r, units)`, so many rows at a time as memory is well spent on."""
    if units <= _ALL:
        # All of them but the one that flips nothing, which is counted by itself.
        yield 1.0 - 2 * (np.arange(1, 2**units)[:, None] >> np.arange(units) & 1)
        return
    rows = max(1, _AT_ONCE // units)
    for done in range(0, FLIPS, rows):
        shape = (min(rows, FLIPS - done), units)
        yield 1.0 - 2 * random.integers(0, 2, shape, np.int8)
