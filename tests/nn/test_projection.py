"""An LSTM whose output is projected, beside torch's with ``proj_size``."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import throughtime as tt
from tests.nn.twins import assert_same, results, twins
from throughtime import errors

flags = st.booleans()
SIZES = (3, 5)


def start(runs: int, batch: int, projection: int) -> tuple[Tensor, Tensor]:
    h = torch.randn(runs, batch, projection, dtype=torch.float64)
    return h, torch.randn(runs, batch, SIZES[1], dtype=torch.float64)


@settings(max_examples=10)
@given(
    projection=st.sampled_from([1, 2, 4]),
    layers=st.integers(1, 3),
    bias=flags,
    batch_first=flags,
    bidirectional=flags,
    steps=st.integers(1, 9),
    batch=st.integers(1, 5),
    with_state=flags,
)
def test_whole_sequences(
    backend: str,
    projection: int,
    layers: int,
    bias: bool,
    batch_first: bool,
    bidirectional: bool,
    steps: int,
    batch: int,
    with_state: bool,
) -> None:
    mine, theirs = twins(
        "LSTM",
        *SIZES,
        backend=backend,
        num_layers=layers,
        bias=bias,
        batch_first=batch_first,
        bidirectional=bidirectional,
        proj_size=projection,
    )
    shape = (batch, steps) if batch_first else (steps, batch)
    x = torch.randn(*shape, SIZES[0], dtype=torch.float64)
    state = start(layers * (1 + bidirectional), batch, projection)
    given_state = state if with_state else None
    assert_same(results(mine, x, given_state), results(theirs, x, given_state))


def test_packed_sequences(backend: str) -> None:
    settings = {"num_layers": 2, "bidirectional": True, "proj_size": 2}
    mine, theirs = twins("LSTM", *SIZES, backend=backend, **settings)
    sequences = [torch.randn(n, 3, dtype=torch.float64) for n in (2, 5, 1)]
    packed = pack_sequence(sequences, enforce_sorted=False)
    state = start(4, 3, 2)
    assert_same(results(mine, packed, state), results(theirs, packed, state))


def test_weights_and_text_are_torchs() -> None:
    settings = {"num_layers": 2, "bidirectional": True, "proj_size": 2}
    mine, theirs = twins("LSTM", *SIZES, **settings)
    assert repr(mine) == repr(theirs)
    assert mine.proj_size == theirs.proj_size == 2
    assert list(mine.state_dict()) == list(theirs.state_dict())
    for name, weight in theirs.state_dict().items():
        assert torch.equal(mine.state_dict()[name], weight)
    theirs.load_state_dict(mine.state_dict())
    mine.load_state_dict(theirs.state_dict())
    for found, expected in zip(mine.all_weights, theirs.all_weights, strict=True):
        assert_same(found, expected)


def test_a_state_of_the_wrong_size_is_refused() -> None:
    module = tt.nn.LSTM(*SIZES, proj_size=2)
    h, c = torch.zeros(1, 4, 5), torch.zeros(1, 4, 5)
    with pytest.raises(errors.StateShapeMismatch, match=r"hidden\[0\] size \(1, 4, 2"):
        module(torch.zeros(6, 4, 3), (h, c))


def test_a_projection_is_converted() -> None:
    theirs = nn.LSTM(*SIZES, proj_size=2, dtype=torch.float64)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    expected = results(theirs, x)
    mine = tt.convert(nn.Sequential(theirs))[0]
    assert isinstance(mine, tt.nn.LSTM)
    assert_same(results(mine, x), expected)


def test_recurrent_of_the_cell_is_the_same_layer() -> None:
    theirs = nn.LSTM(*SIZES, proj_size=2, dtype=torch.float64)
    cell = tt.cells.ProjectedLSTM(2)
    mine = tt.nn.Recurrent(cell, *SIZES, dtype=torch.float64)
    mine.load_state_dict(theirs.state_dict())
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    assert_same(results(mine, x), results(theirs, x))
