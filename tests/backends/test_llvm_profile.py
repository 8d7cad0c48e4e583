"""Kernels tell where their time goes, and give the same numbers meanwhile."""

import time
from collections.abc import Iterator

import pytest
import torch

from tests.backends.layers import (
    assert_equal_bits,
    draw,
    engine_of,
    forward,
    results,
    through_engine,
)
from throughtime import cells, math
from throughtime.backends.llvm.profile import profiled
from throughtime.graph import Cell, Parameter, State, Value, trace

START = ["packing", "first and last states"]
FORWARD = [*START, "loop"]
BACKWARD = ["backward: loop", "input gradient", "weight gradients"]


class Doubled(Cell):
    """Gives out a product of the new state and one of a product of the input."""

    w = Parameter("hidden", "input")
    u = Parameter("hidden", "hidden")
    v = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> tuple[Value, Value]:
        h = math.tanh(self.w @ x + self.u @ h)
        return math.tanh(self.v @ h), h


@pytest.mark.parametrize(
    ("cell", "batch", "names"),
    [
        (cells.LSTM(), 9, [*FORWARD, *BACKWARD]),
        # Few sequences: the input is projected before the loop.
        (cells.LSTM(), 2, [*START, "before the loop", "loop", *BACKWARD]),
        (
            cells.Feedforward(),
            9,
            [*START, "all steps at once", "input gradient", "weight gradients"],
        ),
        (
            Doubled(),
            9,
            [*FORWARD, "behind the loop", "backward: before the loop", *BACKWARD],
        ),
    ],
    ids=["LSTM", "few sequences", "Feedforward", "behind the loop"],
)
def test_every_region_is_timed_by_name(
    cell: Cell, batch: int, names: list[str]
) -> None:
    graph = trace(cell, 3, 5)
    case = draw(graph, 4, batch).to(torch.float32)
    expected = results(graph, case, "llvm")
    with profiled() as seconds:
        assert_equal_bits(results(graph, case, "llvm"), expected)
    assert list(seconds) == names
    assert min(seconds.values()) > 0
    before = dict(seconds)
    forward(graph, case, "llvm")
    assert seconds == before


def test_all_regions_together_take_what_a_call_takes() -> None:
    graph = trace(cells.GRU(), 32, 64)
    case = draw(graph, 100, 64, weights=0.1).to(torch.float32)
    made = engine_of(graph, torch.float32, training=True)
    through_engine(made, case)
    with profiled() as seconds:
        start = time.perf_counter()
        through_engine(made, case)
        whole = time.perf_counter() - start
    # The rest is Python and torch: little beside some ten milliseconds of work.
    assert 0.5 * whole < sum(seconds.values()) <= whole


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("library", ["own", "theirs"])
def test_threads_of_any_pool_are_timed(library: str) -> None:
    graph = trace(cells.LSTM(), 32, 32)
    case = draw(graph, 20, 30, weights=0.1).to(torch.float32)
    made = engine_of(graph, torch.float32, training=True)
    expected = through_engine(made, case)
    if library == "own":
        made.library = None
    with profiled() as seconds:
        assert_equal_bits(through_engine(made, case), expected)
    assert list(seconds) == [*FORWARD, *BACKWARD]


def test_who_watches_at_the_same_time_sees_the_same() -> None:
    graph = trace(cells.Elman(), 3, 5)
    case = draw(graph, 4, 9).to(torch.float32)
    with profiled() as outer:
        with profiled() as inner:
            forward(graph, case, "llvm")
        assert inner == outer
        forward(graph, case, "llvm")
    assert outer["loop"] > inner["loop"]
