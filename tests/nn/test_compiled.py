"""Modules inside programs that torch compiles as a whole, and inside `torch.func`."""

import pytest
import torch
from torch import Tensor

from tests.compare import assert_close
from throughtime.cells import LSTM
from throughtime.nn import Recurrent

F, H = 3, 5


@pytest.fixture(scope="module")
def module() -> Recurrent:
    torch.manual_seed(0)
    settings = {"bidirectional": True, "dtype": torch.float64}
    return Recurrent(LSTM(), F, H, 2, **settings)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(6, 4, F, dtype=torch.float64)


@torch.no_grad()
def test_the_whole_program_is_one_graph(module: Recurrent, x: Tensor) -> None:
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    for lengths in (None, torch.tensor([2, 6, 0, 3]), torch.tensor([1, 1, 5, 4])):
        output, state = compiled(x, lengths=lengths)
        expected, end = module(x, lengths=lengths)
        assert_close(output, expected)
        assert_close(state.c, end.c)
        assert type(state) is type(end)
    with pytest.raises(RuntimeError, match="lengths must be from 0 to the number"):
        compiled(x, lengths=torch.tensor([1, 2, 3, 7]))


def test_gradients_per_sequence(backend: str, x: Tensor) -> None:
    module = Recurrent(LSTM(), F, H, backend=backend, dtype=torch.float64)
    weights = {name: p.detach() for name, p in module.named_parameters()}

    def loss(weights: dict[str, Tensor], sequence: Tensor) -> Tensor:
        output, _ = torch.func.functional_call(module, weights, (sequence,))
        return output.square().sum()

    for number in range(x.shape[1]):
        found = torch.func.grad(loss)(weights, x[:, number])
        module.zero_grad()
        module(x[:, number])[0].square().sum().backward()
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None
            assert_close(found[name], parameter.grad)
