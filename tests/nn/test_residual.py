"""Layers that add what they read to what they give."""

from typing import Any

import pytest
import torch
from torch import Tensor

import throughtime as tt
from tests.compare import assert_close
from throughtime import errors, math
from throughtime.graph import Value
from throughtime.train.zeros import count_zeros


def layer(module: tt.nn.Recurrent, index: int, **settings: Any) -> tt.nn.Recurrent:
    """One layer of a module, with its weights."""
    alone = tt.nn.Recurrent.from_graphs(
        [module.graphs[index]],
        backend=module.backend,
        bidirectional=module.bidirectional,
        dtype=torch.float64,
        **settings,
    )
    weights = module.state_dict()
    alone.load_state_dict(
        {
            name: weights[name.replace("_l0", f"_l{index}")]
            for name in alone.state_dict()
        }
    )
    return alone


def build(backend: str, **settings: Any) -> tt.nn.Recurrent:
    settings = {"num_layers": 3, "residual": True, "dtype": torch.float64} | settings
    return tt.nn.Recurrent(tt.cells.LSTM(), 3, 4, backend=backend, **settings)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [None, [5, 0, 2]], ids=str)
def test_the_sum_over_layers(
    backend: str, bidirectional: bool, lengths: list[int] | None
) -> None:
    module = build(backend, bidirectional=bidirectional)
    x = torch.randn(5, 3, 3, dtype=torch.float64)
    value: Tensor = x
    finals = []
    for index in range(3):
        output, final = layer(module, index)(value, lengths=lengths)
        finals.append(final)
        value = output + value if index else output
    output, state = module(x, lengths=lengths)
    assert_close(output, value)
    for name in ("h", "c"):
        assert_close(
            getattr(state, name), torch.cat([getattr(one, name) for one in finals])
        )


def test_gradients(backend: str) -> None:
    module = build(backend, num_layers=2)
    x = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: module(value)[0], x)


def test_dropout_leaves_the_way_around_a_layer_open(backend: str) -> None:
    module = build(backend, num_layers=2, dropout=1.0)
    x = torch.randn(5, 3, 3, dtype=torch.float64)
    first, _ = layer(module, 0)(x)
    above, _ = layer(module, 1)(torch.zeros_like(first))
    assert_close(module(x)[0], first + above)


def test_step_by_step_is_the_whole() -> None:
    module = build("llvm")
    x = torch.randn(5, 3, 3, dtype=torch.float64)
    whole, state = module(x)[0], None
    for t in range(5):
        output, state = module.step(x[t], state)
        assert_close(output, whole[t])


def test_it_is_said_and_handed_on() -> None:
    module = build("auto")
    assert "residual=True" in repr(module)
    again = tt.nn.Recurrent.from_graphs(
        module.graphs, residual=True, dtype=torch.float64
    )
    again.load_state_dict(module.state_dict())
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    assert torch.equal(again(x)[0], module(x)[0])


def test_deltas_go_around_a_layer_too() -> None:
    module = build("auto", num_layers=2, bidirectional=True)
    x, gradient = (torch.randn(4, 2, n, dtype=torch.float64) for n in (3, 8))
    module(x)[0].backward(gradient)
    found = tt.explain(module).deltas(x, gradient)
    for index, name in enumerate(["bias_ih_l0", "bias_ih_l0_reverse"]):
        slope = module.get_parameter(name).grad
        assert slope is not None
        assert_close(found[0, index, "a"].sum((0, 1)), slope)


def test_zeros_are_those_of_each_layer_alone() -> None:
    torch.manual_seed(0)
    cell = tt.cells.Elman("relu")
    module = tt.nn.Recurrent(cell, 3, 4, num_layers=3, residual=True)
    x = torch.randn(5, 2, 3)
    found = count_zeros(module, x, torch.tensor([5, 5]))["zero_fraction"]
    value, expected = x, []
    for index in range(3):
        alone = tt.nn.Recurrent.from_graphs([module.graphs[index]])
        alone.load_state_dict(
            {
                n: module.state_dict()[n.replace("_l0", f"_l{index}")]
                for n in alone.state_dict()
            }
        )
        output, _ = alone(value)
        expected.append((output == 0).double().mean().item())
        value = output + value if index else output
    assert found == pytest.approx(expected)


def test_layers_of_unequal_sizes_are_refused() -> None:
    class Halved(tt.Cell):
        weight_ih = tt.Parameter("hidden", "input")
        h = tt.State("hidden")

        def step(self, x: Value, h: Value) -> tuple[Value, Value]:
            h = math.tanh(self.weight_ih @ x + h)
            first, _ = math.split(h, 2)
            return math.concat(x, first), h

    with pytest.raises(errors.UnevenLayers, match="leave residual out"):
        tt.nn.Recurrent(Halved(), 3, 4, num_layers=2, residual=True)


def test_one_layer_has_nothing_to_add() -> None:
    with pytest.raises(errors.BadSetting, match="residual needs a second layer"):
        build("auto", num_layers=1)
    with pytest.raises(errors.BadSettingType, match="residual"):
        build("auto", residual=1)
