"""Second derivatives, and gradients of each element, of cells of no paper."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.func import grad, vmap

from tests.backends.layers import Case, draw
from tests.compare import assert_close
from tests.graph.wild_cells import Recipe, WildCell, recipes
from throughtime.graph import StepGraph, trace
from throughtime.nn.execution import run_layer

ROUNDING = 10.0
"""A sum of sines of sums: more roundings than one derivative has."""
UNUSED = {"allow_unused": True, "materialize_grads": True}


def loss_of(graph: StepGraph, case: Case, backend: str) -> Tensor:
    output, finals = run_layer(
        graph,
        case.inputs,
        case.initial,
        case.parameters,
        steps=case.steps,
        batch=case.batch,
        counts=case.counts,
        reverse=case.reverse,
        backend=backend,
    )
    pairs = [(output, case.gradient), *zip(finals, case.state_gradients, strict=True)]
    return torch.stack([(value * slope).sum() for value, slope in pairs]).sum()


def second(graph: StepGraph, case: Case, backend: str) -> list[Tensor]:
    def leaf(value: Tensor) -> Tensor:
        return value.detach().requires_grad_()

    own = replace(
        case,
        inputs={name: leaf(value) for name, value in case.inputs.items()},
        initial=[leaf(value) for value in case.initial],
        parameters={name: leaf(value) for name, value in case.parameters.items()},
    )
    leaves = [*own.inputs.values(), *own.initial, *own.parameters.values()]
    loss = loss_of(graph, own, backend)
    if not loss.requires_grad:
        return []
    first = torch.autograd.grad(loss, leaves, create_graph=True, **UNUSED)
    total = torch.stack([value.sin().sum() for value in first]).sum()
    # A linear cell has no second derivative, which one backend may not know.
    total = total + sum(0 * value.sum() for value in leaves)
    return [*first, *torch.autograd.grad(total, leaves, **UNUSED)]


def of_each(graph: StepGraph, case: Case, backend: str) -> dict[str, Tensor]:
    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        inputs = {**case.inputs, "x": x}
        own = replace(case, parameters=parameters, inputs=inputs)
        return loss_of(graph, own, backend)

    x = case.inputs["x"]
    parameters = dict(case.parameters)
    return vmap(grad(loss), in_dims=(None, 0))(parameters, torch.stack([x, x.cos()]))


def check(graph: StepGraph, case: Case) -> None:
    found, expected = (second(graph, case, name) for name in ("llvm", "reference"))
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other, times=ROUNDING)
    if case.parameters:
        several, alone = (of_each(graph, case, name) for name in ("llvm", "reference"))
        for name, gradient in several.items():
            assert_close(gradient, alone[name], times=ROUNDING)


@settings(max_examples=3)
@given(recipes)
def test_wild_cells(recipe: Recipe) -> None:
    check_both(recipe)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@given(recipes)
def test_many_wild_cells(recipe: Recipe) -> None:
    check_both(recipe)


def check_both(recipe: Recipe) -> None:
    graph = trace(WildCell(recipe), 2, 3)
    check(graph, draw(graph, 3, 2))
    check(graph, draw(graph, 3, 2, lengths=[2, 1]))


def test_a_cell_that_hands_on_its_input() -> None:
    """Backward, there is nothing left to run."""
    recipe = Recipe(states=(), lines=(), ends=(0, 0, 0, 0), separate=False)
    graph = trace(WildCell(recipe), 2, 3)
    check(graph, draw(graph, 3, 2))
