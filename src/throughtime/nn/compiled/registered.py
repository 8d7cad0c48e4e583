"""The registered operators ``throughtime::layer`` and ``throughtime::layer_backward``.

Graphs captured by `torch.compile` or `torch.export` hold them.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from throughtime.errors import CapturedWithoutGradient
from throughtime.graph.programs import SAVED
from throughtime.nn.compiled.calls import backward, forward
from throughtime.nn.compiled.door import saved_shape
from throughtime.nn.compiled.elements import BackwardCall
from throughtime.nn.compiled.engine import engine
from throughtime.nn.compiled.second import FIELDS, Ways, Where, divide, names_of, spread

LIBRARY = torch.library.Library("throughtime", "DEF")
LIBRARY.define(
    "layer(str graph, bool training, str wanted, Tensor[] inputs, Tensor[] initial, "
    "Tensor[] parameters, Tensor? counts, SymInt steps, SymInt batch, bool reverse, "
    "SymInt segment, bool bfloat16) "
    "-> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)
LIBRARY.define(
    "layer_backward(str graph, str wanted, Tensor[] inputs, Tensor[] initial, "
    "Tensor[] parameters, Tensor? counts, SymInt steps, SymInt batch, bool reverse, "
    "SymInt segment, bool bfloat16, Tensor output, Tensor saved, "
    "Tensor output_gradient, Tensor?[] final_gradients) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)
CAPTURED = Ways(torch.ops.throughtime.layer, torch.ops.throughtime.layer_backward)


def backward_call(ctx: Any) -> BackwardCall:
    """What the context of a backward pass keeps."""
    graph, wanted, sizes, where, elements = ctx.settings
    return BackwardCall(graph, wanted, sizes, where, elements, ctx.saved_tensors)


def filled(gradient: Tensor | None, result: Tensor) -> Tensor:
    """The gradient of a result; 0 if nothing depends on it."""
    return torch.zeros_like(result) if gradient is None else gradient


def _forward(
    graph: str, training: bool, wanted: str, inputs: Sequence[Tensor], *rest: Any
) -> list[Tensor]:
    """`calls.forward`; nothing of what an operator returns is left to chance."""
    found = forward(graph, training, wanted, inputs, *rest)
    where = Where(*rest[2:])
    if training and not where.segment:
        made = engine(graph, True, wanted, inputs[0].dtype, where.bfloat16)
        found[-1][:, made.plan.widths.get(SAVED, 0) :].zero_()
    return found


def _fake_forward(
    graph: str,
    training: bool,
    wanted: str,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    *rest: Any,
) -> list[Tensor]:
    where = Where(*rest)
    made = engine(graph, training, wanted, inputs[0].dtype, where.bfloat16)
    x, states, batch = inputs[0], made.graph.states, where.batch
    extent = prod(x.shape[:-1]), where.steps, batch, where.segment
    saved = saved_shape(made.graph, made.saved_width, *extent)
    return [
        x.new_empty((*x.shape[:-1], made.graph.output_size)),
        *(x.new_empty((batch, state.size)) for state in states),
        x.new_empty(saved),
    ]


def _fake_backward(
    graph: str,
    wanted: str,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    *_: Any,
) -> list[Tensor]:
    made = engine(graph, True, wanted, inputs[0].dtype)
    named = zip(made.input_sizes, inputs, strict=True)
    differentiated = [value for name, value in named if name in made.wanted]
    every = (*differentiated, *initial, *parameters[: len(made.graph.parameters)])
    return [value.new_empty(value.shape) for value in every]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Sequence[Tensor]) -> None:
    graph, training, wanted, tensors, initial, parameters, *where = inputs
    ctx.mark_non_differentiable(output[-1])
    ctx.save_for_backward(*tensors, *initial, *parameters, output[0], output[-1])
    ctx.settings = graph, training, wanted, (len(tensors), len(initial)), where


def _differentiate(ctx: Any, gradients: Sequence[Tensor | None]) -> tuple[Any, ...]:
    graph, training, wanted, sizes, where = ctx.settings
    *own, output, saved = ctx.saved_tensors
    if not training:
        raise CapturedWithoutGradient(missing="a backward pass")
    names = names_of(graph).inputs
    for name, needed in zip(names, ctx.needs_input_grad[3], strict=True):
        if needed and name not in wanted.split():
            raise CapturedWithoutGradient(missing=f"the gradient of the input {name}")
    whole = filled(gradients[0], output)
    given = *divide(own, sizes), *where, output, saved, whole, gradients[1:-1]
    found = torch.ops.throughtime.layer_backward(graph, wanted, *given)
    groups = divide(spread(names, wanted, found, len(own)), sizes)
    return None, None, None, *groups, *(None,) * FIELDS


def _keep_backward(ctx: Any, inputs: tuple[Any, ...], output: Sequence[Tensor]) -> None:
    graph, wanted, tensors, initial, parameters, *rest, finals = inputs
    where, stored = Where(*rest[:FIELDS]), rest[FIELDS:]
    ctx.save_for_backward(*tensors, *initial, *parameters, *stored, *finals)
    ctx.settings = graph, wanted, (len(tensors), len(initial)), where, 0


def _differentiate_backward(
    ctx: Any, errors: Sequence[Tensor | None]
) -> tuple[Any, ...]:
    given = backward_call(ctx)
    found = given.gradients(CAPTURED, errors, everything=True)
    own, behind = found[: given.shared.stop], found[given.shared.stop :]
    groups = divide(own, given.sizes)
    return None, None, *groups, *(None,) * FIELDS, *behind[:3], behind[3:]


LIBRARY.impl("layer", _forward, "CPU")
LIBRARY.impl("layer_backward", backward, "CPU")
torch.library.register_fake("throughtime::layer", _fake_forward, lib=LIBRARY)
torch.library.register_fake("throughtime::layer_backward", _fake_backward, lib=LIBRARY)
torch.library.register_autograd(
    "throughtime::layer", _differentiate, setup_context=_keep, lib=LIBRARY
)
torch.library.register_autograd(
    "throughtime::layer_backward",
    _differentiate_backward,
    setup_context=_keep_backward,
    lib=LIBRARY,
)
