"""The picture of a step shows what its equations say."""

from typing import Any

import pytest

from docs import drawing
from throughtime.cells import GRU, LSTM
from throughtime.cells.built_in import BUILT_IN
from throughtime.graph import Cell, Parameter, State, trace
from throughtime.math import tanh


def edges(cell: Cell) -> dict[tuple[str, str], list[str]]:
    found = drawing.network(trace(cell, 3, 4))
    label = {node: data["label"] for node, data in found.nodes(data=True)}
    return {
        (label[start], label[end]): weights
        for start, end, weights in found.edges(data="weights")
    }


def test_edges_of_an_lstm_are_those_of_its_equations() -> None:
    found = edges(LSTM())
    assert found.pop(("x_t", "a_t")) == ["W_ih"]
    assert found.pop(("h_{t−1}", "a_t")) == ["W_hh"]
    assert set(found) == {
        *(("a_t", f"{gate}_t") for gate in "ifgo"),
        *((f"{gate}_t", "c_t") for gate in "ifg"),
        ("c_{t−1}", "c_t"),
        ("c_t", "h_t"),
        ("o_t", "h_t"),
    }
    assert not any(found.values())


class Chain(Cell):
    """A product of products."""

    down = Parameter(2, "hidden")
    up = Parameter("hidden", 2)
    h = State("hidden")

    def step(self, x: Any, h: Any) -> Any:
        return tanh(self.up @ (self.down @ h))


def test_matrices_in_a_row_stand_on_one_edge() -> None:
    assert edges(Chain())["h_{t−1}", "h_t"] == ["up down"]


@pytest.mark.parametrize("word", BUILT_IN)
def test_every_cell_can_be_drawn(word: str) -> None:
    assert "</svg>" in drawing.picture(trace(BUILT_IN[word], 32, 64))


def test_the_same_step_gives_the_same_picture() -> None:
    graph = trace(GRU(), 3, 4)
    text = drawing.picture(graph)
    assert text.startswith("<?xml") and text == drawing.picture(graph)
