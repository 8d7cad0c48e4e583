"""Products that leave out zeros: the same bits as of all units, whatever comes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from tests.backends.layers import (
    Case,
    assert_equal_bits,
    assert_near,
    draw,
    results,
    select,
    through_engine,
    ways,
)
from throughtime import math as tm
from throughtime.backends.llvm import meeting
from throughtime.backends.llvm.options import Options
from throughtime.backends.llvm.target import forced, host
from throughtime.cells import Elman, Feedforward, VariationalDropout
from throughtime.graph import Cell, Parameter, State, StepGraph, trace
from throughtime.graph.plan import plan
from throughtime.graph.serialize import text_of
from throughtime.graph.values import Value
from throughtime.graph.zeros import tell_layers
from throughtime.nn.compiled.engine import Engine

DOUBLE = 1e-12  # as the design says of all compiled layers
NEVER, SOMETIMES, ALWAYS = 0.0, Options().most_by_pattern, 1.0


class Gated(Cell):
    """A rectified state behind a gate: sums of several products side by side."""

    weight_ih = Parameter("2*hidden", "input")
    weight_hh = Parameter("2*hidden", "hidden")
    out = Parameter("hidden", "hidden")
    bias = Parameter("hidden", role="bias")
    h = State("hidden")
    slow = State("hidden")

    def step(self, x: Value, h: Value, slow: Value) -> tuple[Value, Value]:
        gate, new = tm.split(self.weight_ih @ x + self.weight_hh @ h, 2)
        h = tm.sigmoid(gate) * tm.relu(new + self.out @ slow + self.bias)
        return h, 0.9 * slow + 0.1 * h


class Clipped(Cell):
    """Units that stand still at both ends, normed by their sum."""

    weight_ih = Parameter("hidden", "input")
    weight_hh = Parameter("hidden", "hidden")
    bias = Parameter("hidden", role="bias")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        a = self.weight_ih @ x + self.weight_hh @ h + self.bias
        h = tm.clip(a, 0.0, 1.0)
        return h / (1.0 + tm.sum(h))


CELLS: list[Cell] = [
    Elman("relu"),
    Gated(),
    Clipped(),
    VariationalDropout(Elman("relu"), hidden=0.3),
]
# Whole vectors and parts of them, pairs of tiles and odd ones; one step, one sequence,
# sequences that end early, more rows than a block of weight gradients has.
SHAPES = [
    (17, 33, 61, [5] * 30 + [2] * 31),
    (64, 64, 26, None),
    (33, 129, 5, None),
    (40, 96, 1, None),
]
BIASES = {"bias", "bias_ih"}


def engines(graph: StepGraph, dtype: torch.dtype, *shares: float) -> list[Engine]:
    """One for each share up to which zeros are left out."""
    names = ["x", *(declared.name for declared in graph.inputs)]
    return [
        Engine(
            text_of(graph),
            True,
            " ".join(names),
            dtype,
            options=Options(most_by_pattern=share),
        )
        for share in shares
    ]


def biased(case: Case, bias: float) -> Case:
    """The same case with so many units at 0 as a bias leaves."""
    for name, value in case.parameters.items():
        if name in BIASES:
            value.fill_(bias)
    return case


def same_bits(
    cell: Cell,
    shape: tuple[int, int, int, list[int] | None],
    dtype: torch.dtype,
    *shares: float,
) -> None:
    """From almost all units at 0 to almost none, and ones that change over time."""
    inputs, hidden, batch, lengths = shape
    graph = trace(cell, inputs, hidden)
    made = engines(graph, dtype, NEVER, *shares)
    zeros = set()
    for bias in (-20.0, -1.0, -0.2, 0.5, 20.0):
        case = draw(graph, 5, batch, lengths=lengths, weights=0.1)
        case = biased(case, bias).to(dtype)
        expected, *found = (through_engine(one, case) for one in made)
        zeros.add(float((expected["output"] == 0).double().mean()))
        for other in found:
            assert_equal_bits(other, expected)
    assert min(zeros) < 0.5 < max(zeros)


@pytest.mark.parametrize("cell", CELLS[:2], ids=repr)
def test_no_bit_depends_on_whether_zeros_are_left_out(cell: Cell) -> None:
    same_bits(cell, SHAPES[0], torch.float32, ALWAYS)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", CELLS, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_no_bit_of_any_cell_depends_on_it(
    cell: Cell, dtype: torch.dtype, shape: tuple[int, int, int, list[int] | None]
) -> None:
    same_bits(cell, shape, dtype, SOMETIMES, ALWAYS)


@pytest.mark.parametrize("cell", CELLS[:3], ids=repr)
def test_it_is_what_the_reference_says(cell: Cell) -> None:
    graph = trace(cell, 40, 72)
    (made,) = engines(graph, torch.float64, ALWAYS)
    for bias in (-1.0, 0.0):
        case = draw(graph, 9, 7, lengths=[9, 9, 8, 4, 4, 1, 1], weights=0.1)
        case = biased(case, bias)
        expected = results(graph, case, "reference")
        assert_near(through_engine(made, case), expected, DOUBLE)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "place", ["weight_ih", "weight_hh", "bias_ih", "state", "x", "gradient"]
)
def test_zero_times_what_is_no_number_is_not_lost(place: str, wrong: float) -> None:
    graph = trace(Elman("relu"), 40, 72)
    case = biased(draw(graph, 6, 5, weights=0.1), -0.5)
    tensors = {**case.parameters, "state": case.initial[0], "x": case.inputs["x"]}
    tensors["gradient"] = case.gradient
    tensors[place].view(-1)[:9] = wrong
    whole, listed = engines(graph, torch.float64, NEVER, ALWAYS)
    expected, found = through_engine(whole, case), through_engine(listed, case)
    assert_same_with_nan(found, expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_wrong_number_in_the_last_tile_is_not_lost(threads: int) -> None:
    graph = trace(Elman("relu"), 40, 330)
    case = biased(draw(graph, 6, 5, weights=0.05), -0.5).to(torch.float32)
    case.parameters["weight_hh"][-1, -1] = torch.inf
    whole, listed = engines(graph, torch.float32, NEVER, ALWAYS)
    with threads_set(threads):
        expected, found = through_engine(whole, case), through_engine(listed, case)
    assert_same_with_nan(found, expected)


def assert_same_with_nan(
    found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]
) -> None:
    assert any(not value.isfinite().all() for value in expected.values())
    for name, value in expected.items():
        # Which NaN it is follows from the order of a sum's operands alone.
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, equal_nan=True)


@pytest.mark.skipif(not host().x86, reason="an x86-64 processor's code")
@pytest.mark.parametrize("name", ["avx2", "baseline"])
@pytest.mark.parametrize("batch", [1, 13])
def test_other_processors_write_the_same_lists(batch: int, name: str) -> None:
    graph = trace(Elman("relu"), 21, 75)
    whole, listed = engines(graph, torch.float32, NEVER, ALWAYS)
    for made in (whole, listed):
        for way in ways(split_units=False):
            made.kernels[way] = made.compile(way, forced(name))
    for bias in (-1.0, -0.2, 0.5):
        case = biased(draw(graph, 5, batch, weights=0.1), bias).to(torch.float32)
        with threads_set(1):
            expected, found = through_engine(whole, case), through_engine(listed, case)
        assert_equal_bits(found, expected)


def test_no_sum_is_minus_zero() -> None:
    """Weights and a bias of −0, which a sum over zeros would leave or not."""

    class Linear(Cell):
        weight = Parameter("hidden", "hidden")
        other = Parameter("hidden", "hidden")
        bias = Parameter("hidden")
        h = State("hidden")
        o = State("hidden")

        def step(self, x: Value, h: Value, o: Value) -> tuple[Value, Value]:
            return self.bias + self.weight @ h + self.other @ o, tm.relu(o + x)

    graph = trace(Linear(), 64, 64)
    case = draw(graph, 4, 7)
    case.parameters["bias"].fill_(-0.0)
    case.parameters["weight"].zero_()
    case.parameters["other"].neg_().abs_().neg_()
    case.inputs["x"].fill_(-5.0)
    made = engines(graph, torch.float32, NEVER, ALWAYS)
    expected, found = (through_engine(one, case.to(torch.float32)) for one in made)
    assert_equal_bits(found, expected)


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_no_bit_depends_on_threads(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # One and two sequences share the units of a step, where threads meet so soon.
    monkeypatch.setattr(meeting, "seconds_to_meet", lambda: 5e-8)
    graph = trace(Elman("relu"), 128, 512)
    case = biased(draw(graph, 24, batch, weights=0.05), -0.5).to(torch.float32)
    (made,) = engines(graph, torch.float32, ALWAYS)
    (whole,) = engines(graph, torch.float32, NEVER)
    found = []
    for threads in (1, 2, 3):
        with threads_set(threads):
            found.append(through_engine(made, case))
    for other in (*found[1:], through_engine(whole, case)):
        assert_equal_bits(other, found[0])


def test_rows_do_not_depend_on_the_others() -> None:
    graph = trace(Elman("relu"), 40, 96)
    case = biased(draw(graph, 6, 12, weights=0.1), -0.3).to(torch.float32)
    (made,) = engines(graph, torch.float32, ALWAYS)
    rows = torch.tensor([7, 2, 11])
    alone = through_engine(made, select(case, rows))["output"].view(6, 3, -1)
    together = through_engine(made, case)["output"].view(6, 12, -1)[:, rows]
    assert torch.equal(alone, together)


def test_a_layer_reads_the_zeros_of_the_one_below() -> None:
    graphs = tell_layers(
        [trace(Feedforward("relu"), 48, 64)] * 1
        + [trace(Feedforward("relu"), 64, 80), trace(Elman("tanh"), 80, 40)]
    )
    assert [graph.zeros for graph in graphs] == [(), ("x",), ("x",)]
    for graph in graphs[1:]:
        (first, *_) = plan(graph, training=True).forward
        assert first.zeros
        case = draw(graph, 30, 9, weights=0.1)
        case.inputs["x"].relu_().sub_(0.7).relu_()
        made = engines(graph, torch.float64, NEVER, SOMETIMES, ALWAYS)
        expected, *found = (through_engine(one, case) for one in made)
        for other in found:
            assert_equal_bits(other, expected)
        assert_near(expected, results(graph, case, "reference"), DOUBLE)


def test_cells_without_a_value_that_ends_at_zero_are_left_alone() -> None:
    for activation in ("tanh", "sigmoid", "identity"):
        made = plan(trace(Elman(activation), 3, 4), training=True)
        assert not any(one.zeros for one in (*made.forward, *made.backward))


@contextmanager
def threads_set(count: int) -> Iterator[None]:
    """So many of torch's threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
