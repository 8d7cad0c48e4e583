"""The states that a network passes through, layer by layer, in each one's own order."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from throughtime.errors import NothingCarried, NotLayers
from throughtime.graph import StepGraph
from throughtime.nn.carrying import CarriedState
from throughtime.nn.choice import Choice, choose
from throughtime.nn.layers import Layers, Values
from throughtime.nn.permuting import put
from throughtime.nn.sequences import (
    Batch,
    Lengths,
    Sequences,
    read,
    read_states,
)
from throughtime.nn.sparse_sequences import SparseSequences

Given = Sequences | SparseSequences
State = Tensor | Sequence[Tensor] | CarriedState


class Passage(NamedTuple):
    """One layer in one direction along a trajectory, in its own order of time."""

    layer: int
    direction: int
    graph: StepGraph
    """The step in evaluation: what is random is at its mean."""
    parameters: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor]
    """What each step reads, ``(T, B, n)`` by name."""
    before: tuple[Tensor, ...]
    """Each state as the steps find it, ``(T, B, n)``."""
    lengths: Tensor
    """How many steps of each sequence count, ``(B,)``."""
    choice: Choice

    @property
    def steps(self) -> int:
        """T."""
        return self.before[0].shape[0]

    @property
    def size(self) -> int:
        """The units of all states together."""
        return sum(state.shape[-1] for state in self.before)

    @property
    def alive(self) -> Tensor:
        """Which steps count, ``(T, B)``, on the device of the states."""
        device = self.before[0].device
        steps = torch.arange(self.steps, device=device)
        return steps[:, None] < self.lengths.to(device)


def check_layers(module: object, what: str) -> None:
    """Refuse what is no recurrent module, or carries nothing.

    Raises
    ------
    NotLayers, NothingCarried
        It is not one.
    """
    if not isinstance(module, Layers):
        raise NotLayers(given=type(module).__name__)
    if not module.state_names:
        raise NothingCarried(what=what, cell=module.graphs[0].cell)


def in_numbers(
    module: Layers,
    input: Given,
    state: State | None,
    inputs: Mapping[str, Sequences],
    dtype: torch.dtype,
) -> tuple[Layers, Any, State | None, dict[str, Any]]:
    """Copy a module into evaluation mode and other numbers, with what it is given."""
    judged = copy.deepcopy(module).to(dtype).eval().requires_grad_(False)
    others = {name: _numbers(value, dtype) for name, value in inputs.items()}
    if isinstance(state, Tensor | CarriedState):
        state = _numbers(state, dtype)
    elif isinstance(state, Sequence):
        state = [_numbers(value, dtype) for value in state]
    return judged, _numbers(input, dtype), state, others


def _numbers(value: Any, dtype: torch.dtype) -> Any:
    """Real numbers in another type; anything else is the module's to refuse."""
    if isinstance(value, SparseSequences):
        return replace(value, values=_numbers(value.values, dtype))
    if isinstance(value, PackedSequence):
        return value._replace(data=_numbers(value.data, dtype))
    if isinstance(value, CarriedState):
        return value.to(dtype=dtype)
    real = isinstance(value, Tensor) and value.is_floating_point()
    return value.to(dtype) if real else value


