"""Two independent ways to the derivatives of a step graph, and values to try."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from throughtime.backends.reference import (
    evaluate_parameters,
    run_adjoint,
    run_layer,
)
from throughtime.backends.reference.layer import Rows
from throughtime.graph import Cell, StepGraph, trace
from throughtime.graph.adjoint import AdjointGraph, adjoint

INPUT_SIZE, HIDDEN_SIZE, TIME, BATCH = 2, 3, 3, 2
EXACT = 1e-12
"""Both ways are float64 arithmetic on a few numbers of size 1."""


@dataclass(frozen=True)
class Values:
    """Numbers for one run of a graph."""

    inputs: Mapping[str, Tensor]
    initial: Sequence[Tensor]
    parameters: Mapping[str, Tensor]
    gradient: Tensor
    state_gradients: Sequence[Tensor]


def draw(graph: StepGraph, seed: int = 0) -> Values:
    """Normal numbers for every leaf of a graph."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    rows = TIME * BATCH
    sizes = {"x": graph.input_size} | {i.name: i.size for i in graph.inputs}
    return Values(
        inputs={name: normal(rows, size) for name, size in sizes.items()},
        initial=[normal(BATCH, state.size) for state in graph.states],
        parameters={p.name: normal(*p.shape) for p in graph.parameters},
        gradient=normal(rows, graph.output_size),
        state_gradients=[normal(BATCH, state.size) for state in graph.states],
    )


def rows() -> Rows:
    return Rows((BATCH,) * TIME)


def run(graph: StepGraph, values: Values) -> tuple[Tensor, list[Tensor]]:
    return run_layer(graph, values.inputs, values.initial, values.parameters, rows())


def gradients_by_autograd(graph: StepGraph, values: Values) -> dict[str, Tensor]:
    """Derivatives of ⟨output, gradient⟩ by torch's own rules."""
    tracked = replace(
        values,
        inputs={k: v.clone().requires_grad_() for k, v in values.inputs.items()},
        initial=[value.clone().requires_grad_() for value in values.initial],
        parameters={
            k: v.clone().requires_grad_() for k, v in values.parameters.items()
        },
    )
    output, finals = run(graph, tracked)
    loss = (output * values.gradient).sum()
    for final, gradient in zip(finals, values.state_gradients, strict=True):
        loss = loss + (final * gradient).sum()
    names = {f"input {k}": v for k, v in tracked.inputs.items()}
    names |= {
        f"state {s.name}": v for s, v in zip(graph.states, tracked.initial, strict=True)
    }
    names |= {f"parameter {k}": v for k, v in tracked.parameters.items()}
    found = torch.autograd.grad(loss, list(names.values()), allow_unused=True)
    return {
        name: torch.zeros_like(names[name]) if value is None else value
        for name, value in zip(names, found, strict=True)
    }


def gradients_by_adjoint(
    graph: StepGraph, values: Values, back: AdjointGraph | None = None
) -> dict[str, Tensor]:
    """The same by the δ equations."""
    back = adjoint(graph) if back is None else back
    wanted = {*back.input_gradients.values()}
    for term in back.terms:
        wanted |= {term.delta} | ({term.operand} if term.operand is not None else set())
    adjoints, states = run_adjoint(
        replace(back, deltas={index: index for index in wanted}),
        values.inputs,
        values.initial,
        values.parameters,
        rows(),
        values.gradient,
        values.state_gradients,
    )
    found = {f"input {k}": torch.zeros_like(v) for k, v in values.inputs.items()}
    for name, index in back.input_gradients.items():
        found[f"input {name}"] = adjoints[index].expand_as(values.inputs[name])
    for state, value in zip(graph.states, states, strict=True):
        found[f"state {state.name}"] = value
    return found | _parameter_gradients(back, adjoints, values)


def _parameter_gradients(
    back: AdjointGraph, adjoints: Mapping[int, Tensor], values: Values
) -> dict[str, Tensor]:
    leaves = {k: v.clone().requires_grad_() for k, v in values.parameters.items()}
    loss = torch.zeros((), dtype=torch.float64)
    for term in back.terms:
        (value,) = evaluate_parameters(
            back.nodes, [term.parameter], leaves, values.gradient
        )
        delta = adjoints[term.delta]
        if term.operand is None:
            gradient = delta.sum(0).expand(value.shape)
        else:
            gradient = delta.T @ adjoints[term.operand]
        loss = loss + (value * gradient).sum()
    found = {f"parameter {k}": torch.zeros_like(v) for k, v in leaves.items()}
    if loss.requires_grad:
        grads = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
        for name, gradient in zip(leaves, grads, strict=True):
            if gradient is not None:
                found[f"parameter {name}"] = gradient
    return found


def assert_same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(
            other[name],
            value,
            rtol=0,
            atol=EXACT * _scale(value),
            equal_nan=True,
            msg=lambda text, name=name: f"{name}: {text}",
        )


def _scale(value: Tensor) -> float:
    finite = value[torch.isfinite(value)]
    return max(1.0, float(finite.abs().max())) if finite.numel() else 1.0


def traced(cell: Cell) -> StepGraph:
    return trace(cell, INPUT_SIZE, HIDDEN_SIZE)


def cell_of(step: Callable[..., object], **declarations: object) -> Cell:
    """A cell with this step, written where it is needed."""
    return type("Tried", (Cell,), {**declarations, "step": step})()
