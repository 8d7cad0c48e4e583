"""Text into parallel streams, cut into chunks that follow each other.

Row b of a chunk goes on where row b of the chunk before ended, so the state of the
network is carried from chunk to chunk.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import torch

from throughtime.data.types import IntegerArray
from throughtime.errors import NotPositive, TooFewSymbols

#: The target where there is nothing to predict; torch's losses leave it out.
IGNORED: Final = -100


class TextChunk(NamedTuple):
    """Some steps of every stream.

    `inputs` and `targets` are `(T, B)`: symbols, and the symbol after each.
    `lengths` `(B,)` says how many steps of each row count; after them the input is 0
    and the target `IGNORED`. `places` `(T, B)` says which symbol of the text each
    step reads.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    lengths: torch.Tensor
    places: torch.Tensor


@dataclass(frozen=True, eq=False)
class TextStreams:
    """One pass over a text, in order, each time it is iterated.

    Parameters
    ----------
    symbols
        `(N,)`, the text.
    batch_size
        B, the number of parallel streams. Each starts without context, so more streams
        measure slightly more bits: B = 1 is the exact pass.
    steps
        T, the steps of a chunk; the last may have fewer.
    whole
        True: every symbol but the first is predicted exactly once, and streams differ
        in length by one step at most. False, for training: the streams are
        equally long, and up to B - 1 symbols at the end are left out.
    share
        The streams that are given. Where it has none of them, nothing is.

    Raises
    ------
    NotPositive, TooFewSymbols
        The text cannot be cut so.
    """

    symbols: IntegerArray
    batch_size: int
    steps: int
    whole: bool = False
    share: slice = field(default_factory=lambda: slice(None), kw_only=True)

    def __post_init__(self) -> None:
        for argument in ("batch_size", "steps"):
            if getattr(self, argument) < 1:
                raise NotPositive(argument=argument, given=getattr(self, argument))
        if len(self.symbols) <= self.batch_size:
            raise TooFewSymbols(
                symbols=len(self.symbols),
                batch_size=self.batch_size,
                needed=self.batch_size + 1,
            )

    def __len__(self) -> int:
        return -(-int(self._sizes().max()) // self.steps)

    def __iter__(self) -> Iterator[TextChunk]:
        return self.after(0)

    def after(self, done: int) -> Iterator[TextChunk]:
        """Give a pass without its first chunks."""
        sizes = self._sizes()
        longest = int(sizes.max())
        starts = (np.cumsum(sizes) - sizes)[self.share]
        sizes = sizes[self.share]
        for first in range(done * self.steps, longest if len(sizes) else 0, self.steps):
            last = min(first + self.steps, longest)
            step = np.arange(first, last)[:, None]  # (T, 1)
            counts = step < sizes  # (T, B)
            place = np.where(counts, starts + step, 0)
            inputs = np.where(counts, self.symbols[place], 0)
            targets = np.where(counts, self.symbols[place + 1], IGNORED)
            yield TextChunk(
                torch.from_numpy(inputs),
                torch.from_numpy(targets),
                torch.from_numpy((sizes - first).clip(0, last - first)),
                torch.from_numpy(place),
            )

    def _sizes(self) -> IntegerArray:
        """Return the number of predictions of each stream."""
        size, more = divmod(len(self.symbols) - 1, self.batch_size)
        sizes = np.full(self.batch_size, size, dtype=np.int64)
        if self.whole:
            sizes[:more] += 1
        return sizes
