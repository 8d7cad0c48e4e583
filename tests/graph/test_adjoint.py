"""Every derivative rule against torch's own, kinks included."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings, strategies
from torch import Tensor

from tests.graph.oracle import (
    assert_same,
    cell_of,
    draw,
    gradients_by_adjoint,
    gradients_by_autograd,
    traced,
)
from tests.graph.random_cells import Choices, RandomCell, choices
from throughtime import cells
from throughtime.backends.reference import run_adjoint
from throughtime.backends.reference.interpreter import MEANINGS, evaluate
from throughtime.backends.reference.layer import Rows
from throughtime.graph import Cell, Parameter, State, StepGraph, Value, trace
from throughtime.graph.adjoint import adjoint
from throughtime.graph.derivatives import DERIVATIVES
from throughtime.graph.operations import (
    BINARY,
    CARRIED,
    COMPARISONS,
    LEAVES,
    OPERATIONS,
    PLACED,
    RANDOM,
    UNARY,
    WATCHED,
    Attribute,
)
from throughtime.graph.values import apply

WIDTH = 3
ATTRIBUTES: dict[str, list[tuple[Attribute, ...]]] = {
    "clip": [(-0.5, 0.5), (0.0, 0.0), (0.5, -0.5), (-float("inf"), 1.0)],
    "power": [(p,) for p in (0.0, 1.0, 2.0, 3.0, 0.5, -0.5, -1.0, -2.0, 1.7, 70.0)],
    "slice": [(0, WIDTH), (1, 2), (1, WIDTH)],
    "expand": [(WIDTH,)],
    "kth_largest": [(1,), (2,), (WIDTH,)],
    "watch": [(kind,) for kind in WATCHED],
}
POSITIVE = {"log", "log1p", "sqrt", "rsqrt", "reciprocal", "power", "divide"}
ON_PARAMETERS = {"transpose", "slice_columns", "product"}
ON_STEPS = sorted(
    name
    for name, row in OPERATIONS.items()
    if row.family not in {"leaf", "random", "comparison"} and name not in ON_PARAMETERS
)
CASES = [(name, given) for name in ON_STEPS for given in ATTRIBUTES.get(name, [()])]


def one_operation(name: str, attributes: tuple[Attribute, ...]) -> StepGraph:
    """A graph whose output is one operation on pieces of x."""
    arity = 2 if name == "concat" else OPERATIONS[name].arity
    size = 1 if name == "expand" else WIDTH

    def step(self: Cell, x: Value) -> Value:
        pieces = [
            apply("slice", x, attributes=(size * place, size * (place + 1)))
            for place in range(arity)
        ]
        if name == "where":
            pieces[0] = pieces[0] > 0
        if name == "watch":  # what it reports to is a single unit
            pieces[1] = apply("slice", x, attributes=(size, size + 1))
        return apply(name, *pieces, attributes=attributes)

    return trace(cell_of(step), size * arity, 1)


def assert_torch_agrees(graph: StepGraph, x: Tensor) -> None:
    gradient = torch.linspace(0.5, 1.5, graph.output_size, dtype=torch.float64)
    expected_x = x.clone().requires_grad_()
    place = next(i for i, n in enumerate(graph.nodes) if n.operation == "input")
    output = evaluate(graph.nodes, [graph.output], {place: expected_x}, x)
    result = output[graph.output].expand(x.shape[0], graph.output_size)
    expected = torch.zeros_like(x)
    if result.requires_grad:
        (expected,) = torch.autograd.grad((result * gradient).sum(), expected_x)
    back = adjoint(graph)
    found = torch.zeros_like(x)
    if "x" in back.input_gradients:
        rows = gradient.expand(x.shape[0], -1)
        deltas, _ = run_adjoint(
            back, {"x": x}, [], {}, Rows((x.shape[0],)), rows, [], reverse=False
        )
        found = deltas[place]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize(("name", "attributes"), CASES)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=strategies.data())
def test_away_from_kinks(
    name: str, attributes: tuple[Attribute, ...], data: strategies.DataObject
) -> None:
    graph = one_operation(name, attributes)
    low = 0.25 if name in POSITIVE else -3.0
    number = strategies.floats(low, 3.0, allow_subnormal=False)
    values = data.draw(
        strategies.lists(
            number.filter(lambda v: min(abs(v), abs(abs(v) - 0.5)) > 1e-3),
            min_size=graph.input_size,
            max_size=graph.input_size,
            unique_by=lambda v: round(v, 3),
        )
    )
    assert_torch_agrees(graph, torch.tensor([values], dtype=torch.float64))


KINKS = [-20.0, -0.5, -0.0, 0.0, 0.5, 1.0, 20.0, 20.5]


@pytest.mark.parametrize(("name", "attributes"), CASES)
def test_at_kinks_and_ties(name: str, attributes: tuple[Attribute, ...]) -> None:
    # Every unit at every special value, the same for all arguments: a tie.
    graph = one_operation(name, attributes)
    column = torch.tensor(KINKS, dtype=torch.float64)[:, None]
    assert_torch_agrees(graph, column.repeat(1, graph.input_size))


@pytest.mark.parametrize("name", ["maximum", "minimum", "where"])
def test_of_two_that_are_not_equal(name: str) -> None:
    graph = one_operation(name, ())
    pairs = torch.cartesian_prod(*[torch.tensor(KINKS, dtype=torch.float64)] * 2)
    arity = graph.input_size // WIDTH
    x = torch.cat([pairs[:, [place % 2]].repeat(1, WIDTH) for place in range(arity)], 1)
    assert_torch_agrees(graph, x)


@pytest.mark.parametrize(
    ("name", "given"), [("max", ()), ("kth_largest", (1,)), ("kth_largest", (2,))]
)
def test_one_of_the_units_shares_its_derivative_among_ties(
    name: str, given: tuple[int, ...]
) -> None:
    graph = one_operation(name, given)
    x = torch.tensor([[1, 1, 0], [2, 2, 2], [0, 1, 0]], dtype=torch.float64)
    assert_torch_agrees(graph, x)


@pytest.mark.parametrize(
    "cell",
    [
        *(cells.Elman(name) for name in ("tanh", "relu", "sigmoid", "identity")),
        cells.LSTM(),
        cells.GRU(),
        cells.GRU(reset_after=False),
        cells.PeepholeLSTM(),
        cells.Feedforward("tanh"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("bias", [True, False])
def test_built_in_cells(cell: Cell, bias: bool) -> None:
    graph = trace(cell, 2, 3, bias=bias)
    values = draw(graph)
    expected = gradients_by_autograd(graph, values)
    assert_same(expected, gradients_by_adjoint(graph, values))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(choices)
def test_random_cells(lines: Choices) -> None:
    graph = traced(RandomCell(lines))
    values = draw(graph)
    expected = gradients_by_autograd(graph, values)
    assert_same(expected, gradients_by_adjoint(graph, values))


PARAMETER_EXPRESSIONS: dict[str, Callable[[Cell], Value]] = {
    "transpose": lambda cell: cell.w.T,
    "absolute": lambda cell: abs(cell.w),
    "masked": lambda cell: cell.w * apply("sigmoid", cell.u),
    "sum": lambda cell: cell.w + cell.u.T - 0.5,
}


@pytest.mark.parametrize("name", PARAMETER_EXPRESSIONS)
def test_expressions_of_parameters(name: str) -> None:
    def step(self: Cell, x: Value, h: Value) -> Value:
        return PARAMETER_EXPRESSIONS[name](self) @ h + x

    square = Parameter("hidden", "hidden")
    cell = cell_of(step, h=State("hidden"), w=square, u=Parameter("hidden", "hidden"))
    graph = trace(cell, 3, 3)
    values = draw(graph)
    expected = gradients_by_autograd(graph, values)
    assert_same(expected, gradients_by_adjoint(graph, values))


def test_states_that_change_places() -> None:
    def step(self: Cell, x: Value, a: Value, b: Value, c: Value) -> list[Value]:
        return [x * b, c, a]

    states = {name: State("hidden") for name in "abc"}
    graph = trace(cell_of(step, **states), 3, 3)
    values = draw(graph)
    expected = gradients_by_autograd(graph, values)
    assert_same(expected, gradients_by_adjoint(graph, values))


def test_every_operation_has_a_meaning() -> None:
    by_hand = {"constant", "zeros", "slice", "concat", "expand"}
    programs_only = {*PLACED, *CARRIED}
    given = {"input", "state", "parameter", "gradient", *RANDOM}
    assert OPERATIONS.keys() == MEANINGS.keys() | by_hand | given | programs_only


def test_every_operation_on_steps_has_a_derivative() -> None:
    by_hand = {"slice"}
    no_step = {"transpose", "slice_columns"}
    leaves = {*LEAVES, "constant", *PLACED, *CARRIED, *RANDOM}
    without = by_hand | no_step | leaves | COMPARISONS.keys()
    assert OPERATIONS.keys() == DERIVATIVES.keys() | without
    assert not DERIVATIVES.keys() & without
    assert {*UNARY, *BINARY} <= DERIVATIVES.keys()
