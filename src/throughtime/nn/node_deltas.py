"""δ of every node of a module, by the adjoint graph."""

from collections.abc import Mapping, Sequence
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
from throughtime.nn.permuting import put, taken
from throughtime.nn.precision import own_precision
from throughtime.nn.sequences import Batch, Lengths, Sequences, read, read_states
from throughtime.nn.sparse_sequences import SparseSequences

Keys = tuple[Tensor | None, ...] | None
Deltas = dict[tuple[int, int, str], Tensor]
Extent = tuple[Rows, Tensor | None]
_INPUT = -1
"""Key of the adjoint of x among those of the named nodes."""


@torch.no_grad()
def node_deltas(
    module: Layers,
    input: Sequences | SparseSequences,
    grad_output: Tensor,
    state: Tensor | Sequence[Tensor] | None,
    *,
    lengths: Lengths | None = None,
    resets: Tensor | None = None,
    **inputs: Sequences,
) -> Deltas:
    """``(layer, direction, node name) -> (T, B, n)``; see `Explanation.deltas`."""
    batch = read(module, input, inputs, lengths, resets)
    flat = {name: value.flatten(0, -2) for name, value in batch.rows.items()}
    batch = batch._replace(rows=flat)
    labels = [f"state.{name}" for name in module.state_names]
    start = read_states(module, batch, state, "state", labels)
    if state is None:
        start = [
            own.expand(-1, batch.parts, -1) for own in module.own_starts(flat["x"])
        ]
    gradient = _gradient_rows(module, batch, grad_output)
    with own_precision(gradient.device):
        return _of_rows(module, batch, start, gradient)


def _of_rows(
    module: Layers, batch: Batch, start: Sequence[Tensor], gradient: Tensor
) -> Deltas:
    keys = module.draw_keys(gradient.device)
    extent = _extent(batch)
    layer_inputs = _layer_inputs(module, batch, start, keys, extent)
    found: Deltas = {}
    for layer in range(module.num_layers - 1, -1, -1):
        rows = {**batch.rows, "x": layer_inputs[layer]}
        below = torch.zeros_like(layer_inputs[layer])
        width = module.graphs[layer].output_size
        for direction in range(module.directions):
            run = layer * module.directions + direction
            key = None if keys is None else keys[run]
            graph = module.variants.graph(layer, draws=key is not None)
            values = _direction(
                graph,
                rows if layer else module.of_direction(direction, rows),
                [one[run] for one in start],
                module._parameters_of(layer, direction),
                extent,
                gradient[:, direction * width : (direction + 1) * width],
                bool(direction),
                key,
            )
            error = values.pop("", 0)
            if layer:
                below += error
            for name, value in values.items():
                found[layer, direction, name] = _steps(batch, value)
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
    gradient = gradient.reshape(batch.steps * batch.size, width)
    if batch.packing is not None and batch.packing.gather is not None:
        gradient = taken(gradient, batch.packing.gather)
    return gradient.to(batch.rows["x"])


def _extent(batch: Batch) -> Extent:
    """How rows divide into steps, and where each is read from backwards."""
    if batch.packing is None:
        return Rows((batch.size,) * batch.steps), None
    return Rows(tuple(batch.packing.counts.tolist())), batch.packing.mirror


def _steps(batch: Batch, rows: Tensor) -> Tensor:
    """Rows as ``(T, B, n)``, 0 behind the end of a sequence."""
    if batch.packing is not None and batch.packing.gather is not None:
        rows = put(rows, batch.packing.gather, batch.steps * batch.size)
    return rows.view(batch.steps, batch.size, rows.shape[1])


def _layer_inputs(
    module: Layers,
    batch: Batch,
    start: Sequence[Tensor],
    keys: Keys,
    extent: Extent,
) -> list[Tensor]:
    """What each layer reads, ``(N, F)``."""
    rows, mirror = extent
    values = [batch.rows["x"]]
    for layer in range(module.num_layers - 1):
        outputs: list[Tensor] = []
        for direction in range(module.directions):
            run = layer * module.directions + direction
            key = None if keys is None else keys[run]
            back = mirror if direction else None
            inputs = {**batch.rows, "x": values[-1]}
            if not layer:
                inputs = module.of_direction(direction, inputs)
            inputs = _mirrored(inputs, back)
            output, _ = run_layer(
                module.variants.graph(layer, draws=key is not None),
                inputs,
                [one[run] for one in start],
                module._parameters_of(layer, direction),
                rows,
                bool(direction) and mirror is None,
                key,
            )
            outputs.append(_mirrored({"": output}, back)[""])
        value = torch.cat(outputs, -1)
        values.append(value + values[-1] if layer and module.residual else value)
    return values


def _direction(
    graph: StepGraph,
    inputs: Mapping[str, Tensor],
    initial: list[Tensor],
    parameters: dict[str, Tensor],
    extent: Extent,
    gradient: Tensor,
    reverse: bool,
    key: Tensor | None,
) -> dict[str, Tensor]:
    """δ of every named node, and under ``""`` the adjoint of x, ``(N, n)``."""
    rows, mirror = extent
    if reverse and mirror is not None:
        # Each sequence is turned around by itself, as they end at different steps.
        inputs, own = _mirrored(inputs, mirror), taken(gradient, mirror)
        forward = rows, None
        found = _direction(graph, inputs, initial, parameters, forward, own, False, key)
        return _mirrored(found, mirror)
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
        rows,
        gradient,
        [torch.zeros_like(one) for one in initial],
        reverse,
        key,
    )
    # A value that no error reaches has a δ all the same: 0.
    count = inputs["x"].shape[0]
    found = {
        name: values.get(index, gradient.new_zeros(count, graph.nodes[index].size))
        for name, index in names.items()
    }
    return found | ({"": values[_INPUT]} if _INPUT in values else {})


def _mirrored(rows: Mapping[str, Tensor], mirror: Tensor | None) -> dict[str, Tensor]:
    """Rows of each part read backwards, or as they are."""
    if mirror is None:
        return dict(rows)
    return {name: taken(value, mirror) for name, value in rows.items()}
