"""Plans in words, and values recognised however they are written."""

from typing import Any

import pytest
from hypothesis import given, settings

from tests.graph.oracle import cell_of, traced
from tests.graph.random_cells import Choices, RandomCell, choices
from throughtime import cells, math
from throughtime.graph import Cell, Parameter, State, StepGraph, Value, trace
from throughtime.graph.fingerprints import Fingerprints, GraphPrints
from throughtime.graph.plan import plan
from throughtime.graph.show_plan import PlanText, plan_text
from throughtime.graph.simplify import simplify
from throughtime.graph.size_names import HIDDEN_STAND_IN, INPUT_STAND_IN, size_letters


def planned(cell: Cell) -> PlanText:
    graph = trace(cell, INPUT_STAND_IN, HIDDEN_STAND_IN)
    return plan_text(graph, plan(graph, training=True), size_letters)


@pytest.mark.parametrize(
    ("cell", "before", "inside", "stored"),
    [
        (cells.Elman(), ["W_ih x_t"], ["W_hh h_{t−1}"], ["h_t: H numbers"]),
        (
            cells.LSTM(),
            ["W_ih x_t"],
            ["W_hh h_{t−1}"],
            ["h_t: H numbers", "c_t, i_t, f_t, g_t, o_t: 5H numbers"],
        ),
        (
            cells.GRU(reset_after=False),
            ["W_ih x_t"],
            ["W_hh[0:2H] h_{t−1}", "W_hh[2H:3H] (r_t ⊙ h_{t−1})"],
            ["h_t: H numbers", "r_t, z_t, n_t, r_t ⊙ h_{t−1}: 4H numbers"],
        ),
        (cells.Feedforward(), ["W x_t"], [], ["y_t: H numbers"]),
    ],
    ids=["Elman", "LSTM", "GRU", "Feedforward"],
)
def test_built_in_cells(
    cell: Cell, before: list[str], inside: list[str], stored: list[str]
) -> None:
    found = planned(cell)
    assert list(found.before) == before
    assert list(found.inside) == inside
    assert list(found.stored[:-1]) == stored
    assert found.behind == ()
    assert found.gradients == ("∂L/∂x_t",)


def test_without_hoisting_each_step_computes_its_own() -> None:
    graph = trace(cells.LSTM(), INPUT_STAND_IN, HIDDEN_STAND_IN)
    hoisted, found = (
        plan_text(graph, plan(graph, training=True, hoist=hoist), size_letters)
        for hoist in (True, False)
    )
    assert found.before == ()
    assert found.inside == ("W_ih x_t", "W_hh h_{t−1}")
    assert (found.stored, found.numbers) == (hoisted.stored, hoisted.numbers)


def test_a_gradient_that_needs_no_product_stays_in_the_loop() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        return math.tanh(x * h)

    graph = trace(cell_of(step, h=State("hidden")), 3, 3)
    assert plan_text(graph, plan(graph, training=True)).gradients == ()


def test_ranges_of_columns_stay_where_a_matrix_is_read_in_parts() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        return math.tanh(self.u @ math.concat(h, x))

    u = Parameter("hidden", "hidden + input")
    found = planned(cell_of(step, u=u, h=State("hidden")))
    assert found.before == ("u[:, H:H+I] x_t",)
    assert found.inside == ("u[:, 0:H] h_{t−1}",)


def test_an_output_that_no_state_needs_comes_behind_the_loop() -> None:
    def step(self: Any, x: Value, h: Value) -> tuple[Value, Value]:
        h = math.tanh(self.u @ h + self.w @ x)
        return self.v @ h, h

    found = planned(
        cell_of(
            step,
            h=State("hidden"),
            u=Parameter("hidden", "hidden"),
            w=Parameter("hidden", "input"),
            v=Parameter(5, "hidden"),
        )
    )
    assert found.before == ("w x_t",)
    assert found.inside == ("u h_{t−1}",)
    assert found.behind == ("v h_t",)


def test_what_is_stored_is_counted() -> None:
    found = planned(cells.LSTM())
    assert size_letters(found.numbers) == "10H"


def prints(shared: Fingerprints, graph: StepGraph) -> GraphPrints:
    return shared.of(
        graph.nodes,
        lambda node, span: shared.number(
            (node.operation, tuple(map(str, node.attributes)), span)
        ),
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(choices)
def test_any_plan_has_a_text(lines: Choices) -> None:
    graph = traced(RandomCell(lines))
    found = plan_text(graph, plan(graph, training=True))
    assert found.stored
    assert found.numbers > 0


@pytest.mark.parametrize(
    "cell",
    [cells.Elman(), cells.LSTM(), cells.GRU(), cells.PeepholeLSTM()],
    ids=repr,
)
def test_simplifying_keeps_the_fingerprints_of_what_a_cell_gives(cell: Cell) -> None:
    graph, shared = trace(cell, 2, 3), Fingerprints()
    simple = simplify(graph)
    before, after = prints(shared, graph), prints(shared, simple)
    ends = zip(graph.new_states, simple.new_states, strict=True)
    assert all(before.of(one) == after.of(other) for one, other in ends)


def test_other_values_have_other_fingerprints() -> None:
    shared = Fingerprints()
    steps = [
        lambda h: h + h,
        lambda h: h * h,
        lambda h: h - 1,
        lambda h: 1 - h,
        lambda h: -h,
        lambda h: math.tanh(h) + h,
        lambda h: math.tanh(h + h),
        lambda h: math.concat(*math.split(h, 3)[::-1]),
        lambda h: h * 2,
        lambda h: h**3,
        lambda h: h**4,
    ]
    graphs = [
        traced(cell_of(lambda self, x, h, s=step: s(h), h=State("hidden")))
        for step in steps
    ]
    found = [prints(shared, graph).of(graph.output) for graph in graphs]
    assert len(set(found)) == len(steps)


def test_the_same_value_written_otherwise_has_the_same_fingerprint() -> None:
    shared = Fingerprints()
    steps = [
        lambda h: (h + math.tanh(h)) - (1 - h * 2),
        lambda h: 2 * h - 1 - (-math.tanh(h)) + h,
    ]
    graphs = [
        traced(cell_of(lambda self, x, h, s=step: s(h), h=State("hidden")))
        for step in steps
    ]
    one, other = (prints(shared, graph).of(graph.output) for graph in graphs)
    assert one == other


def test_a_sum_doubled_many_times_is_read_in_no_time() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        for _ in range(60):
            h = h + h
        return h

    graph = traced(cell_of(step, h=State("hidden")))
    assert plan_text(graph, plan(graph, training=True)).stored
