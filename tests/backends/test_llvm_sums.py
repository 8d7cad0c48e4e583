"""Gradients that the backward loop adds up, and what phases compute again."""

import pytest
import torch

from tests.backends.layers import (
    assert_equal_bits,
    assert_near,
    draw,
    results,
)
from throughtime import math
from throughtime.backends.llvm.rows import MOST_SUMS, sum_shift
from throughtime.backends.llvm.schedule import schedule
from throughtime.cells import LSTM, LayerNormLSTM, PeepholeLSTM
from throughtime.graph import Cell, Parameter, State, Value, trace
from throughtime.graph.builder import Builder
from throughtime.graph.linear_sums import linear_sum
from throughtime.graph.plan import plan
from throughtime.graph.programs import SUMS


class Scaled(Cell):
    """A gain behind two functions, a bias behind the output, no reduction."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    gain = Parameter("hidden")
    shift = Parameter("hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        inner = math.tanh(self.weight @ x + self.recurrent @ h)
        return math.sigmoid(self.gain * math.exp(-inner) + self.shift)


CELLS: list[Cell] = [LayerNormLSTM(0.7), Scaled()]
EACH = pytest.mark.parametrize("cell", CELLS, ids=repr)


@pytest.mark.parametrize(
    ("cell", "sums"),
    [(LayerNormLSTM(), 14), (Scaled(), 2), (LSTM(), 0), (PeepholeLSTM(), 0)],
    ids=repr,
)
def test_what_no_product_reads_is_added_up(cell: Cell, sums: int) -> None:
    made = plan(trace(cell, 3, 5), training=True)
    assert made.widths.get(SUMS, 0) == 5 * sums


def test_rows_of_sums_follow_from_the_batch_alone() -> None:
    for batch in (1, 32, 33, 64, 65, 500, 2048):
        rows = -(-batch // 2 ** sum_shift(batch))
        assert rows <= MOST_SUMS
        assert rows > MOST_SUMS // 2 or sum_shift(batch) == 0
    assert sum_shift(10**6) == sum_shift(2048)  # a chunk holds whole rows


@EACH
@pytest.mark.parametrize("batch", [1, 2, 33, 70, 451])
def test_any_batch(cell: Cell, batch: int) -> None:
    graph = trace(cell, 3, 9)
    case = draw(graph, 3, batch)
    torch.set_num_threads(2)
    expected = results(graph, case, "reference")
    assert_near(results(graph, case, "llvm"), expected, 1e-12)


@EACH
def test_sequences_that_end(cell: Cell) -> None:
    graph = trace(cell, 3, 17)
    lengths = [6] * 30 + [4] * 15 + [1] * 13 + [0] * 40
    case = draw(graph, 6, len(lengths), lengths=lengths)
    expected = results(graph, case, "reference")
    assert_near(results(graph, case, "llvm"), expected, 1e-12)


@EACH
def test_any_number_of_threads(cell: Cell) -> None:
    graph = trace(cell, 33, 40)
    lengths = [60] * 101 + [40] * 190 + [7] * 60
    case = draw(graph, 60, len(lengths), lengths=lengths, weights=0.1)
    case = case.to(torch.float32)
    torch.set_num_threads(1)
    alone = results(graph, case, "llvm")
    for threads in (2, 3, 7):
        torch.set_num_threads(threads)
        assert_equal_bits(results(graph, case, "llvm"), alone)


def test_numbers_leave_a_sum() -> None:
    b = Builder(rules=(linear_sum,))
    v, w, s = (
        b.leaf("state", name, (n,)) for name, n in (("v", 4), ("w", 4), ("s", 1))
    )
    scaled = b.emit("multiply", w, b.emit("expand", s, attributes=(4,)))
    total = b.emit("sum", b.emit("negate", b.emit("subtract", v, scaled)))
    apart = b.emit(
        "subtract", b.emit("sum", v), b.emit("multiply", b.emit("sum", w), s)
    )
    assert total == b.emit("negate", apart)
    number = b.emit("sum", b.emit("add", s, v))
    assert number == b.emit(
        "add", b.emit("multiply", s, b.constant(4)), b.emit("sum", v)
    )
    assert b.nodes[b.emit("sum", b.emit("add", v, w))].operation == "sum"


def test_quick_values_are_computed_again() -> None:
    (loop,) = plan(trace(LayerNormLSTM(), 3, 32), training=True).backward[:1]
    made = schedule(loop, 16)
    assert made.again
    assert all(index not in made.locations for index in made.again)
    vectors = [
        place.start
        for index, place in made.locations.items()
        if place.place == "scratch" and loop.nodes[index].size == 32
    ]
    assert vectors
    assert all(start % 16 == 0 for start in vectors)
