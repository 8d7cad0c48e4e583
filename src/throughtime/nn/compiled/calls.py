"""One call of a compiled layer: tensors that fit go in, and come out.

Every way to a compiled layer ends here, that of the registered operators included.
"""

from collections.abc import Sequence

from torch import Tensor

from throughtime.nn.compiled import segments
from throughtime.nn.compiled.contractions import backward_of_each
from throughtime.nn.compiled.engine import Engine, engine
from throughtime.nn.compiled.extents import Extent, extent_of


def _check(
    made: Engine,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    counts: Tensor | None,
    steps: int,
    batch: int,
    segment: int,
) -> None:
    """Refuse what does not fit the code, or each other."""
    made.door.check_layer(inputs, initial, parameters, batch)
    rows = inputs[0].shape[:-1].numel()
    if counts is not None:
        made.door.check_counts(counts, rows, batch)
    elif made.graph.states or segment:
        made.door.check_rows(rows, steps, batch)
    made.door.check_segment(segment, counts, steps)


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
    segment: int,
    bfloat16: bool,
) -> list[Tensor]:
    """Output, final states, saved rows; of segments, the states before each."""
    once = training and not segment
    made = engine(graph, once, wanted if once else "", inputs[0].dtype, bfloat16)
    _check(made, inputs, initial, parameters, counts, steps, batch, segment)
    given = _contiguous(inputs), _contiguous(initial), parameters
    where = counts, steps, batch, reverse
    if segment:
        parts = segments.divide(*where, segment)
        output, finals, saved = segments.forward(made, parts, *given)
    else:
        extent = _extent(made, inputs[0], where)
        output, finals, saved = made.forward(*given, extent)
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
    segment: int,
    bfloat16: bool,
    output: Tensor,
    saved: Tensor,
    output_gradient: Tensor,
    final_gradients: Sequence[Tensor | None],
    *,
    overwrite: bool = False,
    elements: int = 0,
) -> list[Tensor]:
    """Gradients of the wanted inputs, of given initial states, of parameters.

    ``overwrite`` says that our own forward pass stored what is stored, which then
    fits, and that nobody needs it any more: δ may be written over it. Where the call is
    one of several ``elements``, as `folding` has them, each has gradients of the
    parameters of its own.
    """
    made = engine(graph, True, wanted, inputs[0].dtype, bfloat16)
    _check(made, inputs, initial, parameters, counts, steps, batch, segment)
    if not overwrite:
        stored = output, saved, output_gradient, final_gradients
        made.door.check_stored(*stored, inputs[0], steps, batch, segment)
    given = _contiguous(inputs), _contiguous(initial), parameters
    finals = [None if one is None else one.contiguous() for one in final_gradients]
    output, saved, error = _contiguous([output, saved, output_gradient])
    stored = output, saved, error, finals
    where = counts, steps, batch, reverse
    if segment:
        gradients = _by_segments(made, given, where, segment, stored)
    else:
        extent = _extent(made, inputs[0], where)
        if elements:
            gradients = backward_of_each(made, *given, extent, *stored, elements)
        else:
            gradients = made.backward(*given, extent, *stored, overwrite=overwrite)
    return [value for group in gradients for value in group]


def _extent(
    made: Engine, x: Tensor, where: tuple[Tensor | None, int, int, bool]
) -> Extent:
    """Where the rows of a call lie."""
    rows, own = x.shape[:-1].numel(), made.draws_per_sequence
    return extent_of(bool(made.graph.states), rows, *where, sequences=own)


def _by_segments(
    made: Engine,
    given: tuple[list[Tensor], list[Tensor], Sequence[Tensor]],
    where: tuple[Tensor | None, int, int, bool],
    segment: int,
    stored: tuple[Tensor, Tensor, Tensor, Sequence[Tensor | None]],
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """As `Engine.backward`; the output is computed again, too."""
    inputs, initial, parameters = given
    _, saved, error, finals = stored
    parts = segments.divide(*where, segment)
    found = segments.backward(made, parts, inputs, parameters, saved, error, finals)
    if not initial:
        found[1].clear()
    return found


def _contiguous(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.contiguous() for tensor in tensors]
