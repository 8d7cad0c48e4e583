"""The cells of more papers, compiled: ragged, reversed, in both types of numbers."""

import pytest

from tests.backends.layers import draw
from tests.backends.test_llvm_cells import check
from throughtime import cells
from throughtime.graph import Cell, trace
from throughtime.graph.block_diagonal import with_heads

SIZES = (9, 18)
LENGTHS = [7] * 4 + [5, 2, 2, 1, 0]
CELLS: list[Cell] = [
    cells.LayerNormLSTM(),
    cells.CoupledLSTM(),
    cells.ProjectedLSTM(),
    cells.MultiplicativeLSTM(),
    cells.MGU(),
    cells.UGRNN(),
    cells.JANET(),
    cells.IndRNN(),
    cells.LeakyElman(excitatory=0.8),
    cells.JordanElman(5),
]


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_a_layer(cell: Cell) -> None:
    graph = trace(cell, *SIZES)
    check(graph, draw(graph, 7, 9, weights=0.2, reverse=True))
    check(graph, draw(graph, 7, 9, weights=0.2, lengths=LENGTHS))
    check(graph, draw(graph, 1, 1, weights=0.2))


@pytest.mark.parametrize("cell", [cells.LSTM(), cells.LeakyElman()], ids=repr)
def test_a_layer_with_heads(cell: Cell) -> None:
    graph = with_heads(trace(cell, *SIZES), 3)
    check(graph, draw(graph, 7, 9, weights=0.2, reverse=True))
    check(graph, draw(graph, 7, 9, weights=0.2, lengths=LENGTHS))
