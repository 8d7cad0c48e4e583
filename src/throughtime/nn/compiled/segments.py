"""A compiled layer that stores states now and then, not what every step needs.

The forward pass runs segment after segment of the steps, as inference does, and stores
the states before each. The backward pass goes through the segments in the opposite
order: the forward pass of training runs again over one of them, from its states, and
the rows that it saves serve this segment's gradients and are gone before the next.

Outputs, states and their gradients, and those of inputs, have the bits of a call in
one piece; gradients of parameters are sums over segments.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from throughtime.nn.compiled.engine import Engine
from throughtime.nn.compiled.extents import Extent, extent_of
from throughtime.nn.compiled.half import Series


class Segment(NamedTuple):
    """Some steps of a call that follow each other, and so do their rows."""

    steps: int
    counts: Tensor | None
    batch: int
    reverse: bool
    rows: int
    first: int
    """Its first row among those of the whole call."""

    def extent(self, made: Engine) -> Extent:
        """Where its rows lie among themselves."""
        where = self.counts, self.steps, self.batch, self.reverse
        return extent_of(
            bool(made.graph.states),
            self.rows,
            *where,
            sequences=made.draws_per_sequence,
            first=self.first,
        )


def divide(
    counts: Tensor | None, steps: int, batch: int, reverse: bool, length: int
) -> list[Segment]:
    """Segments of so many steps, at least one, in the order of computation.

    The one that holds the last step may be shorter.
    """
    found: list[Segment] = []
    for first in range(0, max(steps, 1), length):
        some = min(length, steps - first)
        own = None if counts is None else counts[first : first + some]
        rows = some * batch if own is None else int(own.sum())
        before = sum(segment.rows for segment in found)
        found.append(Segment(some, own, batch, reverse, rows, before))
    return found[::-1] if reverse else found


def cut(segments: Sequence[Segment], *values: Tensor) -> list[list[Tensor]]:
    """For each segment its rows of values ``(N, n)`` or ``(T, B, n)``, as views."""
    reverse = segments[0].reverse
    sizes = [segment.rows for segment in (segments[::-1] if reverse else segments)]
    alive = sum(sizes)
    pieces = [v.flatten(0, -2).narrow(0, 0, alive).split(sizes) for v in values]
    found = [[piece[number] for piece in pieces] for number in range(len(sizes))]
    return found[::-1] if reverse else found


def _states(made: Engine, saved: Tensor, count: int, batch: int) -> list[list[Tensor]]:
    """For each segment the states before it, ``(B, n)``, as views of what is saved.

    There one state of all segments comes after the other, so that each is contiguous.
    """
    sizes = [state.size for state in made.graph.states]
    pieces = saved.flatten().split([count * batch * size for size in sizes])
    stacks = [
        piece.view(count, batch, size)
        for piece, size in zip(pieces, sizes, strict=True)
    ]
    return [[stack[number] for stack in stacks] for number in range(count)]


def forward(
    made: Engine,
    segments: Sequence[Segment],
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
) -> tuple[Tensor, list[Tensor], Tensor]:
    """As `Engine.forward`; saved are the states before each segment, ``(·B, Σn)``.

    ``made`` is an engine for inference.
    """
    x, declared, batch = inputs[0], made.graph.states, segments[0].batch
    output = made.empty_output(x, sum(segment.rows for segment in segments))
    states = list(initial) or [x.new_full((batch, s.size), s.number) for s in declared]
    width = sum(state.size for state in declared)
    saved = x.new_empty((len(segments) * batch, width))
    nothing, series = made.empty_saved(x[:0], batch), Series()
    starts = _states(made, saved, len(segments), batch)
    rows = zip(cut(segments, *inputs), cut(segments, output), strict=True)
    for segment, before, (own, room) in zip(segments, starts, rows, strict=True):
        for place, state in zip(before, states, strict=True):
            place.copy_(state)
        given = own, states, parameters, segment.extent(made)
        _, states, _ = made.forward(*given, (room[0], nothing), series)
    return output, states, saved


def backward(
    made: Engine,
    segments: Sequence[Segment],
    inputs: Sequence[Tensor],
    parameters: Sequence[Tensor],
    saved: Tensor,
    output_gradient: Tensor,
    final_gradients: Sequence[Tensor | None],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Gradients of the wanted inputs, of initial states, of parameters.

    ``made`` is an engine for training.
    """
    gradients = made.empty_gradients(inputs, sum(segment.rows for segment in segments))
    totals, series = made.operands.empty(), Series()
    # Room for the longest segment, which all of them use in turn.
    most, batch = max(segment.rows for segment in segments), segments[0].batch
    x = inputs[0].flatten(0, -2)[:most]
    outputs, rows = made.empty_output(x, most), made.empty_saved(x, batch)
    lead = rows.shape[0] - most
    starts = _states(made, saved, len(segments), batch)
    own = cut(segments, *inputs)
    errors, slopes = cut(segments, output_gradient), cut(segments, *gradients)

    def through(number: int, behind: Sequence[Tensor | None]) -> list[Tensor]:
        """From gradients of the states behind a segment to those before it."""
        segment = segments[number]
        given = own[number], starts[number], parameters, segment.extent(made)
        room = outputs[: segment.rows], rows[: lead + segment.rows]
        output, _, stored = made.forward(*given, room, series)
        return made.backward_into(
            *(slopes[number], totals),
            *given,
            *(output, stored, errors[number][0], behind),
            series,
            overwrite=True,
        )

    carried = through(len(segments) - 1, final_gradients)
    for number in reversed(range(len(segments) - 1)):
        carried = through(number, carried)
    return gradients, carried, made.operands.gradients(parameters, totals)
