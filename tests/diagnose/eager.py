"""A module run step by step in Python, so that autograd sees every state."""

import torch
from torch import Tensor

import throughtime as tt
from throughtime.backends.reference.interpreter import evaluate

States = dict[tuple[int, int, str], list[Tensor]]


def run_eager(module: tt.nn.Recurrent, x: Tensor) -> tuple[Tensor, States]:
    """Output ``(T, B, H)``, and the new states ``(B, n)`` of each step by layer.

    One direction; the equations are the traced ones, autograd is torch's own.
    """
    states: States = {}
    for layer, (graph, weights) in enumerate(module.weights()):
        current = {
            s.name: x.new_full((x.shape[1], s.size), s.number) for s in graph.states
        }
        outputs = []
        for step in x:
            known = {
                index: _leaf(node, step, current, weights)
                for index, node in enumerate(graph.nodes)
                if node.operation in {"input", "state", "parameter"}
            }
            ends = [graph.output, *graph.new_states]
            values = evaluate(graph.nodes, ends, known, x)
            outputs.append(values[graph.output])
            for state, index in zip(graph.states, graph.new_states, strict=True):
                current[state.name] = values[index]
                states.setdefault((layer, 0, state.name), []).append(values[index])
        x = torch.stack(outputs)
    return x, states


def _leaf(
    node: object, x: Tensor, states: dict[str, Tensor], weights: dict[str, Tensor]
) -> Tensor:
    name = str(node.attributes[0])
    return {"input": {"x": x}, "state": states, "parameter": weights}[node.operation][
        name
    ]
