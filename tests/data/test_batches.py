"""Batches hold every sequence once, padded with nothing but zeros."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data import SequenceBatch, SequenceBatches, load, pad
from throughtime.errors import NotPositive


def make(lengths: list[int]) -> tuple[list[np.ndarray], np.ndarray]:
    """Sequence k holds k + 1 everywhere and has target 10 k."""
    sequences = [np.full((n, 2), k + 1, np.float32) for k, n in enumerate(lengths)]
    return sequences, 10 * np.arange(len(lengths))


def order(batches: SequenceBatches) -> list[list[int]]:
    return [batch.places.tolist() for batch in batches]


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=60),
    st.integers(1, 9),
    st.sampled_from([None, 0, 1]),
)
def test_every_sequence_comes_once_and_whole(
    lengths: list[int], batch_size: int, seed: int | None
) -> None:
    sequences, targets = make(lengths)
    places = np.arange(0, len(lengths), 2)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    batches = SequenceBatches(sequences, targets, places, batch_size, generator)
    given: list[SequenceBatch] = list(batches)
    assert len(batches) == len(given)
    assert sorted(k for batch in given for k in batch.places.tolist()) == [*places]
    for batch in given:
        assert 1 <= len(batch.places) <= batch_size
        assert batch.inputs.shape == (int(batch.lengths.max()), len(batch.places), 2)
        assert batch.targets.tolist() == [10 * k for k in batch.places.tolist()]
        for row, place in enumerate(batch.places.tolist()):
            length = int(batch.lengths[row])
            assert length == lengths[place]
            assert (batch.inputs[:length, row] == place + 1).all()
            assert (batch.inputs[length:, row] == 0).all()


def test_without_a_generator_the_order_is_by_length() -> None:
    sequences, targets = make([3, 1, 2, 5, 1])
    batches = SequenceBatches(sequences, targets, np.arange(5), batch_size=2)
    assert order(batches) == order(batches) == [[1, 4], [2, 0], [3]]


def test_the_seed_decides_the_order_and_every_epoch_has_its_own() -> None:
    sequences, targets = make([5] * 40)
    first, again, other = (
        SequenceBatches(
            sequences, targets, np.arange(40), 8, torch.Generator().manual_seed(seed)
        )
        for seed in (1, 1, 2)
    )
    epoch = order(first)
    assert epoch == order(again)
    assert epoch != order(other)
    following = order(first)
    assert following != epoch
    assert following == order(again)


def test_drawing_leaves_the_global_generator_alone() -> None:
    sequences, targets = make([3, 4, 5])
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(0)
    list(SequenceBatches(sequences, targets, np.arange(3), 2, generator))
    assert torch.equal(torch.get_rng_state(), before)


def test_like_lengths_are_together() -> None:
    digits = load("spoken-digits")
    batches = SequenceBatches(
        digits.sequences,
        digits.targets,
        digits.splits["train"],
        batch_size=32,
        generator=torch.Generator().manual_seed(0),
    )
    read = sum(int(batch.lengths.sum()) for batch in batches)
    held = sum(batch.inputs[..., 0].numel() for batch in batches)
    # Batches drawn without regard to length hold about twice what they read.
    assert held < 1.25 * read
    widths = [len(batch.inputs) for batch in batches]
    assert any(wide > narrow for wide, narrow in pairwise(widths))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pad(dtype: torch.dtype) -> None:
    sequences = [np.ones((2, 1), np.float32), 2 * np.ones((3, 1), np.float32)]
    inputs, lengths = pad(sequences, dtype)
    assert inputs.dtype == dtype
    assert inputs[..., 0].tolist() == [[1, 2], [1, 2], [0, 2]]
    assert lengths.tolist() == [2, 3]
    assert lengths.dtype == torch.int64


def test_batches_own_their_memory() -> None:
    sequences, targets = make([3])
    [batch] = SequenceBatches(sequences, targets, np.arange(1), 1)
    batch.inputs.zero_()
    batch.targets.fill_(-1)
    assert (sequences[0] == 1).all()
    assert targets.tolist() == [0]


def test_a_batch_size_below_one_is_refused() -> None:
    sequences, targets = make([3])
    with pytest.raises(NotPositive, match="batch_size=0"):
        SequenceBatches(sequences, targets, np.arange(1), 0)
