"""Where the rows of a layer's call lie, as compiled code reads it."""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from throughtime.backends.llvm.rows import Rows

CPU = torch.device("cpu")
WORD = torch.int64


@dataclass(frozen=True)
class Extent:
    """How many rows there are, and where they lie."""

    batch: int
    alive: int
    rows: Rows
    held: tuple[Tensor, ...]
    """The tables that ``rows`` has the addresses of."""
    sequences: Tensor | None = None
    """The sequence of each row, where the code has to know."""
    first: int = 0
    """The first of these rows among those of all segments."""


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
    lengths = torch.full((batch,), steps, dtype=WORD, device=CPU)
    return _extent(batch, steps * batch, table, segments, lengths)


@lru_cache(maxsize=256)
def flat_extent(rows: int) -> Extent:
    """Rows of a cell without states, in no order of time."""
    counts = torch.full((1,), rows, dtype=WORD, device=CPU)
    none = torch.empty((0,), dtype=WORD, device=CPU)
    table = _table(torch.zeros_like(counts), counts, rows)
    return _extent(rows, rows, table, none.view(0, 3), none)


_of_counts: MutableMapping[Tensor, tuple[int, int, Extent]] = WeakTensorKeyDictionary()


def ragged_extent(batch: int, counts: Tensor) -> Extent:
    """``counts[t]`` sequences are alive at step t, the first ones.

    All layers and directions ask for the same, and so does a backward pass.
    """
    if counts.is_inference():
        # It would not say whether somebody has changed it since.
        return _ragged_extent(batch, counts)
    known = _of_counts.get(counts)
    if known is not None and known[:2] == (batch, counts._version):
        return known[2]
    found = _ragged_extent(batch, counts)
    _of_counts[counts] = batch, counts._version, found
    return found


def _ragged_extent(batch: int, counts: Tensor) -> Extent:
    counts = counts[counts > 0]
    starts = counts.cumsum(0) - counts
    table = _table(starts, counts, batch)
    segments = table.T[1:].contiguous()
    return _extent(batch, int(counts.sum()), table, segments, exceeding(counts, batch))


def extent_of(
    states: bool,
    rows: int,
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
    *,
    sequences: bool = False,
    first: int = 0,
) -> Extent:
    """That of a call.

    Parameters
    ----------
    states
        Whether the cell has any.
    rows
        N.
    counts, steps, batch, reverse
        As in `execution.run_layer`.
    sequences
        Whether the code has to know the sequence of each row.
    first
        The first of these rows among those of all segments.
    """
    found = _extent_of(states, rows, counts, steps, batch, reverse)
    if not sequences:
        return replace(found, first=first) if first else found
    if counts is None:
        table = dense_sequences(steps, batch)
    else:
        _, table = places_of_rows(counts)
    return replace(found, sequences=table, first=first)


def _extent_of(
    states: bool,
    rows: int,
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
) -> Extent:
    if not states:
        return flat_extent(rows if counts is None else int(counts.sum()))
    if counts is not None:
        return ragged_extent(batch, counts)
    return dense_extent(steps, batch, reverse)


@lru_cache(maxsize=8)
def dense_sequences(steps: int, batch: int) -> Tensor:
    """The sequence of each row, where all sequences have all steps."""
    return torch.arange(batch, dtype=WORD, device=CPU).repeat(steps)


def places_of_rows(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Step and sequence of each row, where so many are alive at each step."""
    behind = counts.cumsum(0)
    rows = torch.arange(int(counts.sum()), dtype=WORD, device=counts.device)
    # `repeat_interleave` would wake threads, however few the rows.
    steps = torch.searchsorted(behind, rows, right=True)
    return steps, rows - (behind - counts)[steps]


def exceeding(falling: Tensor, count: int) -> Tensor:
    """How many of the numbers are more than 0, than 1, …, ``(count,)``.

    Of the sequences alive at each step these are the lengths, and the reverse.
    """
    numbers = torch.arange(count, device=falling.device)
    return torch.searchsorted(-falling, -numbers)


def _table(starts: Tensor, counts: Tensor, batch: int) -> Tensor:
    """First row of each step, of the one before it, and the number of rows alive."""
    first = torch.full((1,), -batch, dtype=WORD, device=CPU)
    before = torch.cat([first, starts[:-1]])[: len(starts)]
    return torch.stack([starts, before, counts])


def _extent(
    batch: int, alive: int, table: Tensor, segments: Tensor, lengths: Tensor
) -> Extent:
    steps = table.shape[1]
    ends = _ends(batch, table[0], lengths)
    addresses = table.data_ptr(), segments.data_ptr()
    loads = torch.cat([torch.zeros(1, dtype=WORD, device=CPU), lengths.cumsum(0)])
    rows = Rows(
        steps,
        batch,
        alive,
        *addresses,
        segments.shape[0],
        ends=ends.data_ptr(),
        loads=loads.data_ptr(),
    )
    return Extent(batch, alive, rows, (table, segments, ends, loads))


def _ends(batch: int, starts: Tensor, lengths: Tensor) -> Tensor:
    """Row of each sequence's last step, and the one of a carried value after it."""
    sequences = torch.arange(len(lengths), device=CPU)
    steps = torch.cat([torch.full((1,), -batch, dtype=WORD, device=CPU), starts])
    return torch.stack(
        [steps[lengths] + sequences, ((lengths - 1) & 1) * batch + sequences]
    )


def clear_behind(value: Tensor, alive: int) -> None:
    """Rows that no sequence has are 0."""
    rows = value.shape[:-1].numel()
    if alive < rows:
        value.view(rows, value.shape[-1])[alive:].zero_()
