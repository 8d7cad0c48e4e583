"""Gradients of the parameters for each element of a folded call.

Compiled code sums them over all rows. Here it only runs the loop, all rows at once, and
one batched product per contraction of the plan takes the sums of each element.
"""

from collections.abc import Mapping, Sequence
from math import prod

from torch import Tensor

from throughtime.graph.programs import (
    DELTA,
    OUTPUT,
    SAVED,
    SUMS,
    Contraction,
    Source,
    gradient_of,
)
from throughtime.nn.compiled.engine import Engine
from throughtime.nn.compiled.extents import Extent
from throughtime.nn.compiled.pool import POOL


def backward_of_each(
    made: Engine,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    extent: Extent,
    output: Tensor,
    saved: Tensor,
    output_gradient: Tensor,
    final_gradients: Sequence[Tensor | None],
    elements: int,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """What `Engine.backward` gives; gradients of parameters ``(M, …)``, M elements."""
    delta = POOL.empty((extent.alive, made.widths.get(DELTA, 0)), made.dtype)
    given = inputs, initial, parameters, extent
    stored = output, saved, output_gradient, final_gradients
    sums = POOL.empty((extent.batch, made.widths.get(SUMS, 0)), made.dtype)
    gradients = made.empty_gradients(inputs, extent.alive)
    into = gradients, made.operands.empty()
    state_gradients = made.backward_into(*into, *given, *stored, apart=(delta, sums))
    lead = extent.batch if made.graph.states else 0
    buffers = dict(zip(made.input_sizes, inputs, strict=True))
    buffers |= {
        OUTPUT: output,
        gradient_of(OUTPUT): output_gradient,
        SAVED: saved[lead:],
        DELTA: delta,
    }
    rows = _Rows(made, extent, initial, buffers, sums, elements)
    contractions = made.plan.contractions if extent.alive else ()
    operand_gradients = rows.contract(contractions)
    return (
        gradients,
        state_gradients,
        made.operands.gradients(parameters, operand_gradients, elements),
    )


class _Rows:
    """Rows of buffers, ``(rows, M, n)`` for M elements."""

    def __init__(
        self,
        made: Engine,
        extent: Extent,
        initial: Sequence[Tensor],
        buffers: Mapping[str, Tensor],
        sums: Tensor,
        elements: int,
    ) -> None:
        self.made = made
        self.extent = extent
        self.initial = initial
        self.elements = elements
        self._like = buffers[OUTPUT]
        self.buffers = {
            name: self._apart(value.flatten(0, -2)[: extent.alive])
            for name, value in buffers.items()
        }
        self.buffers[SUMS] = self._apart(sums)
        self._known: dict[Source, Tensor] = {}

    def contract(self, contractions: Sequence[Contraction]) -> list[Tensor]:
        """Gradients of all operands, ``(M, …)``."""
        nodes = self.made.plan.nodes
        shapes = [nodes[index].shape for index in self.made.plan.operands]
        found: list[Tensor | None] = [None] * len(shapes)
        for contraction in contractions:
            place, shape = contraction.operand, shapes[contraction.operand]
            term, before = self._term(contraction), found[place]
            if before is None and term[0].numel() == prod(shape):
                found[place] = term
                continue
            if before is None:
                before = term.new_zeros((self.elements, *shape))
                found[place] = before
            self._part(before, contraction).add_(term)
        return [
            self._like.new_zeros((self.elements, *shape))
            if gradient is None
            else gradient
            for gradient, shape in zip(found, shapes, strict=True)
        ]

    @staticmethod
    def _part(whole: Tensor, contraction: Contraction) -> Tensor:
        rows = whole[:, slice(*contraction.rows)]
        return rows if whole.dim() == 2 else rows[..., slice(*contraction.columns)]

    def _term(self, contraction: Contraction) -> Tensor:
        left = self._source(contraction.left)
        if contraction.right is None:
            return left.sum(1)
        right = self._source(contraction.right)
        if contraction.unitwise:
            return (left * right).sum(1)
        return left.transpose(1, 2) @ right

    def _source(self, source: Source) -> Tensor:
        """Columns of each element's rows, ``(M, rows, n)``.

        They are copied to lie together: products go through them several times.
        """
        if source not in self._known:
            span = source.span
            columns = self.buffers[span.buffer][
                ..., span.start : span.start + span.size
            ]
            if source.state is not None:
                columns = self._step_before(self._start(source), columns)
            self._known[source] = columns.transpose(0, 1).contiguous()
        return self._known[source]

    def _step_before(self, start: Tensor, columns: Tensor) -> Tensor:
        """What lies in the rows of the step before each row."""
        size = self.elements
        table, segments, *_ = self.extent.held
        first, count = int(table[0, 0]) // size, int(table[2, 0]) // size
        found = columns.new_empty(columns.shape)
        found[first : first + count] = self._apart(start)[:count]
        for own, before, rows in (segments // size).tolist():
            found[own : own + rows] = columns[before : before + rows]
        return found

    def _apart(self, rows: Tensor) -> Tensor:
        return rows.unflatten(0, (len(rows) // self.elements, self.elements))

    def _start(self, source: Source) -> Tensor:
        """Columns of the state that precedes the first step, ``(B, n)``."""
        assert source.state is not None, "only states have a start"
        number, span = source.state, source.span
        if not self.initial:
            init, rows = self.made.graph.states[number].number, self.extent.batch
            return self._like.new_full((rows, span.size), init)
        whole = self.made.plan.states[number]
        assert whole is not None, "training keeps every state in a buffer"
        start = span.start - whole.start
        return self.initial[number][:, start : start + span.size]
