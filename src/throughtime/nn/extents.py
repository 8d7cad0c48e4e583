"""Where the rows of a layer's call lie, as compiled code reads it."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from throughtime.backends.llvm.rows import Rows

CPU = torch.device("cpu")
WORD = torch.int64


@dataclass(frozen=True)
class Extent:
    """How many rows there are, where they lie, and which are the last ones."""

    steps: int
    batch: int
    alive: int
    rows: Rows
    last_row: int
    """First row of the last step."""
    last: Tensor | None
    """Row of each sequence's last step, ``(B,)``; None: the last step's rows."""
    lengths: Tensor | None
    held: tuple[Tensor, Tensor]
    """The tables that ``rows`` has the addresses of."""


@lru_cache(maxsize=256)
def dense_extent(steps: int, batch: int, reverse: bool) -> Extent:
    """All sequences have all steps; ``reverse`` starts at the last one."""
    starts = torch.arange(steps, dtype=WORD, device=CPU) * batch
    if reverse:
        starts = starts.flip(0)
    counts = torch.full((steps,), batch, dtype=WORD, device=CPU)
    table = _table(starts, counts, batch)
    rest = (steps - 1) * batch
    segment = (0, batch, rest) if reverse else (batch, 0, rest)
    listed = [segment] if rest > 0 else []
    segments = torch.tensor(listed, dtype=WORD, device=CPU).reshape(-1, 3)
    return _extent(batch, steps * batch, table, segments, None, None)


def ragged_extent(batch: int, counts: Tensor) -> Extent:
    """``counts[t]`` sequences are alive at step t, the first ones."""
    counts = counts[counts > 0]
    starts = counts.cumsum(0) - counts
    table = _table(starts, counts, batch)
    segments = table.T[1:].contiguous()
    sequences = torch.arange(batch, device=CPU)
    lengths = (counts[:, None] > sequences).sum(0)
    ends = (lengths - 1).clamp(min=0)
    last = sequences + (starts[ends] if len(counts) else 0)
    last = torch.where(lengths > 0, last, sequences - batch)
    return _extent(batch, int(counts.sum()), table, segments, last, lengths)


def _table(starts: Tensor, counts: Tensor, batch: int) -> Tensor:
    """First row of each step, of the one before it, and the number of rows alive."""
    first = torch.full((1,), -batch, dtype=WORD, device=CPU)
    before = torch.cat([first, starts[:-1]])[: len(starts)]
    return torch.stack([starts, before, counts])


def _extent(
    batch: int,
    alive: int,
    table: Tensor,
    segments: Tensor,
    last: Tensor | None,
    lengths: Tensor | None,
) -> Extent:
    steps = table.shape[1]
    addresses = table.data_ptr(), segments.data_ptr()
    rows = Rows(steps, batch, alive, *addresses, segments.shape[0])
    last_row = int(table[0, -1]) if steps else 0
    held = table, segments
    return Extent(steps, batch, alive, rows, last_row, last, lengths, held)
