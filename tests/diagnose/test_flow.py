"""`gradient_flow`: one backward pass, looked at."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from throughtime import errors
from throughtime.cells import GRU, LSTM, Elman
from throughtime.diagnose import gradient_flow
from throughtime.nn import LSTM as PlainLSTM
from throughtime.nn import Recurrent


def squared(output: Tensor, targets: Tensor) -> Tensor:
    return (output - targets).square().sum()


def test_what_is_returned_of_a_module() -> None:
    torch.manual_seed(0)
    module = Recurrent(LSTM(), 3, 5, num_layers=2, dtype=torch.float64)
    x, y = torch.randn(7, 4, 3).double(), torch.randn(7, 4, 5).double()
    found = gradient_flow(module, x, y, squared, lengths=[7, 5, 0, 2])
    assert found.loss == pytest.approx(
        squared(module(x, lengths=[7, 5, 0, 2])[0], y).item()
    )
    assert set(found.norms) == {(k, 0, s) for k in (0, 1) for s in "hc"}
    assert found.functions[1, 0, "g"] == "tanh"
    assert found.alive.sum(0).tolist() == [7, 5, 0, 2]
    for norms in found.norms.values():
        assert isinstance(norms, np.ndarray)
        assert norms.shape == (7, 4)
        assert (norms > 0).tolist() == found.alive.tolist()
    assert all(one.grad is None for one in module.parameters())


def test_of_the_last_step_alone_error_falls_with_the_lag() -> None:
    torch.manual_seed(0)
    module = Recurrent(Elman(), 3, 8, dtype=torch.float64)
    with torch.no_grad():
        module.weight_hh_l0 *= 0.5 / torch.linalg.matrix_norm(module.weight_hh_l0, 2)
    x = torch.randn(30, 2, 3).double()
    found = gradient_flow(module, x, None, lambda output, _: output[-1].sum())
    norms = found.norms[0, 0, "h"]
    assert (norms[:-1] <= 0.5 * norms[1:] * (1 + 1e-12)).all()


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = Recurrent(GRU(), 3, 5)
        self.head = nn.Linear(5, 2)

    def forward(self, x: Tensor, lengths: Tensor, twice: bool = False) -> Tensor:
        hidden, _ = self.network(x, lengths=lengths)
        if twice:
            hidden, _ = self.network(x)
        return self.head(hidden.sum(0))


def test_of_a_model_with_arguments_of_its_own() -> None:
    torch.manual_seed(0)
    model = Classifier()
    inputs = torch.randn(6, 3, 3), torch.tensor([6, 2, 4])
    targets = torch.tensor([0, 1, 1])
    found = gradient_flow(model, inputs, targets, nn.functional.cross_entropy)
    assert found.norms[0, 0, "h"].shape == (6, 3)
    assert model.network.watching is None
    with pytest.raises(errors.CalledSeveralTimes, match="2 times"):
        gradient_flow(model, inputs, targets, nn.functional.cross_entropy, twice=True)
    assert model.network.watching is None


def test_dead_units() -> None:
    torch.manual_seed(0)
    module = Recurrent(Elman("relu"), 3, 6)
    with torch.no_grad():
        module.bias_ih_l0[[1, 4]] = -1000
    found = gradient_flow(module, torch.randn(9, 4, 3), torch.ones(9, 4, 6), squared)
    (dead,) = found.dead.values()
    assert dead[[1, 4]].all()
    assert not dead.all()
    assert not gradient_flow(
        Recurrent(LSTM(), 3, 6), torch.randn(2, 1, 3), torch.ones(2, 1, 6), squared
    ).dead


def test_without_recurrence_or_gradients_there_is_nothing_to_see() -> None:
    x = torch.randn(4, 2, 3)
    with pytest.raises(errors.NoRecurrentModule, match=r"gradient_flow\(\)"):
        gradient_flow(nn.Linear(3, 3), x, x, squared)
    module = PlainLSTM(3, 3)
    with pytest.raises(errors.NothingWatched):
        gradient_flow(module, x, x, lambda output, y: squared(output.detach(), y))
    with torch.no_grad():
        assert gradient_flow(module, x, x, squared).norms
