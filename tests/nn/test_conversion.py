"""`convert` changes what computes, and nothing else."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from tests.compare import assert_close
from throughtime import errors
from throughtime import nn as ours
from throughtime.nn import convert


class Model(nn.Module):
    """Every recurrent class of torch's, deep inside, one of them used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(3, 4)
        self.rows = nn.ModuleDict(
            {
                "lstm": nn.LSTM(4, 5, 2, batch_first=True, bidirectional=True),
                "gru": nn.GRU(10, 4, bias=False, batch_first=True),
                "rnn": nn.RNN(4, 4, nonlinearity="relu", batch_first=True),
            }
        )
        self.again = self.rows["rnn"]
        self.steps = nn.ModuleList(
            [nn.LSTMCell(4, 6), nn.GRUCell(6, 5, bias=False), nn.RNNCell(5, 2)]
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.embedding(x)
        for layer in (*self.rows.values(), self.again):
            x, _ = layer(x)
        h, _ = self.steps[0](x[:, -1])
        return self.steps[2](self.steps[1](h))


def loss(model: nn.Module, x: Tensor) -> Tensor:
    return model(x).square().sum()


def test_a_model_computes_and_learns_the_same(backend: str) -> None:
    torch.manual_seed(0)
    model = Model().double()
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    before = model(x)
    names = list(model.state_dict())
    parameters = dict(model.named_parameters())
    loss(model, x).backward()
    gradients = {name: p.grad for name, p in parameters.items()}
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    assert convert(model, backend=backend) is model
    kinds = {type(module) for module in model.modules()}
    wanted = {ours.LSTM, ours.GRU, ours.RNN, ours.LSTMCell, ours.GRUCell, ours.RNNCell}
    assert wanted <= kinds
    assert not any(isinstance(m, nn.RNNBase | nn.RNNCellBase) for m in model.modules())
    assert model.again is model.rows["rnn"]
    assert list(model.state_dict()) == names
    for name, parameter in model.named_parameters():
        assert parameter is parameters[name]
    assert_close(model(x), before)
    optimiser.zero_grad()
    loss(model, x).backward()
    for name, gradient in gradients.items():
        reached = parameters[name].grad
        assert reached is not None and gradient is not None
        assert_close(reached, gradient)
    start = loss(model, x).item()
    optimiser.step()
    assert loss(model, x).item() < start


@pytest.mark.parametrize(
    "kind", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"]
)
def test_a_bare_module_is_returned_converted(kind: str) -> None:
    module = getattr(nn, kind)(3, 5).eval()
    converted = convert(module)
    assert type(converted) is getattr(ours, kind)
    assert repr(converted) == repr(module)
    assert not converted.training
    assert convert(converted) is converted


def test_settings_and_hooks_are_kept() -> None:
    module = nn.LSTM(3, 5, 2, dropout=0.5, batch_first=True)
    module.weight_hh_l0.requires_grad_(False)
    calls: list[Any] = []
    handle = module.register_forward_hook(lambda *_: calls.append(1))
    random = torch.random.get_rng_state()
    model = convert(nn.Sequential(module))
    assert torch.equal(torch.random.get_rng_state(), random)
    converted: Any = model[0]
    assert converted.dropout == 0.5
    assert not converted.weight_hh_l0.requires_grad
    x = torch.randn(2, 4, 3)
    model(x)
    assert calls == [1]
    handle.remove()
    model(x)
    assert calls == [1]
    assert convert(nn.LSTM(3, 5)).dropout == 0


def test_the_backend_is_handed_on() -> None:
    converted: Any = convert(nn.LSTM(3, 5), backend="reference")
    assert converted.backend == "reference"
    with pytest.raises(errors.UnknownBackend):
        convert(nn.Linear(3, 5), backend="fast")


class Derived(nn.LSTM):
    """What a user may have made of torch's class."""


def refused() -> dict[str, nn.Module]:
    normed = parametrizations.weight_norm(nn.GRU(3, 5), "weight_hh_l0")
    with pytest.warns(FutureWarning):
        hooked = nn.utils.weight_norm(nn.GRU(3, 5), "weight_hh_l0")
    return {
        "of class Derived": Derived(3, 5),
        "of class ParametrizedGRU": normed,
        "reparametrised": hooked,
    }


@pytest.mark.parametrize("words", list(refused()))
def test_what_cannot_be_replaced_leaves_the_model_alone(words: str) -> None:
    model = nn.Sequential(nn.LSTM(3, 3), nn.Sequential(refused()[words]))
    with pytest.raises(errors.CannotConvert, match=rf"^1\.0 is .*{words}"):
        convert(model)
    assert type(model[0]) is nn.LSTM
    with pytest.raises(errors.CannotConvert, match=r"^the module is"):
        convert(refused()[words])


def test_a_model_without_recurrent_modules_is_refused() -> None:
    with pytest.raises(errors.CannotConvert, match=r"class Linear.*holds no RNN, LSTM"):
        convert(nn.Linear(2, 2))
    converted = convert(nn.Sequential(nn.GRU(2, 2)))
    assert convert(converted) is converted


@pytest.mark.parametrize("given", ["x", nn.LSTM])
def test_only_a_module_can_be_converted(given: Any) -> None:
    with pytest.raises(errors.BadSettingType, match=r"model should be .*nn\.Module"):
        convert(given)
