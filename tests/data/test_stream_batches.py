"""Sequences side by side: every step once, each row followed, none lost."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.stream_batches import Chunk, StreamBatches
from throughtime.errors import BadSequences, NotPositive


def sequences(lengths: list[int], features: int = 2) -> list[np.ndarray]:
    """Each number says which sequence and which step it is of."""
    return [
        1000.0 * (place + 1) + np.arange(length * features).reshape(length, features)
        for place, length in enumerate(lengths)
    ]


def rows_of(chunks: list[Chunk]) -> list[list[tuple[int, torch.Tensor, bool]]]:
    """For every row its living steps: place, input, mark."""
    rows: list[list[tuple[int, torch.Tensor, bool]]] = []
    for row in range(chunks[0].inputs.shape[1]):
        rows.append([])
        for chunk in chunks:
            assert chunk.lengths is not None
            assert chunk.places is not None
            assert chunk.resets is not None
            rows[row] += [
                (int(p), x, bool(mark))
                for p, x, mark in list(
                    zip(
                        chunk.places[:, row],
                        chunk.inputs[:, row],
                        chunk.resets[:, row],
                        strict=True,
                    )
                )[: int(chunk.lengths[row])]
            ]
    return rows


LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any)


@given(LENGTHS, st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_no_step_is_lost_or_repeated_and_rows_go_on(
    lengths: list[int], batch_size: int, steps: int, drawn: bool
) -> None:
    given_sequences = sequences(lengths)
    generator = torch.Generator().manual_seed(0) if drawn else None
    loader = StreamBatches(given_sequences, batch_size, steps, generator=generator)
    for _ in range(2):  # passes
        chunks = list(loader)
        found: dict[int, list[torch.Tensor]] = {}
        for row in rows_of(chunks):
            previous = -1
            for place, x, mark in row:
                assert mark == (place != previous)
                assert not (mark and place in found)
                found.setdefault(place, []).append(x)
                previous = place
        assert sorted(found) == [k for k, length in enumerate(lengths) if length]
        for place, parts in found.items():
            assert np.array_equal(torch.stack(parts), given_sequences[place])


@given(LENGTHS, st.integers(1, 4), st.integers(1, 5))
def test_rows_wait_for_nothing(lengths: list[int], rows: int, steps: int) -> None:
    """A row is empty only when no sequence is left, and what is behind is zeros."""
    chunks = list(StreamBatches(sequences(lengths), rows, steps))
    left = sum(length > 0 for length in lengths)
    for chunk in chunks:
        assert chunk.lengths is not None
        assert chunk.places is not None
        assert chunk.resets is not None
        assert len(chunk.inputs) == chunk.lengths.max()
        left -= int(chunk.resets.sum())
        dead = chunk.places < 0
        assert not dead.any() or left == 0
        assert not chunk.inputs[dead].any()
        assert torch.equal((~dead).sum(0), chunk.lengths)


@given(LENGTHS, st.integers(1, 4), st.integers(1, 5))
def test_sequences_begin_in_their_order(
    lengths: list[int], rows: int, steps: int
) -> None:
    begun: list[int] = []
    for chunk in StreamBatches(sequences(lengths), rows, steps):
        assert chunk.places is not None
        assert chunk.resets is not None
        begun += chunk.places[chunk.resets].tolist()
    assert begun == [place for place, length in enumerate(lengths) if length]


def equal(one: Chunk, other: Chunk) -> bool:
    pairs = zip(vars(one).values(), vars(other).values(), strict=True)
    return all(a is b or torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("taken", [0, 1, 3])
@pytest.mark.parametrize("drawn", [False, True])
def test_a_position_is_saved_and_restored(taken: int, drawn: bool) -> None:
    def loader(seed: int) -> StreamBatches:
        generator = torch.Generator().manual_seed(seed) if drawn else None
        whole = sequences([7, 0, 3, 12, 1, 5])
        return StreamBatches(whole, 2, 3, targets=whole, generator=generator)

    first = loader(1)
    chunks = iter(first)
    for _ in range(taken):
        next(chunks)
    state = copy.deepcopy(first.state_dict())
    rest = [*chunks, *first]  # of this pass, and the next
    other = loader(2)
    list(other)
    other.load_state_dict(state)
    again = [*other, *other]
    assert len(again) == len(rest) > 6
    assert all(map(equal, again, rest))


def test_an_iteration_goes_on_where_the_last_one_stopped() -> None:
    loader = StreamBatches(sequences([4, 4]), 1, 2)
    first = next(iter(loader))
    assert len(list(loader)) == 3
    assert len(list(loader)) == 4
    next(iter(loader))
    loader.rewind()
    assert equal(next(iter(loader)), first)


class Elsewhere:
    """Numbers that are read when they are needed, and how they were asked for."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers, self.shape, self.dtype = numbers, numbers.shape, numbers.dtype
        self.asked: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, steps: slice) -> np.ndarray:
        if steps.stop > steps.start:
            self.asked.append((steps.start, steps.stop))
        return self.numbers[steps]


