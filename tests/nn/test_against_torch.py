"""torch.nn is the judge: outputs, states and every gradient, in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

from tests.covering import crossed
from tests.nn.twins import KINDS, assert_same, results, states, twins
from tests.sizes import SIZES

kinds = st.sampled_from(KINDS)
flags = st.booleans()


@settings(max_examples=15)
@given(
    kind=kinds,
    sizes=st.just(SIZES[1]),
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
    kind: str,
    sizes: tuple[int, int],
    layers: int,
    bias: bool,
    batch_first: bool,
    bidirectional: bool,
    steps: int,
    batch: int,
    with_state: bool,
) -> None:
    mine, theirs = twins(
        kind,
        *sizes,
        backend=backend,
        num_layers=layers,
        bias=bias,
        batch_first=batch_first,
        bidirectional=bidirectional,
    )
    shape = (batch, steps) if batch_first else (steps, batch)
    x = torch.randn(*shape, sizes[0], dtype=torch.float64)
    runs = layers * (1 + bidirectional)
    state = states(kind, runs, batch, sizes[1]) if with_state else None
    assert_same(results(mine, x, state), results(theirs, x, state))


@crossed(sizes=SIZES, kind=KINDS)
def test_every_size(backend: str, kind: str, sizes: tuple[int, int]) -> None:
    mine, theirs = twins(kind, *sizes, backend=backend)
    x = torch.randn(7, 13, sizes[0], dtype=torch.float64)
    state = states(kind, 1, 13, sizes[1])
    assert_same(results(mine, x, state), results(theirs, x, state))


@given(
    kind=kinds,
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=6),
    layers=st.integers(1, 2),
    bidirectional=flags,
    with_state=flags,
    ordered=flags,
)
def test_packed_sequences(
    backend: str,
    kind: str,
    lengths: list[int],
    layers: int,
    bidirectional: bool,
    with_state: bool,
    ordered: bool,
) -> None:
    lengths = sorted(lengths, reverse=True) if ordered else lengths
    settings = {"num_layers": layers, "bidirectional": bidirectional}
    mine, theirs = twins(kind, 3, 5, backend=backend, **settings)
    sequences = [torch.randn(n, 3, dtype=torch.float64) for n in lengths]
    x = pack_sequence(sequences, enforce_sorted=ordered)
    runs = layers * (1 + bidirectional)
    state = states(kind, runs, len(lengths), 5) if with_state else None
    assert_same(results(mine, x, state), results(theirs, x, state))


@pytest.mark.parametrize("kind", KINDS)
def test_a_packed_sequence_gives_a_packed_sequence(kind: str) -> None:
    mine, theirs = twins(kind, 3, 5)
    padded = torch.randn(4, 3, 3, dtype=torch.float64)
    x = pack_padded_sequence(padded, torch.tensor([2, 4, 1]), enforce_sorted=False)
    output, reference = mine(x)[0], theirs(x)[0]
    assert isinstance(output, PackedSequence)
    assert torch.equal(output.batch_sizes, reference.batch_sizes)
    assert torch.equal(output.sorted_indices, reference.sorted_indices)
    assert torch.equal(output.unsorted_indices, reference.unsorted_indices)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
def test_one_sequence_without_a_batch(
    backend: str, kind: str, batch_first: bool, with_state: bool
) -> None:
    settings = {"num_layers": 2, "bidirectional": True, "batch_first": batch_first}
    mine, theirs = twins(kind, 3, 5, backend=backend, **settings)
    x = torch.randn(6, 3, dtype=torch.float64)
    state = states(kind, 4, 5) if with_state else None
    assert_same(results(mine, x, state), results(theirs, x, state))


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_draws_what_torch_draws(kind: str) -> None:
    settings = {"num_layers": 3, "bidirectional": True, "dropout": 0.4}
    mine, theirs = twins(kind, 3, 5, backend="reference", **settings)
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    torch.manual_seed(7)
    ours = results(mine, x)
    torch.manual_seed(7)
    assert_same(ours, results(theirs, x))
    mine.eval(), theirs.eval()
    assert_same(results(mine, x), results(theirs, x))


@pytest.mark.parametrize("kind", ["RNNCell", "GRUCell", "LSTMCell"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(4,), ()], ids=["batch", "one sequence"])
@pytest.mark.parametrize("with_state", [False, True])
def test_single_steps(
    backend: str, kind: str, bias: bool, shape: tuple[int, ...], with_state: bool
) -> None:
    mine, theirs = twins(kind, 3, 5, backend=backend, bias=bias)
    x = torch.randn(*shape, 3, dtype=torch.float64)
    state = states(kind, *shape, 5) if with_state else None
    mine_results, reference = [], []
    for module, found in ((mine, mine_results), (theirs, reference)):
        start = None if state is None else state
        final = module(x) if start is None else module(x, start)
        found.extend([final] if isinstance(final, torch.Tensor) else final)
        loss = sum((value * value).sum() for value in found)
        found.extend(torch.autograd.grad(loss, list(module.parameters())))
    assert_same(mine_results, reference)
    cell, twin = twins("RNNCell", 3, 5, backend=backend, nonlinearity="relu")
    assert_same([cell(x)], [twin(x)])
