"""One layer in one direction: the loop over time, step by step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from throughtime.backends.reference.interpreter import evaluate
from throughtime.backends.reference.random_numbers import drawn
from throughtime.graph.adjoint import OUTPUT_GRADIENT, AdjointGraph
from throughtime.graph.nodes import StepGraph, dependents
from throughtime.graph.operations import Kind


@dataclass(frozen=True)
class Rows:
    """Where the rows of each step lie in packed data.

    ``counts[t]`` sequences are alive at step t, the longest first, so that row r of
    every step belongs to the same sequence; their rows follow each other.
    """

    counts: tuple[int, ...]

    def spans(self, reverse: bool = False) -> Iterator[tuple[int, int]]:
        """First row and number of rows of each step, in order of computation."""
        starts: list[tuple[int, int]] = []
        total = 0
        for count in self.counts:
            starts.append((total, count))
            total += count
        return reversed(starts) if reverse else iter(starts)


def run_layer(
    graph: StepGraph,
    inputs: Mapping[str, Tensor],
    initial: Sequence[Tensor],
    parameters: Mapping[str, Tensor],
    rows: Rows,
    reverse: bool = False,
    key: Tensor | None = None,
    first: int = 0,
) -> tuple[Tensor, list[Tensor]]:
    """Output ``(N, H)`` and final states ``(B, n)`` of one layer and direction.

    Parameters
    ----------
    graph
        The step.
    inputs
        ``x`` and each further input, packed ``(N, n)``.
    initial
        Each state's start, ``(B, n)``, rows in order of decreasing length.
    parameters
        By their names in the graph.
    rows
        How the N packed rows divide into steps.
    reverse
        Run each sequence from its last step to its first.
    key
        Of what the step draws, ``(1,)`` int64; None where it draws nothing.
    first
        The number of the first row, where earlier ones were run before.
    """
    nodes, like = graph.nodes, inputs["x"]
    leaves = _leaves(graph, inputs, parameters, rows, key, first)
    constant, varying = _before_the_loop(graph, leaves, like)
    if not graph.states:
        return _full(varying[graph.output], like, graph.output_size), []
    names = {
        str(node.attributes[0]): index
        for index, node in enumerate(nodes)
        if node.operation == "state"
    }
    current = list(initial)
    outputs: list[Tensor] = []
    for start, count in rows.spans(reverse):
        known = {i: v[start : start + count] for i, v in varying.items()}
        for state, value in zip(graph.states, current, strict=True):
            if state.name in names:
                known[names[state.name]] = value[:count]
        ends = [graph.output, *graph.new_states]
        values = evaluate(nodes, ends, {**constant, **known}, like)
        outputs.append(values[graph.output])
        current = [
            torch.cat([values[index], value[count:]])
            for index, value in zip(graph.new_states, current, strict=True)
        ]
    if reverse:
        outputs.reverse()
    return _joined(outputs, like, graph.output_size), current


def _before_the_loop(
    graph: StepGraph, leaves: Mapping[int, Tensor], like: Tensor
) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """What needs no state: expressions of parameters, and values ``(N, n)``."""
    nodes = graph.nodes
    late = dependents(nodes, [i for i, n in enumerate(nodes) if n.operation == "state"])
    early = [
        index
        for index, node in enumerate(nodes)
        if index not in late and node.operation != "gradient"
    ]
    known = evaluate(nodes, early, leaves, like)
    constant = {i: v for i, v in known.items() if nodes[i].kind is Kind.PARAMETER}
    # What is made of parameters alone, such as a `where`, has no rows of its own yet.
    varying = {
        i: _full(v, like, v.shape[-1]) for i, v in known.items() if i not in constant
    }
    return constant, varying


def _full(value: Tensor, like: Tensor, size: int) -> Tensor:
    return value.expand(like.shape[0], size)


def _joined(outputs: Sequence[Tensor], like: Tensor, size: int) -> Tensor:
    return torch.cat(list(outputs)) if outputs else like.new_zeros((0, size))


def _leaves(
    graph: StepGraph,
    inputs: Mapping[str, Tensor],
    parameters: Mapping[str, Tensor],
    rows: Rows,
    key: Tensor | None,
    first: int = 0,
) -> dict[int, Tensor]:
    known = drawn(graph.nodes, key, rows.counts, inputs["x"], first)
    for index, node in enumerate(graph.nodes):
        if node.operation == "input":
            known[index] = inputs[str(node.attributes[0])]
        elif node.operation == "parameter":
            known[index] = parameters[str(node.attributes[0])]
    return known


def run_adjoint(
    graph: AdjointGraph,
    inputs: Mapping[str, Tensor],
    initial: Sequence[Tensor],
    parameters: Mapping[str, Tensor],
    rows: Rows,
    output_gradient: Tensor,
    state_gradients: Sequence[Tensor],
    reverse: bool = False,
    key: Tensor | None = None,
) -> tuple[dict[int, Tensor], list[Tensor]]:
    """Adjoint of every forward node, packed ``(N, n)``, by the δ equations.

    Also the adjoint of each initial state ``(B, n)``. Arguments as in `run_layer`;
    ``state_gradients`` are those of the final states.
    """
    forward, like = graph.forward, inputs["x"]
    steps = list(rows.spans(reverse))
    leaves = _leaves(forward, inputs, parameters, rows, key)
    before = _states_before(forward, leaves, initial, steps, like)
    wanted = [*graph.deltas.values(), *graph.state_gradients]
    deltas: dict[int, Tensor] = {
        node: like.new_zeros((like.shape[0], graph.nodes[delta].size))
        for node, delta in graph.deltas.items()
    }
    carried = list(state_gradients)
    for (start, count), states in reversed(list(zip(steps, before, strict=True))):
        span = slice(start, start + count)
        known = {
            i: v if graph.nodes[i].kind is Kind.PARAMETER else v[span]
            for i, v in leaves.items()
        }
        known |= _step_leaves(graph, states, carried, output_gradient[span], count)
        values = evaluate(graph.nodes, wanted, known, like)
        for node, delta in graph.deltas.items():
            deltas[node][span] = values[delta]
        carried = [
            torch.cat([values[index].expand(count, -1), value[count:]])
            for index, value in zip(graph.state_gradients, carried, strict=True)
        ]
    return deltas, carried


def _states_before(
    graph: StepGraph,
    leaves: Mapping[int, Tensor],
    initial: Sequence[Tensor],
    steps: Sequence[tuple[int, int]],
    like: Tensor,
) -> list[list[Tensor]]:
    """States that each step starts from, in order of computation."""
    before: list[list[Tensor]] = []
    current = list(initial)
    for start, count in steps:
        before.append([value[:count] for value in current])
        known = {
            i: v if graph.nodes[i].kind is Kind.PARAMETER else v[start : start + count]
            for i, v in leaves.items()
        }
        known |= _state_leaves(graph, before[-1])
        values = evaluate(graph.nodes, graph.new_states, known, like)
        current = [
            torch.cat([values[index].expand(count, -1), value[count:]])
            for index, value in zip(graph.new_states, current, strict=True)
        ]
    return before


def _state_leaves(graph: StepGraph, states: Sequence[Tensor]) -> dict[int, Tensor]:
    order = {
        state.name: value for state, value in zip(graph.states, states, strict=True)
    }
    return {
        index: order[str(node.attributes[0])]
        for index, node in enumerate(graph.nodes)
        if node.operation == "state"
    }


def _step_leaves(
    graph: AdjointGraph,
    states: Sequence[Tensor],
    carried: Sequence[Tensor],
    output_gradient: Tensor,
    count: int,
) -> dict[int, Tensor]:
    known = _state_leaves(graph.forward, states)
    gradients = {OUTPUT_GRADIENT: output_gradient}
    for state, value in zip(graph.forward.states, carried, strict=True):
        gradients[f"state {state.name}"] = value[:count]
    for index, node in enumerate(graph.nodes):
        if node.operation == "gradient":
            known[index] = gradients[str(node.attributes[0])]
    return known
