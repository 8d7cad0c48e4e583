"""Counting zeros, layer by layer in one pass."""

import pytest
import torch

from throughtime.cells import LSTM, Elman, KWinners
from throughtime.graph import Cell
from throughtime.nn import Recurrent
from throughtime.train.zeros import count_zeros


@pytest.mark.parametrize("bidirectional", [False, True])
def test_fractions_are_those_of_each_stack_of_layers(bidirectional: bool) -> None:
    torch.manual_seed(0)
    network = Recurrent(Elman("relu"), 3, 9, 3, bidirectional=bidirectional)
    x, lengths = torch.randn(4, 2, 3), torch.tensor([4, 2])
    expected: list[float] = []
    for layers in (1, 2, 3):
        graphs = network.graphs[:layers]
        stack = Recurrent.from_graphs(graphs, bidirectional=bidirectional)
        stack.load_state_dict(network.state_dict(), strict=False)
        output, _ = stack(x, lengths=lengths)
        living = torch.cat([output[:, 0], output[:2, 1]])
        expected.append((living == 0).double().mean().item())
    found = count_zeros(network, x, lengths)
    assert found["zero_fraction"] == expected
    assert all(0 < fraction < 1 for fraction in expected)


@pytest.mark.parametrize("steps", [0, 1, 2, 16, 17, 50])
def test_the_course_over_time(steps: int) -> None:
    """The first step by itself, then stretches of about as many steps each."""
    torch.manual_seed(0)
    network = Recurrent(Elman("relu"), 3, 5, 2, bidirectional=True)
    lengths = torch.tensor([steps, steps // 2, 0])
    x = torch.randn(steps, 3, 3)
    _, _, layers = network(x, lengths=lengths, return_layers=True)
    found = count_zeros(network, x, lengths)["zero_fraction_by_step"]
    first = found["first"]
    assert first[:2] == [0, 1][: max(1, steps)] and len(first) == min(max(1, steps), 16)
    ends = [*first[1:], steps]
    sizes = [b - a for a, b in zip(first, ends, strict=True)]
    assert sum(sizes) == steps and max(sizes[1:], default=0) <= min(sizes) + 3
    for layer, course in zip(layers, found["layers"], strict=True):
        rows = [layer[: lengths[row], row] for row in range(3)]
        by_hand = [
            torch.cat([row[a:b] for row in rows]).eq(0).double().mean().item()
            for a, b in zip(first, ends, strict=True)
        ]
        assert course == pytest.approx(by_hand, nan_ok=True)


@pytest.mark.parametrize(
    ("cell", "many"),
    [(LSTM(), False), (Elman(), False), (KWinners(LSTM(), 2), True)],
)
def test_a_course_is_told_where_units_are_exactly_0(cell: Cell, many: bool) -> None:
    network = Recurrent(cell, 3, 4, 2, residual=True)
    found = count_zeros(network, torch.randn(5, 2, 3), torch.tensor([5, 3]))
    assert ("zero_fraction_by_step" in found) == many
    if many:  # those of each layer's cell, before what the residual connection adds
        assert found["zero_fraction"] == [0.5, 0.5]
        assert found["zero_fraction_by_step"]["layers"] == [[0.5] * 5] * 2
