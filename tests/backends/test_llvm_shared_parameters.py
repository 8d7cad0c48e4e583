"""Parameters that several products or sums share: one thread adds all to a number."""

from collections.abc import Iterator

import pytest
import torch

from tests.backends.layers import (
    assert_equal_bits,
    assert_near,
    draw,
    engine_of,
    results,
    through_engine,
)
from throughtime.backends.llvm import kernel
from throughtime.graph import Cell, Parameter, State, Value, trace
from throughtime.math import sigmoid, split, tanh


class Gates(Cell):
    """Two gates, of which subclasses change the arguments."""

    weight = Parameter("2*hidden", "input")
    recurrent = Parameter("2*hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        i, f = self.changed(*split(self.weight @ x + self.recurrent @ h, 2), h)
        return sigmoid(i) * tanh(f)

    def changed(self, i: Value, f: Value, h: Value) -> tuple[Value, Value]:
        raise NotImplementedError


class SharedBias(Gates):
    p = Parameter("hidden", role="bias")

    def changed(self, i: Value, f: Value, h: Value) -> tuple[Value, Value]:
        return i + self.p, f + self.p


class SharedPeephole(Gates):
    p = Parameter("hidden")

    def changed(self, i: Value, f: Value, h: Value) -> tuple[Value, Value]:
        return i + self.p * h, f + self.p * tanh(h)


class SharedScale(Gates):
    p = Parameter("hidden")

    def changed(self, i: Value, f: Value, h: Value) -> tuple[Value, Value]:
        return i + self.p * sigmoid(h), f + self.p * tanh(h)


class SharedMatrix(Gates):
    p = Parameter("hidden", "hidden")

    def changed(self, i: Value, f: Value, h: Value) -> tuple[Value, Value]:
        return i + self.p @ h, f + self.p @ tanh(h)


class SharedRows(Gates):
    p = Parameter("2*hidden", "hidden")

    def changed(self, i: Value, f: Value, h: Value) -> tuple[Value, Value]:
        first, second = split(self.p @ h, 2)
        third, _ = split(self.p @ tanh(h), 2)
        return i + first + third, f + second


CELLS = [SharedBias(), SharedPeephole(), SharedScale(), SharedMatrix(), SharedRows()]


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kernel, "SMALLEST_SHARE", 10_000)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: type(cell).__name__)
def test_the_number_of_threads_changes_no_bit(cell: Cell) -> None:
    graph = trace(cell, 5, 72)
    case = draw(graph, 20, 33, weights=0.1)
    assert_near(results(graph, case, "llvm"), results(graph, case, "reference"), 1e-12)
    case = case.to(torch.float32)
    made = engine_of(graph, torch.float32, training=True)
    torch.set_num_threads(1)
    expected = through_engine(made, case)
    for threads in (2, 3):
        torch.set_num_threads(threads)
        for _ in range(10):
            assert_equal_bits(through_engine(made, case), expected)
