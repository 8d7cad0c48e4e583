"""One call of a compiled layer: tensors that fit go in, and come out.

Every way to a compiled layer ends here, that of the registered operators included.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from throughtime.nn.engine import Engine, engine
from throughtime.nn.extents import Extent, dense_extent, flat_extent, ragged_extent


def _extent(
    made: Engine,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
) -> Extent:
    """Where the rows lie, once everything is known to fit."""
    made.door.check_layer(inputs, initial, parameters, batch)
    rows = inputs[0].shape[:-1].numel()
    if counts is not None:
        made.door.check_counts(counts, rows, batch)
    if not made.graph.states:
        return flat_extent(rows if counts is None else int(counts.sum()))
    if counts is not None:
        return ragged_extent(batch, counts)
    made.door.check_rows(rows, steps, batch)
    return dense_extent(steps, batch, reverse)


def forward(
    graph: str,
    training: bool,
    wanted: str,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    *where: Any,
) -> list[Tensor]:
    """Output, final states, saved rows."""
    made = engine(graph, training, wanted, inputs[0].dtype, where[-1])
    extent = _extent(made, inputs, initial, parameters, *where[:-1])
    output, finals, saved = made.forward(
        _contiguous(inputs), _contiguous(initial), parameters, extent
    )
    return [output, *finals, saved]


def backward(
    graph: str,
    wanted: str,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
    bfloat16: bool,
    output: Tensor,
    saved: Tensor,
    output_gradient: Tensor,
    final_gradients: Sequence[Tensor | None],
    *,
    overwrite: bool = False,
) -> list[Tensor]:
    """Gradients of the wanted inputs, of given initial states, of parameters.

    ``overwrite`` says that nobody needs the saved rows afterwards.
    """
    made = engine(graph, True, wanted, inputs[0].dtype, bfloat16)
    where = (counts, steps, batch, reverse)
    extent = _extent(made, inputs, initial, parameters, *where)
    made.door.check_stored(
        output, saved, output_gradient, final_gradients, inputs[0], batch
    )
    gradients = made.backward(
        _contiguous(inputs),
        _contiguous(initial),
        parameters,
        extent,
        output.contiguous(),
        saved.contiguous(),
        output_gradient.contiguous(),
        [None if value is None else value.contiguous() for value in final_gradients],
        overwrite=overwrite,
    )
    return [value for group in gradients for value in group]


def _contiguous(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.contiguous() for tensor in tensors]
