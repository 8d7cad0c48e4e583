"""Data sets that could have been drawn instead: other weights for what was drawn.

Where sequences are many, they are the units: each gets a random weight, all its answers
the same (the Bayesian bootstrap: Rubin, The Annals of Statistics 9, 1981). No weight is
0, so that no resample lacks a class that the data have. Where there is one long series,
or few, its answers are not independent; blocks of consecutive ones are drawn anew
(Künsch, The Annals of Statistics 17, 1989), round the end to the beginning, so that
every answer is as likely (Politis and Romano 1992).
"""

from typing import Protocol

import numpy as np

from throughtime.data.types import IntegerArray
from throughtime.train.measuring.predicted import Array

# Numbers drawn at a time: 32 MB.
_AT_ONCE = 4_000_000


class Resampling(Protocol):
    """Draws weights for n answers that are sorted by sequence and step.

    `units` says how many parts of the data vary independently, `description` over what
    is drawn.
    """

    units: float
    description: str

    def sums(self, parts: Array, random: np.random.Generator, count: int) -> Array:
        """Return weighted sums `(count, q)` of what each answer adds, `(n, q)`."""


class OfSequences:
    """Weights for whole sequences.

    Parameters
    ----------
    sequences
        `(n,)`, sorted.
    """

    def __init__(self, sequences: IntegerArray) -> None:
        _, self._starts = np.unique(sequences, return_index=True)
        self._count = len(self._starts)
        self.units = float(self._count)
        self.description = f"bootstrap over {self._count} sequences"

    def sums(self, parts: Array, random: np.random.Generator, count: int) -> Array:
        """Return weighted sums `(count, q)` of what each answer adds, `(n, q)`."""
        of_sequences = np.add.reduceat(parts, self._starts, axis=0)
        drawn = [
            random.standard_exponential((size, self._count)) @ of_sequences
            for size in _portions(count, self._count)
        ]
        return np.concatenate(drawn)


class OfBlocks:
    """How often each answer is in blocks that are drawn anew.

    Parameters
    ----------
    series
        `(n,)`, how far each answer pulls the metric; it tells how far answers depend on
        one another, and so how long a block must be.
    sequences
        How many sequences the series consists of.
    """

    def __init__(self, series: Array, sequences: int = 1) -> None:
        self._n = len(series)
        self._length = block_length(series, sequences)
        self._blocks = -(-self._n // self._length)
        self.units = self._n / self._length
        self.description = (
            f"bootstrap over moving blocks of {self._length} of {self._n} steps"
        )

    def sums(self, parts: Array, random: np.random.Generator, count: int) -> Array:
        """Return weighted sums `(count, q)` of what each answer adds, `(n, q)`."""
        around = np.concatenate([parts, parts[: self._length]]).cumsum(axis=0)
        of_blocks = around[self._length - 1 : -1].copy()
        of_blocks[1:] -= around[: self._n - 1]
        drawn = [
            of_blocks[random.integers(0, self._n, (size, self._blocks))].sum(axis=1)
            for size in _portions(count, self._blocks * parts.shape[1])
        ]
        return np.concatenate(drawn)


def block_length(series: Array, sequences: int = 1) -> int:
    """Choose how many consecutive answers are drawn together.

    The longer of n^(1/3) and the length of Politis and White (Econometric Reviews 23,
    2004; corrected by Patton, Politis and White, 28, 2009), which follows from how fast
    the autocovariance vanishes; short blocks would make intervals too narrow. Of
    several sequences, some may be harder than others from the first step to the last:
    then no block is shorter than two of them, and most hold the better part of a whole
    one. A third of all answers is the longest block of which there are a few.

    Parameters
    ----------
    series
        `(n,)`.
    sequences
        Of how many sequences it consists.
    """
    n = len(series)
    shortest = 2 * n / sequences if sequences > 1 else n ** (1 / 3)
    longest = max(1, n // 3)
    return int(np.clip(np.ceil(_politis_white(series)), round(shortest), longest))


def _politis_white(series: Array) -> float:
    n = len(series)
    run = max(5, int(np.ceil(np.sqrt(np.log10(n)))))
    lags = int(np.ceil(np.sqrt(n))) + run
    centred = series - series.mean()
    if n <= lags or not np.ptp(series):
        return 1.0
    transformed = np.fft.rfft(centred, 2 * n)
    covariance = np.fft.irfft(np.abs(transformed) ** 2)[: lags + 1] / n
    small = np.abs(covariance[1:] / covariance[0]) < 2 * np.sqrt(np.log10(n) / n)
    # The first lag after which a whole run of correlations is as good as none.
    runs = np.lib.stride_tricks.sliding_window_view(small, run).all(axis=1)
    last = int(runs.argmax()) if runs.any() else lags
    bandwidth = min(2 * max(last, 1), lags)
    lag = np.arange(-bandwidth, bandwidth + 1)
    # The flat-top window keeps what is near as it is.
    window = np.clip(2 * (1 - np.abs(lag) / bandwidth), 0, 1)
    weighted = window * covariance[np.abs(lag)]
    spread, level = (np.abs(lag) * weighted).sum(), weighted.sum()
    if level <= 0:
        return 1.0
    return float((2 * spread**2 / (4 / 3 * level**2)) ** (1 / 3) * n ** (1 / 3))


def _portions(count: int, each: int) -> list[int]:
    """Split a number of resamples, of so many numbers each, for the memory."""
    size = max(1, _AT_ONCE // each)
    return [min(size, count - done) for done in range(0, count, size)]
