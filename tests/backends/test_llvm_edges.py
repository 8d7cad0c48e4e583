"""Where states begin if nobody gives them, and what becomes of sequences of no step."""

from dataclasses import replace

import pytest
import torch

from tests.backends.layers import (
    Case,
    assert_equal_bits,
    assert_near,
    draw,
    forward,
    results,
)
from tests.backends.test_llvm_determinism import CELLS, SIZE
from throughtime.graph import Cell, Parameter, State, StepGraph, Value, trace
from throughtime.math import tanh


class Warm(Cell):
    """States that begin apart from 0: the output's own, and one that only training
    stores.
    """

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    h = State("hidden", init=0.25)
    c = State("hidden", init=-1.5)

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        c = tanh(self.weight @ x + c * h)
        return tanh(self.recurrent @ h + c), c


class Ahead(Cell):
    """Gives out what needs no state, which a gradient reads: it is computed early."""

    weight = Parameter("hidden", "input")
    further = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> tuple[Value, Value]:
        output = tanh(self.weight @ x)
        return output, tanh(self.further @ output + h)


EACH = pytest.mark.parametrize("cell", [*CELLS, Warm()], ids=repr)
EXTENTS = [
    {"lengths": None},
    {"lengths": None, "reverse": True},
    {"lengths": [5, 5, 4, 2, 1, 0, 0]},
    {"lengths": [0] * 7},
]


def started(graph: StepGraph, case: Case) -> Case:
    """The same with states that begin where the declarations say."""
    shapes = [(case.batch, state.size) for state in graph.states]
    both = zip(shapes, graph.states, strict=True)
    starts = [torch.full(shape, state.init).to(case.gradient) for shape, state in both]
    return replace(case, initial=starts)


@EACH
@pytest.mark.parametrize("extent", EXTENTS, ids=str)
@pytest.mark.parametrize("backend", ["llvm", "reference"])
def test_states_that_nobody_gives(cell: Cell, extent: dict, backend: str) -> None:
    graph = trace(cell, *SIZE)
    case = started(graph, draw(graph, 5, 7, weights=0.2, **extent))
    absent = replace(case, initial=[])
    for run in (forward, results):
        expected = run(graph, case, backend)
        found = run(graph, absent, backend)
        assert_equal_bits(found, {name: expected[name] for name in found})
        assert expected.keys() - found.keys() == {
            name for name in expected if name.startswith("gradient of state")
        }


@EACH
def test_final_states_that_nobody_reads(cell: Cell) -> None:
    graph = trace(cell, *SIZE)
    case = draw(graph, 5, 7, weights=0.2)
    unread = replace(case, state_gradients=[0 * g for g in case.state_gradients])
    expected = results(graph, unread, "llvm")
    found = results(graph, replace(case, state_gradients=[]), "llvm")
    assert_equal_bits(found, expected)


@pytest.mark.parametrize("batch", [3, 9], ids=["hoisted", "in the loop"])
def test_an_output_that_is_computed_early_is_there_in_the_end(batch: int) -> None:
    graph = trace(Ahead(), 3, 19)
    case = draw(graph, 5, batch, weights=0.2)
    assert_near(results(graph, case, "llvm"), results(graph, case, "reference"), 1e-12)
