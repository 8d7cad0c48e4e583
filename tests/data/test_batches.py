"""Batches hold every sequence once, padded with nothing but zeros."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data import (
    FramesInMemory,
    SequenceBatch,
    SequenceBatches,
    load,
    pad,
    whole,
)
from throughtime.errors import NotPositive


def make(lengths: list[int]) -> tuple[FramesInMemory, np.ndarray]:
    """Sequence k holds k + 1 everywhere; all of them as pieces."""
    frames = FramesInMemory(
        [np.full((n, 2), k + 1, np.float32) for k, n in enumerate(lengths)]
    )
    return frames, whole(np.arange(len(lengths)), frames.lengths)


def order(batches: SequenceBatches) -> list[list[int]]:
    return [batch.pieces.tolist() for batch in batches]


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=60),
    st.integers(1, 9),
    st.sampled_from([None, 0, 1]),
)
def test_every_piece_comes_once_and_whole(
    lengths: list[int], batch_size: int, seed: int | None
) -> None:
    frames, pieces = make(lengths)
    pieces = pieces[::2]
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    batches = SequenceBatches(frames, pieces, batch_size, generator)
    given: list[SequenceBatch] = list(batches)
    assert len(batches) == len(given)
    assert sorted(k for one in order(batches) for k in one) == [*range(len(pieces))]
    for batch in given:
        assert 1 <= len(batch.pieces) <= batch_size
        assert batch.frames.shape == (int(batch.lengths.max()), len(batch.pieces), 2)
        for row, piece in enumerate(batch.pieces.tolist()):
            length, place = int(batch.lengths[row]), 2 * piece
            assert length == lengths[place]
            assert (batch.frames[:length, row] == place + 1).all()
            assert (batch.frames[length:, row] == 0).all()


def test_a_piece_says_from_where_on_it_counts() -> None:
    frames = FramesInMemory([np.arange(20.0)[:, None]])
    pieces = np.array([[0, 2, 9, 5], [0, 10, 20, 10]])
    [batch] = SequenceBatches(frames, pieces, 2)
    assert batch.lengths.tolist() == [7, 10]
    assert batch.first.tolist() == [3, 0]
    assert batch.frames[:7, 0, 0].tolist() == [*range(2, 9)]
    assert batch.frames[:, 1, 0].tolist() == [*range(10, 20)]


def test_without_a_generator_the_order_is_by_length() -> None:
    batches = SequenceBatches(*make([3, 1, 2, 5, 1]), batch_size=2)
    assert order(batches) == order(batches) == [[1, 4], [2, 0], [3]]


def test_the_seed_decides_the_order_and_every_epoch_has_its_own() -> None:
    first, again, other = (
        SequenceBatches(*make([5] * 40), 8, torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    epoch = order(first)
    assert epoch == order(again)
    assert epoch != order(other)
    following = order(first)
    assert following != epoch
    assert following == order(again)


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(0)
    list(SequenceBatches(*make([3, 4, 5]), 2, generator))
    assert torch.equal(torch.get_rng_state(), before)


def test_like_lengths_are_together() -> None:
    digits = load("spoken-digits")
    batches = SequenceBatches(
        digits.frames,
        digits.splits["train"],
        batch_size=32,
        generator=torch.Generator().manual_seed(0),
    )
    read = sum(int(batch.lengths.sum()) for batch in batches)
    held = sum(batch.frames[..., 0].numel() for batch in batches)
    # Batches drawn without regard to length hold about twice what they read.
    assert held < 1.25 * read
    widths = [len(batch.frames) for batch in batches]
    assert any(wide > narrow for wide, narrow in pairwise(widths))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pad(dtype: torch.dtype) -> None:
    kind = np.float32 if dtype == torch.float32 else np.float64
    inputs, lengths = pad([np.ones((2, 1), kind), 2 * np.ones((3, 1), kind)])
    assert inputs.dtype == dtype
    assert inputs[..., 0].tolist() == [[1, 2], [1, 2], [0, 2]]
    assert lengths.tolist() == [2, 3]
    assert lengths.dtype == torch.int64


def test_batches_own_their_memory() -> None:
    frames, pieces = make([3])
    [batch] = SequenceBatches(frames, pieces, 1)
    batch.frames.zero_()
    assert (frames.read(0, 0, 3) == 1).all()


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(NotPositive, match="batch_size=0"):
        SequenceBatches(*make([3]), 0)
