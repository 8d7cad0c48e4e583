"""Compiled layers as torch operators: eager, differentiated, compiled, exported.

Eager code goes through flat `torch.autograd.Function`s, which `torch.func` can
transform; a graph captured by `torch.compile` or `torch.export` holds the registered
operators ``throughtime::layer`` and ``throughtime::layer_backward``. Both end in the
same two functions of this file, `_forward` and `_backward`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from throughtime.nn.engine import Engine, Extent, dense_extent, engine, ragged_extent

LIBRARY = torch.library.Library("throughtime", "DEF")
LIBRARY.define(
    "layer(str graph, bool training, str[] wanted, Tensor[] inputs, Tensor[] initial, "
    "Tensor[] parameters, Tensor? counts, SymInt steps, SymInt batch, bool reverse) "
    "-> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)
LIBRARY.define(
    "layer_backward(str graph, str[] wanted, Tensor[] inputs, Tensor[] initial, "
    "Tensor[] parameters, Tensor? counts, SymInt steps, SymInt batch, bool reverse, "
    "Tensor output, Tensor saved, Tensor output_gradient, Tensor[] final_gradients) "
    "-> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def run(
    text: str,
    training: bool,
    wanted: tuple[str, ...],
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
) -> tuple[Tensor, list[Tensor]]:
    """Output ``(N, H)`` and final states ``(B, n)`` of a compiled layer.

    Parameters
    ----------
    text
        The step graph as JSON.
    training
        Whether a backward pass may follow.
    wanted
        The inputs whose gradient it has to give.
    inputs, initial, parameters
        Rows ``(N, n)``, states ``(B, n)``, parameters in the order of the graph.
    counts, steps, batch, reverse
        As in `execution.run_layer`.
    """
    where = (counts, steps, batch, reverse)
    if torch.compiler.is_compiling():
        result = torch.ops.throughtime.layer(
            text, training, list(wanted), inputs, initial, parameters, *where
        )
    elif training:
        sizes = (len(inputs), len(initial))
        result = _Layer.apply(
            text, wanted, sizes, where, *inputs, *initial, *parameters
        )
    else:
        result = _forward(text, False, wanted, inputs, initial, parameters, *where)
    return result[0], list(result[1 : 1 + len(initial)])


def _extent(
    made: Engine, rows: int, counts: Tensor | None, steps: int, batch: int, reverse: bool
) -> Extent:
    if not made.graph.states:
        alive = rows if counts is None else int(counts.sum())
        return dense_extent(1, alive, False)
    if counts is None:
        return dense_extent(steps, batch, reverse)
    return ragged_extent(batch, counts)


def _contiguous(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.contiguous() for tensor in tensors]


def _forward(
    graph: str,
    training: bool,
    wanted: Sequence[str],
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
) -> list[Tensor]:
    """Output, final states, saved rows."""
    made = engine(graph, training, tuple(wanted), inputs[0].dtype)
    extent = _extent(made, inputs[0].shape[0], counts, steps, batch, reverse)
    output, finals, saved = made.forward(
        _contiguous(inputs), _contiguous(initial), parameters, extent
    )
    return [output, *finals, saved]


def _backward(
    graph: str,
    wanted: Sequence[str],
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
    output: Tensor,
    saved: Tensor,
    output_gradient: Tensor,
    final_gradients: Sequence[Tensor],
) -> list[Tensor]:
    """Gradients of the wanted inputs, of initial states, of parameters."""
    made = engine(graph, True, tuple(wanted), inputs[0].dtype)
    extent = _extent(made, inputs[0].shape[0], counts, steps, batch, reverse)
    gradients = made.backward(
        _contiguous(inputs),
        _contiguous(initial),
        parameters,
        extent,
        output.contiguous(),
        saved.contiguous(),
        output_gradient.contiguous(),
        _contiguous(final_gradients),
    )
    return [value for group in gradients for value in group]


def _fake_forward(
    graph: str,
    training: bool,
    wanted: Sequence[str],
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
) -> list[Tensor]:
    made = engine(graph, training, tuple(wanted), inputs[0].dtype)
    rows = inputs[0].shape[0]
    lead = batch if made.graph.states else 0
    return [
        inputs[0].new_empty((rows, made.graph.output_size)),
        *(state.new_empty(state.shape) for state in initial),
        inputs[0].new_empty((lead + rows, made.saved_width)),
    ]


def _fake_backward(
    graph: str,
    wanted: Sequence[str],
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    *_: Any,
) -> list[Tensor]:
    made = engine(graph, True, tuple(wanted), inputs[0].dtype)
    differentiated = [
        value
        for name, value in zip(made.input_sizes, inputs, strict=True)
        if name in wanted
    ]
    every = (*differentiated, *initial, *parameters)
    return [value.new_empty(value.shape) for value in every]


class _Layer(torch.autograd.Function):
    """Forward of a layer, on tensors laid out flat."""

    @staticmethod
    def forward(
        text: str,
        wanted: tuple[str, ...],
        sizes: tuple[int, int],
        where: tuple[Tensor | None, int, int, bool],
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        inputs, initial, parameters = _divide(tensors, sizes)
        return tuple(_forward(text, True, wanted, inputs, initial, parameters, *where))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        text, wanted, sizes, where, *tensors = inputs
        ctx.mark_non_differentiable(output[-1])
        ctx.save_for_backward(*tensors, output[0], output[-1])
        ctx.settings = text, wanted, sizes, where

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        text, wanted, sizes, where = ctx.settings
        found = _LayerBackward.apply(
            text, wanted, sizes, where, *ctx.saved_tensors, *gradients[:-1]
        )
        return None, None, None, None, *_spread(text, wanted, sizes, found)


class _LayerBackward(torch.autograd.Function):
    """Backward of a layer; its own derivative is refused."""

    @staticmethod
    def forward(
        text: str,
        wanted: tuple[str, ...],
        sizes: tuple[int, int],
        where: tuple[Tensor | None, int, int, bool],
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        final = len(tensors) - sizes[1]
        *own, output, saved, output_gradient = tensors[:final]
        inputs, initial, parameters = _divide(own, sizes)
        return tuple(
            _backward(
                text,
                wanted,
                inputs,
                initial,
                parameters,
                *where,
                output,
                saved,
                output_gradient,
                tensors[final:],
            )
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing is kept: there is no derivative of this derivative."""

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        raise AssertionError("torch refuses a second derivative before this")


