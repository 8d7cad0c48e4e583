"""Sequences of several lengths as a permutation of rows.

Packed rows hold step 0 of every part that has one, then step 1, …, the longest part
first; so a layer runs over them without a mask. A sequence is one part, or begins
anew at each reset as a part of its own: nothing flows from one to the next. What lies
behind a sequence's end is left out, or where the number of rows must not depend on
values, stands behind all parts and is never read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from throughtime.errors import BadLengths, BadResets
from throughtime.nn.compiled.extents import exceeding, places_of_rows
from throughtime.nn.permuting import inverse


@dataclass(frozen=True)
class Packing:
    """Where each row of a batch goes."""

    counts: Tensor
    """Number of parts alive at each step, ``(T,)``, int64 on the CPU."""
    size: int
    """P, the number of parts; B without resets."""
    sequences: Tensor | None = None
    """The sequence of each part, ``(P,)``; None: torch has packed them."""
    ends: tuple[Tensor, Tensor] | None = None
    """The last part of each sequence and its first one, ``(B,)``: what the forward
    direction ends with, and the other one."""
    given: Tensor | None = None
    """Whether a part begins with the given state, forward and in the other direction,
    ``(2, P)``; None: all do."""
    gather: Tensor | None = None
    """For each packed row its row in time order; None: it is packed. In a captured
    graph those behind all parts are among them."""
    mirror: Tensor | None = None
    """For each packed row that of the same part read backwards."""


def pack(
    lengths: Tensor,
    steps: int,
    device: torch.device,
    mirrored: bool,
    resets: Tensor | None = None,
) -> Packing:
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
    resets
        Where sequences begin anew, ``(T, B)``.
    """
    parts, marks = _whole(lengths), None
    if resets is not None:
        living = _numbers(steps, lengths)[:, None] < lengths
        marks = resets.to(lengths.device) & living
        captured = torch.compiler.is_compiling()
        parts = (_every_place if captured else _begun)(marks, lengths)
    order = torch.argsort(parts.length, descending=True, stable=True)
    rank, given = inverse(order), None
    if marks is not None:
        # Without steps there is no mark.
        given = parts.given(rank, marks[:1].any(0)).to(device)
    rows = _rows(parts.length[order], steps, steps * lengths.shape[0])
    return Packing(
        counts=rows.counts.cpu(),
        size=order.shape[0],
        sequences=parts.sequence[order].to(device),
        ends=(rank[parts.last].to(device), rank[parts.first].to(device)),
        given=given,
        gather=rows.gather(parts, order, lengths).to(device),
        mirror=rows.mirror().to(device) if mirrored else None,
    )


class _Parts(NamedTuple):
    """Parts of sequences, numbered by sequence and then by time."""

    sequence: Tensor
    start: Tensor
    """The first step of each part, ``(P,)``."""
    length: Tensor
    """0 is that of the only part of a sequence without steps."""
    first: Tensor
    """The first part of each sequence, ``(B,)``."""
    last: Tensor

    def given(self, rank: Tensor, anew: Tensor) -> Tensor:
        """Whether each part begins with the given state, in both directions.

        ``rank`` is the place of each part among the packed ones; ``anew`` says which
        sequences begin with a state of their own, ``(B,)``.
        """
        none = torch.zeros(rank.shape[0], dtype=torch.bool, device=anew.device)
        forward = none.scatter(0, rank[self.first], torch.logical_not(anew))
        return torch.stack([forward, none.scatter(0, rank[self.last], True)])


def _whole(lengths: Tensor) -> _Parts:
    """Each sequence is one part."""
    each = _numbers(lengths.shape[0], lengths)
    return _Parts(each, torch.zeros_like(each), lengths, each, each)


def _begun(marks: Tensor, lengths: Tensor) -> _Parts:
    """A part begins with each sequence and at each mark ``(T, B)``."""
    if not marks.shape[0]:
        return _whole(lengths)
    begins = marks.T.clone(memory_format=torch.contiguous_format)
    begins[:, 0] = True
    sequence, start = begins.nonzero(as_tuple=True)
    end = lengths[sequence]
    end[:-1] = torch.where(sequence[1:] == sequence[:-1], start[1:], end[:-1])
    each = begins.sum(1)
    behind = each.cumsum(0)
    return _Parts(sequence, start, end - start, behind - each, behind - 1)


