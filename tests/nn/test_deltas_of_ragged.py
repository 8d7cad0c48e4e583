"""δ of sequences of several lengths, and of such that begin anew."""

import pytest
import torch

import throughtime as tt
from tests.compare import assert_close

LENGTHS = [3, 0, 5, 1]


def network(**options: bool) -> tt.nn.Recurrent:
    torch.manual_seed(0)
    options = {"bidirectional": True, **options}
    return tt.nn.Recurrent(
        tt.cells.GRU(), 3, 4, num_layers=2, dtype=torch.float64, **options
    )


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_each_sequence_has_the_deltas_it_has_alone(bidirectional: bool) -> None:
    module = network(bidirectional=bidirectional)
    width = 8 if bidirectional else 4
    x, gradient = drawn(5, 4, 3), drawn(5, 4, width)
    start = drawn(2 * module.directions, 4, 4)
    explanation = tt.explain(module)
    found = explanation.deltas(x, gradient, start, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        own = slice(0, length), slice(row, row + 1)
        alone = {}
        if length:
            state = start[:, own[1]]
            alone = explanation.deltas(x[own], gradient[own], state)
        for key, value in found.items():
            assert value.shape == (5, 4, 4)
            assert not value[length:, row].any()
            if length:
                assert_close(value[own], alone[key])


def test_no_delta_crosses_a_reset() -> None:
    module = network()
    x, gradient = drawn(5, 1, 3), drawn(5, 1, 8)
    resets = torch.tensor([False, False, True, False, False])[:, None]
    explanation = tt.explain(module)
    found = explanation.deltas(x, gradient, resets=resets)
    parts = [slice(0, 2), slice(2, 5)]
    alone = [explanation.deltas(x[part], gradient[part]) for part in parts]
    for key, value in found.items():
        assert_close(value, torch.cat([part[key] for part in alone]))
