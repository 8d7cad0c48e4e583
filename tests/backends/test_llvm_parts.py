"""Weight gradients in parts of the rows: the same sums, whoever takes which part."""

import pytest
import torch

from tests.backends.layers import assert_equal_bits, assert_near, draw, results
from tests.sizes import SIZES
from throughtime import math
from throughtime.backends.llvm import rows
from throughtime.backends.llvm.rows import parts_of
from throughtime.cells import (
    GRU,
    LSTM,
    Elman,
    Feedforward,
    IndRNN,
    LayerNormLSTM,
    PeepholeLSTM,
)
from throughtime.graph import Cell, Parameter, State, Value, trace
from throughtime.nn import Recurrent

STEPS, BATCH = 8, 61
"""Enough work for four threads."""
LENGTHS = [STEPS] * 20 + [5] * 20 + [1] * 11 + [0] * 10


class Twice(Cell):
    """Numbers of one matrix used in different products, and one never used."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    idle = Parameter("hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        before = self.recurrent @ h
        return math.tanh(self.weight @ x + before + self.recurrent @ math.tanh(before))


CELLS: list[Cell] = [
    LSTM(),
    GRU(),
    GRU(reset_after=False),
    PeepholeLSTM(),
    Elman(activation="relu"),
    IndRNN(),
    Feedforward(),
    LayerNormLSTM(),
    Twice(),
]
EACH = pytest.mark.parametrize("cell", CELLS, ids=repr)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few rows be a part."""
    monkeypatch.setattr(rows, "LEAST_ROWS", 100)
    assert parts_of(STEPS * BATCH, BATCH, 1000) == rows.MOST_PARTS


@EACH
@pytest.mark.parametrize("form", ["full", "ragged", "reverse"])
@pytest.mark.usefixtures("small_parts")
def test_parts_give_the_gradients_of_the_reference(cell: Cell, form: str) -> None:
    graph = trace(cell, *SIZES[6])
    lengths = LENGTHS if form == "ragged" else None
    reverse = form == "reverse"
    case = draw(graph, STEPS, BATCH, lengths=lengths, reverse=reverse, weights=0.2)
    expected = results(graph, case, "reference")
    assert_near(results(graph, case, "llvm"), expected, 1e-11)


@EACH
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
@pytest.mark.usefixtures("small_parts")
def test_no_bit_depends_on_who_takes_a_part(
    cell: Cell, lengths: list[int] | None
) -> None:
    graph = trace(cell, *SIZES[6])
    case = draw(graph, STEPS, BATCH, lengths=lengths, weights=0.2).to(torch.float32)
    torch.set_num_threads(1)
    alone = results(graph, case, "llvm")
    for threads in (2, 3, 4, 6):
        torch.set_num_threads(threads)
        assert_equal_bits(results(graph, case, "llvm"), alone)


@EACH
def test_parts_change_sums_over_rows_alone(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = trace(cell, *SIZES[6])
    case = draw(graph, STEPS, BATCH, weights=0.2).to(torch.float32)
    whole = results(graph, case, "llvm")
    monkeypatch.setattr(rows, "LEAST_ROWS", 100)
    found = results(graph, case, "llvm")
    own = {f"gradient of {name}" for name in case.parameters}
    assert any(not torch.equal(found[name], whole[name]) for name in own)
    others = whole.keys() - own
    assert_equal_bits({n: found[n] for n in others}, {n: whole[n] for n in others})
    for name in own:
        torch.testing.assert_close(found[name], whole[name], rtol=2e-4, atol=2e-4)


def test_how_many_parts() -> None:
    assert parts_of(3200, 32, 100_000) == 2
    assert parts_of(25_600, 128, 10_000) == 4
    assert parts_of(1_000_000, 1, 1000) == 1  # one sequence
    assert parts_of(1000, 100, 1000) == 1  # few rows
    assert parts_of(0, 0, 0) == 1
    assert parts_of(100_000, 100, 3_000_000) == 1  # weights that outgrow the caches


def test_gradients_add_up_over_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later calls of a series add to what earlier ones left, in all parts."""
    monkeypatch.setattr(rows, "LEAST_ROWS", 100)
    torch.manual_seed(0)
    x, error = torch.randn(24, 61, 5).double(), torch.randn(24, 61, 7).double()
    gradients = []
    for checkpoint in (None, 8):
        torch.manual_seed(1)
        layer = Recurrent(LSTM(), 5, 7, checkpoint=checkpoint).double()
        layer(x)[0].backward(error)
        gradients.append([parameter.grad for parameter in layer.parameters()])
    for whole, found in zip(*gradients, strict=True):
        torch.testing.assert_close(found, whole, rtol=1e-11, atol=1e-11)
