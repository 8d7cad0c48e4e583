"""Counting zeros, layer by layer in one pass."""

import pytest
import torch

from throughtime.cells import Elman, Zoneout
from throughtime.nn import Recurrent
from throughtime.train.zeros import ZeroCounter


@pytest.mark.parametrize("bidirectional", [False, True])
def test_fractions_are_those_of_each_stack_of_layers(bidirectional: bool) -> None:
    torch.manual_seed(0)
    network = Recurrent(Elman("relu"), 3, 5, 3, bidirectional=bidirectional)
    before = torch.get_rng_state()
    counter = ZeroCounter(network)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        network.weight_hh_l1.mul_(2)  # what is learned later counts, too
    x, lengths = torch.randn(4, 2, 3), torch.tensor([4, 2])
    expected: list[float] = []
    for layers in (1, 2, 3):
        graphs = network.graphs[:layers]
        stack = Recurrent.from_graphs(graphs, bidirectional=bidirectional)
        stack.load_state_dict(network.state_dict(), strict=False)
        output, _ = stack(x, lengths=lengths)
        living = torch.cat([output[:, 0], output[:2, 1]])
        expected.append((living == 0).double().mean().item())
    assert counter.fractions(x, lengths) == expected
    assert all(0 < fraction < 1 for fraction in expected)


def test_where_the_cell_has_masks_none_is_drawn() -> None:
    torch.manual_seed(0)
    network = Recurrent(Zoneout(Elman("relu"), h=0.5), 3, 5)
    counter, x = ZeroCounter(network), torch.randn(4, 2, 3)
    before = torch.get_rng_state()
    found = counter.fractions(x, torch.tensor([4, 4]))
    assert torch.equal(torch.get_rng_state(), before)
    output, _ = network.eval()(x)
    assert found == [(output == 0).double().mean().item()]