def test_what_lies_elsewhere_is_read_as_the_stream_goes() -> None:
    given_sequences = sequences([7, 0, 12, 3, 5])
    far = [Elsewhere(one) for one in given_sequences]
    loader = StreamBatches(far, 2, 4, targets=[*map(Elsewhere, given_sequences)])
    chunks = StreamBatches(given_sequences, 2, 4, targets=given_sequences)
    for own, expected in zip(loader, chunks, strict=True):
        assert torch.equal(own.inputs, expected.inputs)
        assert own.targets is not None
        assert expected.targets is not None
        assert torch.equal(own.targets, expected.targets)
    for one in far:
        edges = [0, *(stop for _, stop in one.asked)]
        assert [start for start, _ in one.asked] == edges[:-1]
        assert edges[-1] == len(one)
        assert max((b - a for a, b in one.asked), default=0) <= 4


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_a_share_of_the_rows_is_what_the_whole_has_there(rows: int) -> None:
    given_sequences = sequences([7, 0, 12, 3, 5, 30])
    shares = [slice(0, rows, 2), slice(1, rows, 2)]
    whole = list(StreamBatches(given_sequences, rows, 4))
    for share in shares:
        far = [Elsewhere(one) for one in given_sequences]
        own = list(StreamBatches(far, rows, 4, targets=far, share=share))
        for mine, chunk in zip(own, whole, strict=True):
            assert torch.equal(mine.inputs, chunk.inputs[:, share])
            assert torch.equal(mine.targets, chunk.inputs[:, share])
            for name in ("resets", "places"):
                assert torch.equal(getattr(mine, name), getattr(chunk, name)[:, share])
            assert torch.equal(mine.lengths, chunk.lengths[share])
        given_steps = sum(int(chunk.lengths[share].sum()) for chunk in whole)
        assert sum(b - a for one in far for a, b in one.asked) == 2 * given_steps


def test_a_chunk_takes_no_more_memory_than_its_steps() -> None:
    (chunk,) = StreamBatches([torch.ones(5, 1), torch.ones(3, 1)], 1, 10**9)
    assert chunk.inputs.shape == (8, 1, 1)
    assert chunk.resets[:, 0].nonzero().flatten().tolist() == [0, 5]


def test_symbols_and_targets_of_their_own_shape() -> None:
    symbols = [torch.arange(5), torch.arange(10, 13)]
    targets = [one.double()[:, None] / 2 for one in symbols]
    (chunk,) = StreamBatches(symbols, 2, 8, targets=targets)
    assert chunk.inputs.dtype == torch.int64
    assert chunk.inputs.tolist()[:3] == [[0, 10], [1, 11], [2, 12]]
    assert chunk.targets is not None
    assert torch.equal(chunk.targets[..., 0], chunk.inputs.double() / 2)


REFUSALS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: StreamBatches(sequences([1]), 0, 1), NotPositive, "batch_size=0"),
    (lambda: StreamBatches(sequences([1]), 1, 0), NotPositive, "steps=0"),
    (lambda: StreamBatches([], 1, 1), BadSequences, "sequences is empty"),
    (lambda: StreamBatches([1.0], 1, 1), BadSequences, "sequences is numbers"),
    (
        lambda: StreamBatches([*sequences([2]), *sequences([2], 3)], 1, 1),
        BadSequences,
        "sequences[1] is (2, 3) of torch.float64, expected (T_i, 2)",
    ),
    (
        lambda: StreamBatches(sequences([2, 3]), 1, 1, targets=sequences([2, 4])),
        BadSequences,
        "targets is of 4 steps in sequence 1, expected 3",
    ),
    (
        lambda: StreamBatches(sequences([2, 3]), 1, 1, targets=sequences([2])),
        BadSequences,
        "targets is 1 sequences, expected 2",
    ),
    (
        lambda: StreamBatches(sequences([2, 3]), 1, 1).load_state_dict(
            StreamBatches(sequences([2, 3]), 2, 1).state_dict()
        ),
        BadSequences,
        "state is of 2 sequences in 2 rows, expected one of 2 in 1",
    ),
]


@pytest.mark.parametrize(("call", "error", "sentence"), REFUSALS)
def test_what_cannot_stand_side_by_side_is_refused(
    call: Callable[[], Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as refusal:
        call()
    assert sentence in str(refusal.value)