def _divide(
    tensors: Sequence[Tensor], sizes: tuple[int, int]
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Inputs, initial states, parameters of a flat row of tensors."""
    first, second = sizes[0], sum(sizes)
    return list(tensors[:first]), list(tensors[first:second]), list(tensors[second:])


def _spread(
    text: str,
    wanted: tuple[str, ...],
    sizes: tuple[int, int],
    gradients: Sequence[Tensor],
) -> list[Tensor | None]:
    """Gradients in the places of all inputs; those that nobody wants are None."""
    names = _input_names(text)
    found = iter(gradients[: len(wanted)])
    places = [next(found) if name in wanted else None for name in names]
    return [*places, *gradients[len(wanted) :]]


def _input_names(text: str) -> list[str]:
    return list(engine(text, False, (), torch.float32).input_sizes)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Sequence[Tensor]) -> None:
    graph, _, wanted, tensors, initial, parameters, *where = inputs
    ctx.save_for_backward(*tensors, *initial, *parameters, output[0], output[-1])
    ctx.settings = graph, wanted, (len(tensors), len(initial)), where


def _differentiate(ctx: Any, gradients: Sequence[Tensor | None]) -> tuple[Any, ...]:
    graph, wanted, sizes, where = ctx.settings
    *own, output, saved = ctx.saved_tensors
    inputs, initial, parameters = _divide(own, sizes)
    given = [
        torch.zeros_like(like) if gradient is None else gradient
        for gradient, like in zip(gradients[:-1], (output, *initial), strict=True)
    ]
    found = torch.ops.throughtime.layer_backward(
        graph, wanted, inputs, initial, parameters, *where, output, saved, given[0], given[1:]
    )
    spread = _spread(graph, tuple(wanted), sizes, found)
    first, second = sizes[0], sum(sizes)
    groups = spread[:first], spread[first:second], spread[second:]
    return None, None, None, *groups, None, None, None, None


LIBRARY.impl("layer", _forward, "CPU")
LIBRARY.impl("layer_backward", _backward, "CPU")
torch.library.register_fake("throughtime::layer", _fake_forward, lib=LIBRARY)
torch.library.register_fake("throughtime::layer_backward", _fake_backward, lib=LIBRARY)
torch.library.register_autograd(
    "throughtime::layer", _differentiate, setup_context=_keep, lib=LIBRARY
)
