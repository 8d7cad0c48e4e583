"""Streams predict what they promise, once, in order."""

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data import IGNORED, TextStreams
from throughtime.errors import NotPositive, TooFewSymbols

sizes = st.tuples(st.integers(2, 120), st.integers(1, 9), st.integers(1, 50)).filter(
    lambda size: size[0] > size[1]
)


def predicted(streams: TextStreams) -> torch.Tensor:
    targets = torch.cat([chunk.targets.flatten() for chunk in streams])
    return targets[targets != IGNORED].sort().values


@given(sizes)
def test_whole_predicts_every_symbol_but_the_first_once(
    size: tuple[int, int, int],
) -> None:
    count, batch_size, steps = size
    streams = TextStreams(np.arange(count), batch_size, steps, whole=True)
    assert predicted(streams).tolist() == list(range(1, count))


@given(sizes)
def test_training_leaves_out_only_what_fills_no_stream(
    size: tuple[int, int, int],
) -> None:
    count, batch_size, steps = size
    streams = TextStreams(np.arange(count), batch_size, steps)
    kept = (count - 1) // batch_size * batch_size
    assert predicted(streams).tolist() == list(range(1, kept + 1))
    for chunk in streams:
        assert chunk.lengths.tolist() == [len(chunk.inputs)] * batch_size
        assert (chunk.targets != IGNORED).all()


@given(sizes, st.booleans())
def test_each_row_goes_on_where_it_ended(
    size: tuple[int, int, int], whole: bool
) -> None:
    count, batch_size, steps = size
    streams = TextStreams(np.arange(count), batch_size, steps, whole=whole)
    chunks = list(streams)
    assert len(streams) == len(chunks)
    rows = [[] for _ in range(batch_size)]
    for chunk in chunks:
        assert chunk.inputs.dtype == chunk.targets.dtype == torch.int64
        assert 1 <= len(chunk.inputs) <= steps
        assert chunk.inputs.shape == chunk.targets.shape
        for row, length in enumerate(chunk.lengths.tolist()):
            inputs, targets = chunk.inputs[:, row], chunk.targets[:, row]
            assert (targets[:length] == inputs[:length] + 1).all()
            assert (inputs[length:] == 0).all()
            assert (targets[length:] == IGNORED).all()
            rows[row] += inputs[:length].tolist()
    assert all(len(chunk.inputs) == steps for chunk in chunks[:-1])
    # Rows follow each other in the text without a gap.
    assert list(chain(*rows)) == list(range(sum(map(len, rows))))
    assert max(map(len, rows)) - min(map(len, rows)) <= int(whole)


def test_one_stream_in_one_chunk_is_the_text() -> None:
    [chunk] = TextStreams(np.array([5, 6, 7, 8]), 1, 100, whole=True)
    assert chunk.inputs.tolist() == [[5], [6], [7]]
    assert chunk.targets.tolist() == [[6], [7], [8]]
    assert chunk.lengths.tolist() == [3]


def test_streams_by_hand() -> None:
    symbols = np.arange(10, 18)  # seven predictions for three streams
    first, second = TextStreams(symbols, 3, 2, whole=True)
    assert first.inputs.tolist() == [[10, 13, 15], [11, 14, 16]]
    assert first.targets.tolist() == [[11, 14, 16], [12, 15, 17]]
    assert second.inputs.tolist() == [[12, 0, 0]]
    assert second.targets.tolist() == [[13, IGNORED, IGNORED]]
    assert second.lengths.tolist() == [1, 0, 0]


@pytest.mark.parametrize("argument", ["batch_size", "steps"])
def test_counts_below_one_are_refused(argument: str) -> None:
    counts = {"batch_size": 2, "steps": 3, argument: 0}
    with pytest.raises(NotPositive, match=f"{argument}=0"):
        TextStreams(np.arange(9), **counts)


def test_more_streams_than_predictions_are_refused() -> None:
    with pytest.raises(TooFewSymbols, match="at least 5 symbols"):
        TextStreams(np.arange(4), batch_size=4, steps=1)
    assert len(list(TextStreams(np.arange(5), batch_size=4, steps=1))) == 1
