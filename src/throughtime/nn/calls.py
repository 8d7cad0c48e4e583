"""One call of a compiled layer: tensors that fit go in, and come out.

Every way to a compiled layer ends here, that of the registered operators included.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from throughtime.nn.engine import Engine, engine
from throughtime.nn.extents import (
    Extent,
    dense_extent,
    dense_sequences,
    flat_extent,
    ragged_extent,
    ragged_sequences,
)


def _check(
    made: Engine,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    counts: Tensor | None,
    steps: int,
    batch: int,
) -> None:
    """Refuse what does not fit the code, or each other."""
    made.door.check_layer(inputs, initial, parameters, batch)
    rows = inputs[0].shape[:-1].numel()
    if counts is not None:
        made.door.check_counts(counts, rows, batch)
    elif made.graph.states:
        made.door.check_rows(rows, steps, batch)


def extent_of(
    made: Engine,
    x: Tensor,
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
) -> Extent:
    """Where the rows lie."""
    extent = _rows(made, x, counts, steps, batch, reverse)
    if not made.draws_per_sequence:
        return extent
    if counts is None:
        return replace(extent, sequences=dense_sequences(steps, batch))
    return replace(extent, sequences=ragged_sequences(counts))


def _rows(
    made: Engine,
    x: Tensor,
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
) -> Extent:
    """The same without the sequence of each row."""
    if not made.graph.states:
        rows = x.shape[:-1].numel() if counts is None else int(counts.sum())
        return flat_extent(rows)
    if counts is not None:
        return ragged_extent(batch, counts)
    return dense_extent(steps, batch, reverse)


def forward(
    graph: str,
    training: bool,
    wanted: str,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
    bfloat16: bool,
) -> list[Tensor]:
    """Output, final states, saved rows."""
    made = engine(graph, training, wanted, inputs[0].dtype, bfloat16)
    _check(made, inputs, initial, parameters, counts, steps, batch)
    extent = extent_of(made, inputs[0], counts, steps, batch, reverse)
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

    ``overwrite`` says that our own forward pass stored what is stored, which then
    fits, and that nobody needs it any more: δ may be written over it.
    """
    made = engine(graph, True, wanted, inputs[0].dtype, bfloat16)
    _check(made, inputs, initial, parameters, counts, steps, batch)
    if not overwrite:
        stored = output, saved, output_gradient, final_gradients
        made.door.check_stored(*stored, inputs[0], batch)
    gradients = made.backward(
        _contiguous(inputs),
        _contiguous(initial),
        parameters,
        extent_of(made, inputs[0], counts, steps, batch, reverse),
        output.contiguous(),
        saved.contiguous(),
        output_gradient.contiguous(),
        [None if value is None else value.contiguous() for value in final_gradients],
        overwrite=overwrite,
    )
    return [value for group in gradients for value in group]


def _contiguous(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.contiguous() for tensor in tensors]
