"""Layers with heads: the same as whole layers with zeros outside the blocks."""

from typing import Any

import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.compare import assert_close
from throughtime import errors
from throughtime.graph import Cell, Parameter, State, Value, trace
from throughtime.graph.block_diagonal import with_heads

INPUTS, HIDDEN = 3, 12
CELLS: list[Cell] = [
    tt.cells.Elman("relu"),
    tt.cells.LSTM(),
    tt.cells.GRU(),
    tt.cells.GRU(reset_after=False),
    tt.cells.PeepholeLSTM(),
    tt.cells.LayerNormLSTM(),
    tt.cells.CoupledLSTM(),
    tt.cells.ProjectedLSTM(),
    tt.cells.MultiplicativeLSTM(),
    tt.cells.MGU(),
    tt.cells.UGRNN(),
    tt.cells.JANET(),
    tt.cells.LeakyElman(),
    tt.cells.JordanElman(),
]


def whole(blocks: Tensor, columns: int, heads: int) -> Tensor:
    """The block-diagonal matrix of these blocks, by its rows."""
    rows, width = blocks.shape
    gate = HIDDEN if rows % HIDDEN == 0 else rows
    matrix = blocks.new_zeros(rows, columns)
    for row in range(rows):
        head = row % gate // (gate // heads)
        matrix[row, head * width : (head + 1) * width] = blocks[row]
    return matrix


def results(module: tt.nn.Recurrent, x: Tensor) -> list[Tensor]:
    leaf = x.clone().requires_grad_()
    output, state = module(leaf)
    torch.manual_seed(2)
    loss = (output * torch.randn_like(output)).sum() + sum(s.sum() for s in state)
    (slope,) = torch.autograd.grad(loss, leaf, retain_graph=True)
    loss.backward()
    return [output, *state, slope]


