"""`return_all=True`: everything that a step computes, at every step."""

from typing import Any

import pytest
import torch

from tests.compare import assert_close
from throughtime.cells import GRU, LSTM, Elman, Feedforward, PeepholeLSTM
from throughtime.graph import Cell
from throughtime.graph.names import value_names
from throughtime.nn import Recurrent

CELLS = [Elman(), LSTM(), GRU(), GRU(reset_after=False), PeepholeLSTM(), Feedforward()]
F, H = 3, 5


def build(cell: Cell, backend: str, **settings: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell, F, H, backend=backend, dtype=torch.float64, **settings)


def test_values_of_an_lstm_are_its_equations(backend: str) -> None:
    module = build(LSTM(), backend)
    x = torch.randn(6, 2, F, dtype=torch.float64)
    output, state, values = module(x, return_all=True)
    found = {name: value for (_, _, name), value in values.items()}
    assert set(found) == {"a", "i", "f", "g", "o", "h", "c", "tanh#1"}
    before = torch.cat([torch.zeros(1, 2, H).double(), found["c"][:-1]])
    assert_close(found["c"], found["f"] * before + found["i"] * found["g"])
    assert_close(found["h"], found["o"] * found["c"].tanh())
    assert_close(found["tanh#1"], found["c"].tanh())
    assert_close(found["i"], found["a"][..., :H].sigmoid())
    assert torch.equal(found["h"], output)
    assert torch.equal(found["c"][-1], state.c[0])


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_nothing_else_changes(backend: str, cell: Cell) -> None:
    module = build(cell, backend, num_layers=2, bidirectional=True)
    x = torch.randn(5, 3, F, dtype=torch.float64)
    output, state = module(x, lengths=[5, 0, 3])
    again, same, values = module(x, lengths=[5, 0, 3], return_all=True)
    assert torch.equal(again, output)
    assert all(torch.equal(a, b) for a, b in zip(state, same, strict=True))
    names = value_names(module.graphs[0])
    assert set(values) == {(k, d, n) for k in (0, 1) for d in (0, 1) for n in names}
    for (layer, _, name), value in values.items():
        graph = module.graphs[layer]
        assert value.shape == (5, 3, graph.nodes[value_names(graph)[name]].size)
        assert (value[:, 1] == 0).all() and (value[3:, 2] == 0).all()


def test_the_forms_of_the_input() -> None:
    x = torch.randn(4, 2, F, dtype=torch.float64)
    module = build(GRU(), "llvm")
    _, _, values = module(x, return_all=True)
    first = build(GRU(), "llvm", batch_first=True)
    _, _, swapped = first(x.transpose(0, 1), return_all=True)
    _, _, alone = module(x[:, 0], return_all=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, [4, 4])
    _, _, rows = module(packed, return_all=True)
    assert len(values) > 3
    for key, value in values.items():
        assert torch.equal(swapped[key].transpose(0, 1), value)
        assert torch.equal(alone[key], value[:, 0])
        assert torch.equal(rows[key].data, value.flatten(0, 1))


def test_backends_agree_and_error_flows_through_values() -> None:
    found = []
    for name in ("llvm", "reference"):
        module = build(PeepholeLSTM(), name, num_layers=2)
        x = torch.randn(5, 2, F, dtype=torch.float64, generator=torch.manual_seed(1))
        _, _, values = module(x.requires_grad_(), return_all=True)
        loss = sum((value * value).mean() for value in values.values())
        assert isinstance(loss, torch.Tensor)
        found.append([loss, *torch.autograd.grad(loss, [x, *module.parameters()])])
        found[-1] += values.values()
    for mine, theirs in zip(*found, strict=True):
        assert_close(mine, theirs)


def test_captured_as_a_whole() -> None:
    module = build(LSTM(), "llvm")
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = torch.randn(4, 2, F, dtype=torch.float64)
    _, _, values = compiled(x, return_all=True)
    _, _, expected = module(x, return_all=True)
    assert values.keys() == expected.keys()
    assert all(torch.equal(values[key], expected[key]) for key in expected)
