"""The tangent of a cell, judged by torch's own forward mode."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor

from tests.graph.oracle import (
    BATCH,
    HIDDEN_SIZE,
    INPUT_SIZE,
    TIME,
    Values,
    assert_same,
    cell_of,
    draw,
    run,
    traced,
)
from tests.graph.random_cells import Choices, RandomCell, choices
from tests.graph.wild_cells import Recipe, WildCell, recipes
from throughtime import cells, math
from throughtime.graph import Cell, Parameter, State, StepGraph, Value, trace
from throughtime.graph.nodes import verify
from throughtime.graph.serialize import from_json, to_json
from throughtime.graph.tangent import tangent

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
BUILT_IN = [
    cells.Elman(),
    cells.LSTM(),
    cells.GRU(),
    cells.GRU(reset_after=False),
    cells.PeepholeLSTM(),
    cells.Feedforward(),
]


def names_of(graph: StepGraph) -> list[str]:
    inputs = ["x", *(declared.name for declared in graph.inputs)]
    return inputs + [declared.name for declared in graph.parameters]


def rates_by_torch(
    graph: StepGraph, values: Values, rates: Values, changing: list[str]
) -> dict[str, Tensor]:
    """Rates of the output and of the final states by forward mode of the reference."""
    leaves = {**values.inputs, **values.parameters}
    moving = {**rates.inputs, **rates.parameters}
    moving = {name: moving[name] for name in leaves if name in changing}

    def call(starts: list[Tensor], changed: dict[str, Tensor]) -> dict[str, Tensor]:
        every = {**leaves, **changed}
        inputs = {name: every[name] for name in values.inputs}
        parameters = {name: every[name] for name in values.parameters}
        *initial, _ = starts
        given = replace(values, inputs=inputs, initial=initial, parameters=parameters)
        output, finals = run(graph, given)
        return {"output": output} | {f"final {i}": v for i, v in enumerate(finals)}

    # One more that nothing reads, as there have to be some.
    primals = [*values.initial, values.gradient], {n: leaves[n] for n in moving}
    tangents = [*rates.initial, rates.gradient], moving
    return torch.func.jvp(call, primals, tangents)[1]


def rates_by_tangent(
    graph: StepGraph, values: Values, rates: Values, changing: list[str]
) -> dict[str, Tensor]:
    """The same by the tangent cell."""
    made = tangent(graph, changing)
    inputs, parameters = list(made.inputs), list(made.parameters)
    moving = [rates.inputs[n] for n in values.inputs if n in changing]
    behind = [item.name for item in inputs[len(graph.inputs) :]]
    both = dict(zip(behind, moving, strict=True))
    moving = [rates.parameters[n] for n in values.parameters if n in changing]
    behind = [item.name for item in parameters[len(graph.parameters) :]]
    weights = dict(zip(behind, moving, strict=True))
    joined = Values(
        inputs={**values.inputs, **both},
        initial=[*values.initial, *rates.initial],
        parameters={**values.parameters, **weights},
        gradient=values.gradient,
        state_gradients=values.state_gradients,
    )
    output, finals = run(made, joined)
    found = {"output": output}
    return found | {f"final {i}": v for i, v in enumerate(finals[len(graph.states) :])}


def check(graph: StepGraph, changing: list[str]) -> None:
    made = verify(tangent(graph, changing))
    assert from_json(to_json(made)) == made
    values, rates = draw(graph), draw(graph, seed=1)
    by_torch = rates_by_torch(graph, values, rates, changing)
    assert_same(by_torch, rates_by_tangent(graph, values, rates, changing))


@pytest.mark.parametrize("cell", BUILT_IN, ids=repr)
def test_built_in_cells(cell: Cell) -> None:
    graph = traced(cell)
    names = names_of(graph)
    for changing in (names, ["x"], names[1:], []):
        check(graph, changing)


@given(choices)
def test_random_cells(given: Choices) -> None:
    graph = traced(RandomCell(given))
    check(graph, names_of(graph))


@given(recipes)
def test_wild_cells(recipe: Recipe) -> None:
    graph = trace_wild(recipe)
    names = names_of(graph)
    check(graph, names)
    check(graph, names[::2])
    check(tangent(graph, names[1::2]), names)


def trace_wild(recipe: Recipe) -> StepGraph:
    return trace(WildCell(recipe), INPUT_SIZE, HIDDEN_SIZE)


KINKS = {
    "relu": math.relu,
    "softplus": lambda w: math.softplus(w * 30),
    "clip": lambda w: math.clip(w, -0.5, 0.7),
    "maximum": lambda w: math.maximum(w, 0.2 - w),
    "minimum": lambda w: math.minimum(w * w, 0.3),
    "abs": math.abs,
    "a scalar": lambda w: w * 0.5 + 0.1,
}


@pytest.mark.parametrize("kink", KINKS)
def test_expressions_of_parameters(kink: str) -> None:
    def step(self: Any, x: Value, h: Value) -> Any:
        weight = KINKS[kink](self.weight) / (2 + math.max(self.scale))
        moved = weight + math.max(self.scale)
        return math.tanh(moved @ h + math.max(KINKS[kink](self.bias)) + math.mean(x))

    cell = cell_of(
        step,
        weight=Parameter("hidden", "hidden"),
        scale=Parameter("hidden"),
        bias=Parameter("hidden"),
        h=State("hidden"),
    )
    graph = traced(cell)
    names = names_of(graph)
    check(graph, names)
    check(graph, ["scale"])
    check(tangent(graph, names), names_of(tangent(graph, names)))


def test_only_what_changes_is_computed() -> None:
    """A rate of x costs one product more each for input and state, no product of W'."""
    graph = traced(cells.LSTM())

    def products(graph: StepGraph) -> int:
        return sum(node.operation == "product" for node in graph.nodes)

    assert products(tangent(graph, ["x"])) == 2 * products(graph)
    assert products(tangent(graph, names_of(graph))) == 3 * products(graph)


def test_an_output_that_does_not_change() -> None:
    def step(self: Any, x: Value, h: Value) -> Any:
        return math.sign(x), h

    graph = traced(cell_of(step, h=State("hidden")))
    made = tangent(graph, ["x"])
    values = draw(made)
    output, _ = run(made, values)
    assert output.shape == (TIME * BATCH, INPUT_SIZE)
    assert not output.any()
