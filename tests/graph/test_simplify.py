"""Simplifying a graph changes its form, never what it computes."""

import pytest
import torch
from hypothesis import given, settings

from tests.graph.oracle import (
    EXACT,
    assert_same,
    cell_of,
    draw,
    gradients_by_adjoint,
    gradients_by_autograd,
    run,
    traced,
)
from tests.graph.random_cells import Choices, RandomCell, choices
from throughtime import math
from throughtime.graph import Cell, Parameter, State, Value, trace, verify
from throughtime.graph.builder import rebuild
from throughtime.graph.plan import RULES
from throughtime.graph.simplify import simplify


def assert_equal_meaning(cell: Cell) -> None:
    graph = traced(cell)
    values = draw(graph)
    expected, expected_finals = run(graph, values)
    gradients = gradients_by_autograd(graph, values)
    simple = simplify(graph)
    for other in (simple, rebuild(simple, RULES)):
        verify(other)
        output, finals = run(other, values)
        torch.testing.assert_close(output, expected, rtol=EXACT, atol=EXACT)
        for final, wanted in zip(finals, expected_finals, strict=True):
            torch.testing.assert_close(final, wanted, rtol=EXACT, atol=EXACT)
        assert_same(gradients, gradients_by_adjoint(other, values))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(choices)
def test_a_random_cell_keeps_its_outputs_and_adjoints(lines: Choices) -> None:
    assert_equal_meaning(RandomCell(lines))


PARTS = {
    "whole": lambda v: math.split(v, 1),
    "two": lambda v: math.split(v, [2, 4]),
    "three": lambda v: math.split(v, 3),
    "units": lambda v: math.split(v, 6),
}


@pytest.mark.parametrize("outer", PARTS)
@pytest.mark.parametrize("inner", PARTS)
@pytest.mark.parametrize("order", [1, -1])
def test_concat_and_split_in_all_combinations(
    outer: str, inner: str, order: int
) -> None:
    def step(self: Cell, x: Value, h: Value) -> Value:
        whole = math.concat(h, math.tanh(self.w @ h))
        again = math.concat(*PARTS[inner](whole)[::order])
        pieces = [math.sigmoid(piece) for piece in PARTS[outer](again)]
        return self.out @ math.concat(*pieces) + math.sum(x)

    cell = cell_of(
        step,
        h=State("hidden"),
        w=Parameter("hidden", "hidden"),
        out=Parameter("hidden", "2*hidden"),
    )
    assert_equal_meaning(cell)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("operation", ["+", "-", "*", "/", "max", "where"])
def test_a_single_unit_is_repeated(operation: str, swap: bool) -> None:
    def step(self: Cell, x: Value, h: Value) -> Value:
        one, many = math.sigmoid(math.mean(x)) + 1, math.sigmoid(h) + 2.5
        a, b = (many, one) if swap else (one, many)
        joined = {
            "+": lambda: a + b,
            "-": lambda: a - b,
            "*": lambda: a * b,
            "/": lambda: a / b,
            "max": lambda: math.maximum(a, b),
            "where": lambda: math.where(a > b, a, b),
        }[operation]()
        low, high = math.split(joined, [1, 2])
        return math.concat(high, low) * self.scale

    cell = cell_of(step, h=State("hidden"), scale=Parameter(1))
    assert_equal_meaning(cell)


def test_softmax_keeps_its_derivative_when_written_out() -> None:
    cell = cell_of(
        lambda self, x, h: math.softmax(self.w @ math.softmax(h)) + math.sum(x),
        h=State("hidden"),
        w=Parameter("hidden", "hidden"),
    )
    assert_equal_meaning(cell)


def test_what_does_nothing_goes() -> None:
    def step(self: Cell, x: Value, h: Value) -> Value:
        negative = -h
        return (-negative * 1 + 0 - 0) / 1 + math.sum(x)

    graph = simplify(traced(cell_of(step, h=State("hidden"))))
    assert sorted(node.operation for node in graph.nodes) == [
        "add",
        "input",
        "state",
        "sum",
    ]


def test_without_biases_no_zero_is_left() -> None:
    cell = cell_of(
        lambda self, x, h: math.tanh(self.w @ h + self.b) + math.sum(x),
        h=State("hidden"),
        w=Parameter("hidden", "hidden"),
        b=Parameter("hidden", role="bias"),
    )
    graph = simplify(trace(cell, 2, 3, bias=False))
    assert all(node.operation != "zeros" for node in graph.nodes)


@pytest.mark.parametrize("power", [0, 1, 2, 3, 64, -1, -2, 0.5, -0.5, 1.7, -3.3])
def test_powers_written_with_other_functions_stay_powers(power: float) -> None:
    def step(self: Cell, x: Value, h: Value) -> Value:
        return (0.5 + math.sigmoid(h + math.sum(x))) ** power

    assert_equal_meaning(cell_of(step, h=State("hidden")))
