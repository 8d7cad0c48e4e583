"""A judge of backward passes: the step unrolled in Python, differentiated by torch."""

import torch
from torch import Tensor

from throughtime.backends.reference.interpreter import evaluate
from throughtime.graph import StepGraph
from throughtime.nn import Recurrent

States = dict[tuple[int, int, str], list[Tensor]]
"""By layer, direction and name: the new state of each step of one sequence."""


def unrolled(module: Recurrent, x: Tensor) -> tuple[Tensor, States]:
    """Output ``(T, D·H)`` of one sequence ``(T, F)``, and all states on the way.

    States keep their gradients; each is what everything behind it is computed from.
    """
    kept: States = {}
    for layer in range(module.num_layers):
        ways: list[Tensor] = []
        for direction in range(module.directions):
            graph = module.graphs[layer]
            weights = dict(module._parameters_of(layer, direction))
            steps = range(len(x))[:: -1 if direction else 1]
            outputs: dict[int, Tensor] = {}
            states = [x.new_full((s.size,), s.number) for s in graph.states]
            for step in steps:
                outputs[step], states = _step(graph, weights, x[step], states)
                for state, value in zip(graph.states, states, strict=True):
                    value.retain_grad()
                    place = layer, direction, state.name
                    kept.setdefault(place, [value] * len(x))[step] = value
            ways.append(torch.stack([outputs[step] for step in range(len(x))]))
        x = torch.cat(ways, -1)
    return x, kept


def _step(
    graph: StepGraph, weights: dict[str, Tensor], x: Tensor, states: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    before = dict(zip([s.name for s in graph.states], states, strict=True))
    leaves = {"input": {"x": x}, "state": before, "parameter": weights}
    known = {
        index: leaves[node.operation][str(node.attributes[0])]
        for index, node in enumerate(graph.nodes)
        if node.operation in leaves
    }
    ends = [graph.output, *graph.new_states]
    values = evaluate(graph.nodes, ends, known, x)
    return values[graph.output], [values[index] for index in graph.new_states]
