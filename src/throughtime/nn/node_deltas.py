"""δ of every node of a module, by the adjoint graph."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from throughtime.backends.reference import run_adjoint, run_layer
from throughtime.backends.reference.layer import Rows
from throughtime.errors import GradientShapeMismatch
from throughtime.graph import StepGraph
from throughtime.graph.adjoint import adjoint
from throughtime.graph.names import FUNCTIONS, value_names
from throughtime.nn.layers import Layers
from throughtime.nn.precision import own_precision
from throughtime.nn.sequences import Batch, Sequences, read, read_states

Keys = tuple[Tensor | None, ...] | None
Deltas = dict[tuple[int, int, str], Tensor]
_INPUT = -1
"""Key of the adjoint of x among those of the named nodes."""


@torch.no_grad()
def node_deltas(
    module: Layers,
    input: Sequences,
    grad_output: Tensor,
    state: Tensor | Sequence[Tensor] | None,
    **inputs: Sequences,
) -> Deltas:
    """``(layer, direction, node name) -> (T, B, n)``; see `Explanation.deltas`."""
    batch = read(module, input, inputs, None)
    flat = {name: value.flatten(0, -2) for name, value in batch.rows.items()}
    batch = batch._replace(rows=flat)
    labels = [f"state.{name}" for name in module.state_names]
    start = read_states(module, batch, state, "state", labels)
    if state is None:
        start = [own.expand(-1, batch.size, -1) for own in module.own_starts(flat["x"])]
    gradient = _gradient_rows(module, batch, grad_output)
    with own_precision(gradient.device):
        return _of_rows(module, batch, start, gradient)


def _of_rows(
    module: Layers, batch: Batch, start: Sequence[Tensor], gradient: Tensor
) -> Deltas:
    keys = module.draw_keys(gradient.device)
    layer_inputs = _layer_inputs(module, batch, start, keys)
    found: Deltas = {}
    for layer in range(module.num_layers - 1, -1, -1):
        rows = {**batch.rows, "x": layer_inputs[layer]}
        below = torch.zeros_like(layer_inputs[layer])
        width = module.graphs[layer].output_size
        for direction in range(module.directions):
            run = layer * module.directions + direction
            key = None if keys is None else keys[run]
            graph = module.running_graph(layer, key)
            values = _direction(
                graph,
                rows,
                [one[run] for one in start],
                module._parameters_of(layer, direction),
                (batch.size,) * batch.steps,
                gradient[:, direction * width : (direction + 1) * width],
                bool(direction),
                key,
            )
            below += values.pop("", 0)
            for name, value in values.items():
                shape = (batch.steps, batch.size, value.shape[1])
                found[layer, direction, name] = value.view(shape)
        gradient = below + gradient if layer and module.residual else below
    return found


def _gradient_rows(module: Layers, batch: Batch, gradient: Tensor) -> Tensor:
    width = module.directions * module.graphs[-1].output_size
    expected = (batch.steps, batch.size, width)
    if not batch.batched:
        expected = (batch.steps, width)
    elif batch.batch_first:
        expected = (batch.size, batch.steps, width)
    given = tuple(gradient.shape) if isinstance(gradient, Tensor) else None
    if given != expected:
        described = type(gradient).__name__ if given is None else f"of shape {given}"
        raise GradientShapeMismatch(given=described, expected=expected)
    if batch.batched and batch.batch_first:
        gradient = gradient.transpose(0, 1)
    return gradient.reshape(batch.steps * batch.size, width).to(batch.rows["x"])


def _layer_inputs(
    module: Layers, batch: Batch, start: Sequence[Tensor], keys: Keys
) -> list[Tensor]:
    """What each layer reads, ``(T·B, F)``."""
    values = [batch.rows["x"]]
    for layer in range(module.num_layers - 1):
        outputs: list[Tensor] = []
        for direction in range(module.directions):
            run = layer * module.directions + direction
            key = None if keys is None else keys[run]
            output, _ = run_layer(
                module.running_graph(layer, key),
                {**batch.rows, "x": values[-1]},
                [one[run] for one in start],
                module._parameters_of(layer, direction),
                Rows((batch.size,) * batch.steps),
                bool(direction),
                key,
            )
            outputs.append(output)
        value = torch.cat(outputs, -1)
        values.append(value + values[-1] if layer and module.residual else value)
    return values


def _direction(
    graph: StepGraph,
    inputs: dict[str, Tensor],
    initial: list[Tensor],
    parameters: dict[str, Tensor],
    counts: tuple[int, ...],
    gradient: Tensor,
    reverse: bool,
    key: Tensor | None,
) -> dict[str, Tensor]:
    """δ of every named node, and under ``""`` the adjoint of x, ``(T·B, n)``."""
    back = adjoint(graph)
    targets: dict[int, int] = {}
    names = value_names(graph)
    for index in names.values():
        function = graph.nodes[index].operation in FUNCTIONS
        target = (back.incoming if function else back.deltas).get(index)
        if target is not None:
            targets[index] = target
    if "x" in back.input_gradients:
        targets[_INPUT] = back.input_gradients["x"]
    values, _ = run_adjoint(
        replace(back, deltas=targets),
        inputs,
        initial,
        parameters,
        Rows(counts),
        gradient,
        [torch.zeros_like(one) for one in initial],
        reverse,
        key,
    )
    # A value that no error reaches has a δ all the same: 0.
    rows = inputs["x"].shape[0]
    found = {
        name: values.get(index, gradient.new_zeros(rows, graph.nodes[index].size))
        for name, index in names.items()
    }
    return found | ({"": values[_INPUT]} if _INPUT in values else {})
