"""A compiled layer that stores states now and then, not what every step needs.

The forward pass runs segment after segment of the steps, as inference does, and stores
the states before each. The backward pass goes through the segments in the opposite
order: the forward pass of training runs again over one of them, from its states, and
the rows that it saves serve this segment's gradients and are gone before the next.

Outputs, states and their gradients, and those of inputs, have the bits of a call in
one piece; gradients of parameters are sums over segments.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from torch import Tensor

from throughtime.nn.engine import Engine
from throughtime.nn.extents import Extent, extent_of
from throughtime.nn.half import Series


class Segment(NamedTuple):
    """Some steps of a call that follow each other, and so do their rows."""

    steps: int
    counts: Tensor | None
    batch: int
    reverse: bool
    first: int
    rows: int

    def of(self, *values: Tensor) -> list[Tensor]:
        """Its rows of values ``(N, n)`` or ``(T, B, n)``, as views."""
        flat = [value.flatten(0, -2) for value in values]
        return [value.narrow(0, self.first, self.rows) for value in flat]

    def extent(self, made: Engine) -> Extent:
        """Where its rows lie among themselves."""
        where = self.counts, self.steps, self.batch, self.reverse
        return extent_of(bool(made.graph.states), self.rows, *where)


def divide(
    counts: Tensor | None, steps: int, batch: int, reverse: bool, length: int
) -> list[Segment]:
    """Segments of so many steps, at least one, in the order of computation.

    The one that holds the last step may be shorter.
    """
    found: list[Segment] = []
    row = 0
    for first in range(0, max(steps, 1), length):
        some = min(length, steps - first)
        own = None if counts is None else counts[first : first + some]
        rows = some * batch if own is None else int(own.sum())
        found.append(Segment(some, own, batch, reverse, row, rows))
        row += rows
    return found[::-1] if reverse else found


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
    output = made.empty_output(x, _alive(segments))
    states = list(initial) or [x.new_full((batch, s.size), s.init) for s in declared]
    sizes = [state.size for state in declared]
    saved = x.new_empty((len(segments) * batch, sum(sizes)))
    nothing, series = made.empty_saved(x[:0], batch), Series()
    for number, segment in enumerate(segments):
        before = saved.narrow(0, number * batch, batch)
        for place, state in zip(before.split(sizes, -1), states, strict=True):
            place.copy_(state)
        own, extent = segment.of(*inputs), segment.extent(made)
        room = segment.of(output)[0], nothing
        _, states, _ = made.forward(own, states, parameters, extent, room, series)
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
    gradients = made.empty_gradients(inputs, _alive(segments))
    totals, series = made.operands.empty(), Series()
    sizes = [state.size for state in made.graph.states]
    # Room for the longest segment, which all of them use in turn.
    longest = max(segments, key=attrgetter("rows"))
    (x,) = longest.of(inputs[0])
    outputs, rows = (
        made.empty_output(x, longest.rows),
        made.empty_saved(x, longest.batch),
    )
    lead = rows.shape[0] - longest.rows

    def through(number: int, behind: Sequence[Tensor | None]) -> list[Tensor]:
        """From gradients of the states behind a segment to those before it."""
        segment = segments[number]
        before = saved.narrow(0, number * segment.batch, segment.batch)
        own, extent = segment.of(*inputs), segment.extent(made)
        states = [state.contiguous() for state in before.split(sizes, -1)]
        room = outputs[: segment.rows], rows[: lead + segment.rows]
        output, _, stored = made.forward(own, states, parameters, extent, room, series)
        (error,) = segment.of(output_gradient)
        return made.backward_into(
            *(segment.of(*gradients), totals),
            *(own, states, parameters, extent),
            *(output, stored, error, behind),
            series,
            overwrite=True,
        )

    carried = through(len(segments) - 1, final_gradients)
    for number in reversed(range(len(segments) - 1)):
        carried = through(number, carried)
    return gradients, carried, made.operands.gradients(parameters, totals)


def _alive(segments: Sequence[Segment]) -> int:
    return sum(segment.rows for segment in segments)
