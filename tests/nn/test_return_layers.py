"""`return_layers=True`: what every layer of a stack gives."""

from typing import Any

import pytest
import torch

from throughtime.cells import GRU, Elman, Zoneout
from throughtime.nn import Recurrent

F, H = 3, 4


def build(backend: str = "llvm", cell: Any = None, **settings: Any) -> Recurrent:
    torch.manual_seed(0)
    settings = {"num_layers": 3, "dtype": torch.float64, **settings}
    return Recurrent(cell or Elman("relu"), F, H, backend=backend, **settings)


def drawn(*shape: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_they_are_the_outputs_of_fewer_layers(
    backend: str, bidirectional: bool
) -> None:
    module = build(backend, bidirectional=bidirectional)
    x, lengths = drawn(5, 3, F), [5, 0, 3]
    output, state = module(x, lengths=lengths)
    same, after, layers = module(x, lengths=lengths, return_layers=True)
    assert torch.equal(same, output) and torch.equal(after.h, state.h)
    assert len(layers) == 3 and torch.equal(layers[-1], output)
    for count, layer in enumerate(layers, 1):
        stack = Recurrent.from_graphs(
            module.graphs[:count],
            bidirectional=bidirectional,
            backend=backend,
            dtype=torch.float64,
        )
        stack.load_state_dict(module.state_dict(), strict=False)
        assert torch.equal(stack(x, lengths=lengths)[0], layer)
        assert (layer[:, 1] == 0).all() and (layer[3:, 2] == 0).all()


def test_in_the_form_of_the_output_and_behind_all_values() -> None:
    x = drawn(4, 2, F)
    _, _, layers = build()(x, return_layers=True)
    _, _, values, same = build()(x, return_all=True, return_layers=True)
    _, _, first = build(batch_first=True)(x.transpose(0, 1), return_layers=True)
    _, _, alone = build()(x[:, 0], return_layers=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, [4, 4])
    _, _, rows = build()(packed, return_layers=True)
    for place, layer in enumerate(layers):
        assert torch.equal(values[place, 0, "h"], layer)
        assert torch.equal(same[place], layer)
        assert torch.equal(first[place].transpose(0, 1), layer)
        assert torch.equal(alone[place], layer[:, 0])
        assert torch.equal(rows[place].data, layer.flatten(0, 1))


def test_residual_sums_are_not_in_them_nor_is_dropout() -> None:
    module = build(cell=GRU(), residual=True)
    output, _, (first, second, third) = module(drawn(5, 2, F), return_layers=True)
    torch.testing.assert_close(output, first + second + third, rtol=0, atol=1e-15)
    dropped = build(cell=GRU(), dropout=0.9)
    _, _, layers = dropped(drawn(5, 2, F), return_layers=True)
    assert all((layer != 0).all() for layer in layers)


def test_error_flows_through_every_one() -> None:
    found = []
    for backend in ("llvm", "reference"):
        module = build(backend, Zoneout(GRU(), h=0.3))
        torch.manual_seed(3)
        x = drawn(6, 2, F).requires_grad_()
        _, _, layers = module(x, lengths=[6, 4], return_layers=True)
        loss = sum((k + 1) * layer.square().sum() for k, layer in enumerate(layers))
        assert isinstance(loss, torch.Tensor)
        found.append([loss, *torch.autograd.grad(loss, [x, *module.parameters()])])
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)