@pytest.mark.parametrize(
    ("cell", "backend"),
    [
        *((cell, "reference") for cell in CELLS),
        *((tt.cells.LSTM(), "llvm"), (tt.cells.MGU(), "llvm")),
        (tt.cells.ProjectedLSTM(), "llvm"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("heads", [2, 3])
def test_blocks_of_the_whole(cell: Cell, heads: int, backend: str) -> None:
    settings: dict[str, Any] = {"dtype": torch.float64}
    if backend == "reference":
        settings |= {"num_layers": 2, "bidirectional": True}
    sizes = INPUTS, HIDDEN
    headed = tt.nn.Recurrent(cell, *sizes, heads=heads, backend=backend, **settings)
    dense = tt.nn.Recurrent(cell, *sizes, backend="reference", **settings)
    shapes = {name: value.shape for name, value in dense.state_dict().items()}
    weights = headed.state_dict()
    divided = {name for name in shapes if weights[name].shape != shapes[name]}
    assert divided
    for name in divided:
        columns = shapes[name][1]
        assert weights[name].shape == (shapes[name][0], columns // heads)
        weights[name] = whole(weights[name], columns, heads)
    dense.load_state_dict(weights)
    x = torch.randn(5, 4, INPUTS, dtype=torch.float64)
    for found, expected in zip(results(headed, x), results(dense, x), strict=True):
        assert_close(found, expected)
    for name, parameter in headed.named_parameters():
        slope, expected = parameter.grad, dense.get_parameter(name).grad
        assert slope is not None
        assert expected is not None
        if name in divided:
            columns = shapes[name][1]
            slope = whole(slope, columns, heads)
            expected = expected * whole(torch.ones_like(parameter), columns, heads)
        assert_close(slope, expected)


class Scaled(Cell):
    weight_hh = Parameter("hidden", "hidden")
    scale = Parameter(1)
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return tt.math.tanh(x + (self.weight_hh * self.scale) @ h)


def test_masks_are_drawn_for_the_blocks() -> None:
    """Of DropConnect; in evaluation there are none."""
    cell = tt.cells.DropConnect(tt.cells.LSTM(), 0.5)
    settings: dict[str, Any] = {"heads": 3, "dtype": torch.float64}
    made = [tt.nn.Recurrent(one, 3, 12, **settings) for one in (cell, tt.cells.LSTM())]
    made += [tt.nn.Recurrent(cell, 3, 12, backend="reference", **settings)]
    x = torch.randn(5, 4, 3, dtype=torch.float64)
    for module in made:
        module.load_state_dict(made[0].state_dict())
    assert made[0].weight_hh_l0.shape == (48, 4)
    found = []
    for module in (made[0], made[2]):
        torch.manual_seed(1)
        found.append([*results(module, x), *(p.grad for p in module.parameters())])
    for one, other in zip(*found, strict=True):
        assert_close(one, other)
    dropped = (made[0].weight_hh_l0.grad == 0).double().mean()
    assert 0.3 < dropped < 0.7
    assert torch.equal(made[0].eval()(x)[0], made[1](x)[0])


def test_one_number_scales_all_blocks() -> None:
    module = tt.nn.Recurrent(Scaled(), 4, 4, heads=2)
    assert module.scale_l0.shape == (1,)
    assert module.weight_hh_l0.shape == (4, 2)


def test_one_head_is_the_whole() -> None:
    graph = trace(tt.cells.LSTM(), INPUTS, HIDDEN)
    assert with_heads(graph, 1) is graph


def test_graphs_keep_their_heads() -> None:
    module = tt.nn.Recurrent(tt.cells.GRU(), INPUTS, HIDDEN, heads=4)
    again = tt.nn.Recurrent.from_graphs(module.graphs)
    again.load_state_dict(module.state_dict())
    x = torch.randn(4, 2, INPUTS)
    assert torch.equal(again(x)[0], module(x)[0])


class Transposed(Cell):
    weight_ih = Parameter("hidden", "input")
    weight_hh = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return self.weight_ih @ x + self.weight_hh.T @ h


class Antisymmetric(Cell):
    weight_ih = Parameter("hidden", "input")
    weight_hh = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return self.weight_ih @ x + (self.weight_hh - self.weight_hh.T) @ h


class Shared(Cell):
    weight_hh = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return self.weight_hh @ x + self.weight_hh @ h


@pytest.mark.parametrize(
    ("cell", "heads", "words"),
    [
        (tt.cells.LSTM(), 5, "12 units cannot be divided into 5"),
        (tt.cells.IndRNN(), 2, "multiplies no state by a matrix"),
        (tt.cells.Feedforward(), 2, "multiplies no state by a matrix"),
        (tt.cells.LeakyElman(excitatory=0.75), 5, "cannot be divided into 5"),
        (tt.cells.ProjectedLSTM(5), 2, "5 units cannot be divided into 2"),
        (Transposed(), 2, "transpose.*any other number"),
        (Transposed(), 4, "transpose"),
        (Antisymmetric(), 2, "joins blocks with something else.*any other number"),
        (Shared(), 2, "weight_hh multiplies a state, and the input as well"),
        (
            tt.cells.DropConnect(Shared(), 0.5),
            2,
            "weight_hh multiplies a state, and the input as well",
        ),
    ],
    ids=repr,
)
def test_what_has_no_heads_is_refused(cell: Cell, heads: int, words: str) -> None:
    inputs = HIDDEN if isinstance(cell, Shared) else INPUTS
    with pytest.raises(errors.CellError, match=rf"heads={heads}.*{words}"):
        tt.nn.Recurrent(cell, inputs, HIDDEN, heads=heads)


@pytest.mark.parametrize(
    ("heads", "kind"), [(0, ValueError), (2.0, TypeError), (True, TypeError)]
)
def test_heads_are_a_whole_number(heads: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="heads"):
        tt.nn.Recurrent(tt.cells.LSTM(), INPUTS, HIDDEN, heads=heads)
