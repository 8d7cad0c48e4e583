"""How many units are exactly 0, step by step: what products may leave out."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from throughtime.graph import StepGraph
from throughtime.graph.names import value_names
from throughtime.graph.zeros import zero_values
from throughtime.nn.layers import Layers
from throughtime.nn.sequences import Lengths, Sequences

Zeros = dict[tuple[int, int, str], Tensor]


def zero_names(graph: StepGraph) -> tuple[str, ...]:
    """Names of a step's values that are exactly 0 in many units."""
    zeros = zero_values(graph)
    return tuple(name for name, index in value_names(graph).items() if index in zeros)


@torch.no_grad()
def zero_shares(
    module: Layers,
    input: Sequences,
    state: Tensor | Sequence[Tensor] | None,
    *,
    lengths: Lengths | None,
    resets: Tensor | None,
    **inputs: Sequences,
) -> Zeros:
    """``(layer, direction, name) -> (T,)``; see `Explanation.zeros`."""
    _, _, values = module(
        input, state, lengths=lengths, resets=resets, return_all=True, **inputs
    )
    chosen = {
        (layer, direction, name)
        for layer, graph in enumerate(module.graphs)
        for direction in range(module.directions)
        for name in zero_names(graph)
    }
    return {
        place: _share(module, value, lengths)
        for place, value in values.items()
        if place in chosen
    }


def _share(
    module: Layers, value: Tensor | PackedSequence, lengths: Lengths | None
) -> Tensor:
    """Share of a value's units that are 0 at each step, of sequences that go on."""
    if isinstance(value, PackedSequence):
        value, lengths = pad_packed_sequence(value)
    elif module.batch_first and value.dim() == 3:
        value = value.transpose(0, 1)
    steps = torch.arange(len(value), device=value.device)
    others = (value != 0).flatten(1).sum(1)
    if lengths is None:
        count = torch.full_like(others, value[:1].numel())
    else:
        ends = torch.as_tensor(lengths, device=value.device).flatten()
        count = (steps[:, None] < ends).sum(1) * value.shape[-1]
    return 1 - others / count
