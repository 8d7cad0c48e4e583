"""Sequences of several lengths as a permutation of rows.

Packed rows hold step 0 of every part that has one, then step 1, …, the longest part
first; so a layer runs over them without a mask. A sequence is one part, or begins
anew at each reset as a part of its own: nothing flows from one to the next. What lies
behind a sequence's end is left out, or where the number of rows must not depend on
values, stands behind all parts and is never read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from throughtime.errors import BadLengths, BadResets


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
    step = torch.arange(steps, device=lengths.device)[:, None]
    living = step < lengths
    begins = (step == 0).expand_as(living)
    if resets is not None:
        begins = begins | (resets.to(lengths.device) & living)
    parts = _Parts(begins, living, several=resets is not None)
    places, given = parts.places(), None
    if resets is not None:
        # Without steps there is no mark.
        anew = (resets.to(lengths.device) & living)[:1].any(0)
        given = parts.given(anew).to(device)
    return Packing(
        counts=parts.counts.cpu(),
        size=parts.size,
        sequences=parts.sequences().to(device),
        ends=(parts.last.to(device), parts.first.to(device)),
        given=given,
        gather=_inverse(places)[: parts.rows].to(device),
        mirror=parts.mirror(places)[: parts.rows].to(device) if mirrored else None,
    )


class _Parts:
    """Parts of sequences ``(T, B)``, numbered by sequence and then by time.

    Shapes depend on no value where a graph is captured: there are then as many parts
    as rows, most of them without a step.
    """

    def __init__(self, begins: Tensor, living: Tensor, several: bool) -> None:
        steps, batch = living.shape
        self.living = living
        step = torch.arange(steps, device=living.device)[:, None]
        # Without any step each sequence has a part all the same.
        each = begins.sum(0).clamp(min=1)
        self.behind = each.cumsum(0)
        self.several = several
        self.size = batch
        if several:
            captured = torch.compiler.is_compiling()
            self.size = steps * batch if captured else int(each.sum())
        self.part = begins.cumsum(0) - 1 + self.behind - each
        self.step = step - torch.where(begins, step, 0).cummax(0).values
        alive = living.to(torch.int64)
        self.lengths = _added(self.part, alive, self.size)
        self.counts = _added(self.step, alive, steps)
        self.starts = self.counts.cumsum(0) - self.counts
        captured = torch.compiler.is_compiling()
        self.rows = steps * batch if captured else int(self.counts.sum())
        self.order = torch.argsort(self.lengths, descending=True, stable=True)
        self.rank = _inverse(self.order)
        self.first, self.last = (
            self.rank[self.behind - each],
            self.rank[self.behind - 1],
        )

    def places(self) -> Tensor:
        """Packed row of each step and sequence: the dead behind the living."""
        dead = torch.logical_not(self.living).view(-1).cumsum(0).view(self.part.shape)
        own = self.starts[self.step] + self.rank[self.part]
        return torch.where(self.living, own, self.living.sum() + dead - 1).view(-1)

    def mirror(self, places: Tensor) -> Tensor:
        """Packed row of the opposite step of each packed row's part."""
        opposite = self.lengths[self.part] - 1 - self.step
        found = self.starts[opposite.clamp(min=0)] + self.rank[self.part]
        found = torch.where(self.living.view(-1), found.view(-1), places)
        return torch.empty_like(found).scatter(0, places, found)

    def sequences(self) -> Tensor:
        """Sequence of each part, in the order of rows."""
        if not self.several:
            return self.order
        found = torch.searchsorted(self.behind, self.order, right=True)
        return found.clamp(max=self.behind.shape[0] - 1)

    def given(self, anew: Tensor) -> Tensor:
        """Whether each part begins with the given state, in both directions.

        ``anew`` says which sequences begin with a state of their own, ``(B,)``.
        """
        none = torch.zeros(self.size, dtype=torch.bool, device=anew.device)
        forward = none.scatter(0, self.first, torch.logical_not(anew))
        return torch.stack([forward, none.scatter(0, self.last, True)])


def packed(counts: Tensor, rows: int, device: torch.device, mirrored: bool) -> Packing:
    """Packing of rows that torch has packed already."""
    size = int(counts[0])
    if not mirrored:
        return Packing(counts, size)
    living = torch.arange(size) < counts[:, None]
    step = torch.arange(len(counts))[:, None]
    parts = _Parts((step == 0).expand_as(living), living, several=False)
    return Packing(counts, size, mirror=parts.mirror(parts.places())[:rows].to(device))


def _added(places: Tensor, values: Tensor, size: int) -> Tensor:
    """Sum of the values of each place."""
    zeros = torch.zeros(size, dtype=values.dtype, device=values.device)
    return zeros.scatter_add(0, places.reshape(-1), values.reshape(-1))


def _inverse(permutation: Tensor) -> Tensor:
    numbers = torch.arange(permutation.shape[0], device=permutation.device)
    return torch.empty_like(permutation).scatter(0, permutation, numbers)


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
