"""Sequences of several lengths as a permutation of rows.

Packed rows hold step 0 of every sequence that has one, then step 1, …, the longest
sequence first; so a layer runs over them without a mask. What lies behind a
sequence's end stands behind all of them and is never read. Everything here has
shapes that the lengths do not change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from throughtime.errors import BadLengths


@dataclass(frozen=True)
class Packing:
    """Where each row of a batch goes."""

    counts: Tensor
    """Number of sequences alive at each step, ``(T,)``, int64 on the CPU."""
    order: Tensor | None = None
    """Sequences from the longest to the shortest, ``(B,)``; None: they are so."""
    rank: Tensor | None = None
    """Place of each sequence in ``order``, ``(B,)``."""
    gather: Tensor | None = None
    """For each packed row its row in time order, ``(T·B,)``; None: it is packed."""
    scatter: Tensor | None = None
    """For each row in time order its packed row, ``(T·B,)``."""
    mirror: Tensor | None = None
    """For each packed row that of the same sequence read backwards."""


def pack(lengths: Tensor, steps: int, device: torch.device, mirrored: bool) -> Packing:
    """How to pack T steps of sequences with these lengths.

    Parameters
    ----------
    lengths
        ``(B,)``, int64, each from 0 to T.
    steps
        T.
    device
        Where the rows are.
    mirrored
        Whether sequences will also be read backwards.
    """
    order = torch.argsort(lengths, descending=True, stable=True)
    rank = torch.argsort(order)
    falling = lengths[order]
    alive = torch.arange(steps, device=lengths.device)[:, None] < falling
    place = _places(alive)
    rows = torch.arange(alive.numel(), device=lengths.device).view(alive.shape)
    gather = torch.empty_like(rows.view(-1))
    gather = gather.scatter(0, place.view(-1), rows[:, order].view(-1))
    mirror = _mirror(alive, falling, place) if mirrored else None
    return Packing(
        counts=alive.sum(1).cpu(),
        order=order.to(device),
        rank=rank.to(device),
        gather=gather.to(device),
        scatter=place[:, rank].view(-1).to(device),
        mirror=None if mirror is None else mirror.to(device),
    )


def packed(counts: Tensor, rows: int, device: torch.device, mirrored: bool) -> Packing:
    """Packing of rows that torch has packed already."""
    if not mirrored:
        return Packing(counts)
    sequences = torch.arange(int(counts[0]))
    alive = sequences < counts[:, None]
    mirror = _mirror(alive, alive.sum(0), _places(alive))
    return Packing(counts, mirror=mirror[:rows].to(device))


def _places(alive: Tensor) -> Tensor:
    """Packed row of each step and sequence: the dead behind the living."""
    living = alive.view(-1).cumsum(0)
    dead = torch.logical_not(alive).view(-1).cumsum(0) + alive.sum()
    return torch.where(alive.view(-1), living, dead).view(alive.shape) - 1


def _mirror(alive: Tensor, lengths: Tensor, place: Tensor) -> Tensor:
    last = lengths - 1
    step = torch.arange(alive.shape[0], device=alive.device)[:, None]
    opposite = place.gather(0, (last - step).clamp(min=0))
    opposite = torch.where(alive, opposite, place).view(-1)
    return torch.empty_like(opposite).scatter(0, place.view(-1), opposite)


def checked_lengths(lengths: Sequence[int] | Tensor, steps: int, batch: int) -> Tensor:
    """The lengths as an int64 tensor, if they are B integers from 0 to T."""

    def refusal(given: object) -> BadLengths:
        return BadLengths(given=given, batch=batch, steps=steps)

    try:
        values = torch.as_tensor(lengths)
    except (TypeError, ValueError, RuntimeError):
        raise refusal(repr(lengths)) from None
    if values.shape != (batch,):
        raise refusal(f"of shape {tuple(values.shape)}")
    whole = not (values.is_floating_point() or values.is_complex())
    # torch makes floating point numbers of an empty list.
    if batch and (not whole or values.dtype == torch.bool):
        raise refusal(f"of type {values.dtype}")
    values = values.to(torch.int64)
    inside = ((values >= 0) & (values <= steps)).all()
    if torch.compiler.is_compiling():
        # Inside a compiled graph no branch may look at a value, and a message that
        # named the number of steps would compile anew for every number.
        torch._assert_async(inside, "lengths must be from 0 to the number of steps")
    elif not inside:
        raise refusal(values.tolist())
    return values
