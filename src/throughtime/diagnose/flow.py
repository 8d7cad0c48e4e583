"""Gradient flow: how long error is at every step of one backward pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from throughtime.errors import CalledSeveralTimes, NothingWatched
from throughtime.nn import Recurrent, watch
from throughtime.nn.finding import recurrent_module
from throughtime.nn.layers import Layers
from throughtime.nn.zeros import zero_names

Place = tuple[int, int, str]
"""Layer, direction and name."""


@dataclass(frozen=True)
class GradientFlow:
    """What a backward pass met on its way through time.

    Sequences are in the order of the input, those of a ``PackedSequence`` in its own.
    """

    loss: float
    norms: dict[Place, NDArray[np.floating]]
    """‖∂L/∂s_t‖ of every state, ``(T, B)``; 0 behind the end of a sequence."""
    saturation: dict[Place, NDArray[np.floating]]
    """Share of the units of every sigmoid and tanh whose slope is below a tenth of the
    steepest, ``(T, B)``; 0 behind the end of a sequence."""
    functions: dict[Place, str]
    """``"sigmoid"`` or ``"tanh"``, for each of `saturation`."""
    dead: dict[Place, NDArray[np.bool_]]
    """Of every value that a ReLU ends, which units are 0 at every step, ``(n,)``."""
    alive: NDArray[np.bool_]
    """Which steps the sequences have, ``(T, B)``."""


def gradient_flow(
    model: nn.Module,
    inputs: Any,
    targets: Any,
    loss: Callable[[Any, Any], Tensor],
    **keywords: Any,
) -> GradientFlow:
    """Run a model forward and backward, and look at the error in every state.

    No weight and no gradient of a weight is changed. The mode is that of the model:
    with ``model.train()`` masks are drawn.

    Parameters
    ----------
    model
        A recurrent module, or a model with one in it, that calls it once.
    inputs
        The model's argument, ``(T, B, F)`` of a recurrent module, or a tuple of its
        arguments.
    targets
        What ``loss`` takes as its second argument.
    loss
        L, a number, from what the model returns (of a recurrent module, or another that
        returns a tuple, from its first value) and from the targets.
    **keywords
        Further arguments of the model by name, such as ``lengths``.

    Raises
    ------
    NoRecurrentModule, SeveralRecurrentModules, CalledSeveralTimes, NothingWatched
        Not exactly one recurrent module was called once, with a result that the loss
        depends on.
    """
    _, layers = recurrent_module("gradient_flow", model)
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    with torch.enable_grad(), watch(layers) as watching, _heard(layers) as calls:
        output = model(*arguments, **keywords)
        value = loss(output[0] if isinstance(output, tuple) else output, targets)
        if len(watching.calls) > 1:
            raise CalledSeveralTimes(call="gradient_flow", count=len(watching.calls))
        if not watching.calls or not value.requires_grad:
            raise NothingWatched
        watching.report(value)
    (call,) = watching.calls
    return GradientFlow(
        loss=value.item(),
        norms={place: _array(one) for place, one in call.norms.items()},
        saturation={place: _array(one) for place, one in call.saturation.items()},
        functions=call.functions(),
        dead={p: u.cpu().numpy() for p, u in dead_units(layers, *calls[0]).items()},
        alive=call.alive.cpu().numpy(),
    )


def _array(values: Tensor) -> NDArray[np.floating]:
    return values.detach().cpu().numpy()


Heard = tuple[tuple[Any, ...], dict[str, Any]]


@contextmanager
def _heard(layers: Layers) -> Iterator[list[Heard]]:
    """The arguments of the module's calls."""
    calls: list[Heard] = []

    def hear(_: nn.Module, arguments: Any, keywords: dict[str, Any]) -> None:
        calls.append((arguments, keywords))

    handle = layers.register_forward_pre_hook(hear, with_kwargs=True)
    try:
        yield calls
    finally:
        handle.remove()


@torch.no_grad()
def dead_units(
    layers: Layers, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> dict[Place, Tensor]:
    """Which units of values that a ReLU ends are 0 at every step, ``(n,)`` each.

    Parameters
    ----------
    layers
        A `Recurrent`; of the classes of torch.nn nothing is said.
    arguments, keywords
        Of its call.
    """
    wanted = {
        (layer, direction, name)
        for layer, graph in enumerate(layers.graphs)
        for direction in range(layers.directions)
        for name in zero_names(graph)
    }
    if not wanted or not isinstance(layers, Recurrent):
        return {}
    keywords = {**keywords, "return_all": True, "return_layers": False}
    _, _, values = layers(*arguments, **keywords)
    return {
        place: (_rows(values[place]) == 0).flatten(0, -2).all(0)
        for place in sorted(wanted)
    }


def _rows(value: Any) -> Tensor:
    """Steps of a value; behind the end of a sequence it is 0 anyway."""
    return value if isinstance(value, Tensor) else value.data