def _every_place(marks: Tensor, lengths: Tensor) -> _Parts:
    """The same in shapes that depend on no value: as many parts as there are places.

    Where none begins there is one without steps.
    """
    steps, batch = marks.shape
    step = _numbers(steps, lengths)
    begins = marks.T | (step == 0)
    ends = lengths[:, None]
    stops = torch.cat([torch.where(begins, step, ends), ends], 1)
    end = stops.flip(1).cummin(1).values.flip(1)[:, 1:]
    length = torch.where(begins, end - step, 0).reshape(-1)
    place = _numbers(steps * batch, lengths)
    first = _numbers(batch, lengths) * steps
    last = first + torch.where(begins, step, 0).amax(1)
    return _Parts(place // steps, place % steps, length, first, last)


class _Rows(NamedTuple):
    """Packed rows of parts, of which the longest come first."""

    counts: Tensor
    starts: Tensor
    """First row of each step."""
    length: Tensor
    """Of each part."""
    step: Tensor
    """Step of each row within its part."""
    part: Tensor
    """Part of each row."""
    dead: Tensor | None
    """Whether a row stands behind all parts; None: none does."""

    def gather(self, parts: _Parts, order: Tensor, lengths: Tensor) -> Tensor:
        """Row in time order of each packed row."""
        batch = lengths.shape[0]
        begin = (parts.start * batch + parts.sequence)[order]
        found = begin[self.part] + self.step * batch
        if self.dead is None:
            return found
        step = _numbers(self.counts.shape[0], lengths)[:, None]
        living = (step < lengths).reshape(-1).to(torch.int8)
        # The others in their order, behind those of sequences.
        rest = torch.argsort(living, descending=True, stable=True)
        return torch.where(self.dead, rest, found)

    def mirror(self) -> Tensor:
        """Packed row of the opposite step of each packed row's part."""
        opposite = self.length[self.part] - 1 - self.step
        found = self.starts[opposite.clamp(min=0)] + self.part
        if self.dead is None:
            return found
        return torch.where(self.dead, _numbers(found.shape[0], found), found)


def _rows(length: Tensor, steps: int, places: int) -> _Rows:
    """Rows of parts with these lengths, which fall.

    ``places`` is T·B, the number of rows where it must not depend on values.
    """
    counts = exceeding(length, steps)
    behind = counts.cumsum(0)
    starts = behind - counts
    if not torch.compiler.is_compiling():
        return _Rows(counts, starts, length, *places_of_rows(counts), None)
    row = _numbers(places, length)
    dead = row >= counts.sum()
    step = torch.searchsorted(behind, row, right=True).clamp(max=steps - 1)
    part = torch.where(dead, 0, row - starts[step])
    return _Rows(counts, starts, length, step, part, dead)


def packed(counts: Tensor, rows: int, device: torch.device, mirrored: bool) -> Packing:
    """Packing of rows that torch has packed already."""
    size = int(counts[0])
    if not mirrored:
        return Packing(counts, size)
    mirror = _rows(exceeding(counts, size), len(counts), rows).mirror()
    return Packing(counts, size, mirror=mirror.to(device))


def _numbers(count: int, like: Tensor) -> Tensor:
    """Count from 0."""
    return torch.arange(count, device=like.device)


def checked_resets(
    resets: object, leading: Sequence[int], *, batch_first: bool
) -> Tensor:
    """Resets ``(T, B)``, if they are a mask of the input's steps and sequences.

    ``leading`` is the input's shape without its features: ``(T, B)``, ``(B, T)`` with
    ``batch_first``, or ``(T,)``.
    """
    if not isinstance(resets, Tensor) or resets.dtype != torch.bool:
        kind = resets.dtype if isinstance(resets, Tensor) else type(resets).__name__
        raise BadResets(given=f"of type {kind}", expected=tuple(leading))
    if resets.shape != tuple(leading):
        raise BadResets(
            given=f"of shape {tuple(resets.shape)}", expected=tuple(leading)
        )
    if resets.dim() == 1:
        return resets[:, None]
    return resets.T if batch_first else resets


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