def passages(
    module: Layers,
    input: Given,
    state: State | None,
    lengths: Lengths | None,
    inputs: Mapping[str, Sequences],
) -> list[Passage]:
    """Run a module and give what each layer and direction passes through.

    The module is in evaluation mode. Gradients flow to its parameters and inputs, also
    through the states.
    """
    if isinstance(input, PackedSequence):
        input, lengths, inputs = _padded(module, input, inputs)
    batch = read(module, input, inputs, lengths)
    labels = [f"state.{name}" for name in module.state_names]
    start = read_states(module, batch, state, "state", labels)
    if state is None:
        own = module.own_starts(batch.rows["x"])
        start = [value.expand(-1, batch.parts, -1) for value in own]
    values: Values = {}
    outputs: list[Tensor] = []
    extent = batch.steps, batch.parts, batch.packing
    module.run_rows(batch.rows, start, *extent, values, outputs)
    shown = {place: _steps(batch, rows) for place, rows in values.items()}
    given = {name: _steps(batch, rows) for name, rows in batch.rows.items()}
    ordered = [_in_order(batch, value) for value in start]
    found: list[Passage] = []
    x = given["x"]
    for layer in range(module.num_layers):
        for direction in range(module.directions):
            run = layer * module.directions + direction
            first = [value[run] for value in ordered]
            after = [shown[layer, direction, name] for name in module.state_names]
            inputs_here = {**given, "x": x}
            where = layer, direction
            found.append(
                _passage(module, where, inputs_here, first, after, _lengths(batch))
            )
        above = _steps(batch, outputs[layer])
        x = above + x if layer and module.residual else above
    return found


def _passage(
    module: Layers,
    where: tuple[int, int],
    inputs: Mapping[str, Tensor],
    first: Sequence[Tensor],
    after: Sequence[Tensor],
    lengths: Tensor,
) -> Passage:
    """One layer and direction, in whose order of time everything is put.

    States are ``(B, n)`` before the first step, ``(T, B, n)`` after each.
    """
    layer, direction = where
    if not layer:
        inputs = module.of_direction(direction, inputs)
    if direction:
        inputs = {name: _turned(value, lengths) for name, value in inputs.items()}
        after = [_turned(value, lengths) for value in after]
    before = [
        torch.cat([start[None], own[:-1]])[: len(own)]
        for start, own in zip(first, after, strict=True)
    ]
    x, graphs = inputs["x"], [one.graph for one in module.variants.exposed]
    return Passage(
        layer,
        direction,
        module.variants.evaluated[layer],
        module._parameters_of(layer, direction),
        inputs,
        tuple(before),
        lengths,
        choose(module.backend, graphs, "", x.dtype, x.device),
    )


def _padded(
    module: Layers, input: PackedSequence, inputs: Mapping[str, Sequences]
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """Packed sequences as padded ones."""
    whole, lengths = pad_packed_sequence(input, batch_first=module.batch_first)
    others = {
        name: pad_packed_sequence(value, batch_first=module.batch_first)[0]
        if isinstance(value, PackedSequence)
        else value
        for name, value in inputs.items()
    }
    return whole, lengths, others


def _steps(batch: Batch, rows: Tensor) -> Tensor:
    """Rows as ``(T, B, n)``, 0 behind the end of a sequence."""
    if batch.packing is not None and batch.packing.gather is not None:
        rows = put(rows, batch.packing.gather, batch.steps * batch.size)
    return rows.reshape(batch.steps, batch.size, rows.shape[-1])


def _in_order(batch: Batch, states: Tensor) -> Tensor:
    """States ``(L·D, B, n)`` in the order of the sequences, not of the parts."""
    if batch.packing is None or batch.packing.sequences is None:
        return states
    return states.index_select(1, torch.argsort(batch.packing.sequences))


def _lengths(batch: Batch) -> Tensor:
    """How many steps each sequence has, ``(B,)`` on the CPU."""
    if batch.packing is None or batch.packing.sequences is None:
        return torch.full((batch.size,), batch.steps)
    counts = batch.packing.counts
    of_parts = (counts[:, None] > torch.arange(batch.size)).sum(0)
    return of_parts[torch.argsort(batch.packing.sequences.cpu())]


def _turned(values: Tensor, lengths: Tensor) -> Tensor:
    """Each sequence of ``(T, B, n)`` read backwards from its last step."""
    steps = torch.arange(len(values), device=values.device)[:, None]
    ends = lengths.to(values.device)
    places = torch.where(steps < ends, ends - 1 - steps, steps)
    return values.gather(0, places[..., None].expand_as(values))
