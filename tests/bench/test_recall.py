"""Fixed copy and delayed recall: learned as far back as error flows."""

import pytest
import torch

from throughtime.bench import delayed_recall, fixed_copy
from throughtime.data import IGNORED
from throughtime.train.truncation import TBPTT, AdaptiveTruncation


def test_a_row_of_the_copy_is_repeated_ten_steps_later() -> None:
    chunk = fixed_copy.rows(100, 5)
    assert chunk.targets is not None
    symbols = chunk.inputs.argmax(-1)
    assert torch.equal(chunk.targets[10:], symbols[:-10])
    assert torch.equal((symbols > 0)[:-20], (symbols > 0)[20:])
    for row in symbols.T:
        marks = (row == 1).nonzero()[:, 0]
        assert (marks.diff() == 20).all()
        first = row[marks[0] : marks[0] + 20]
        assert (first[1:10] >= 2).all()
        assert (first[10:] == 0).all()
    letters = symbols[symbols >= 2] - 2
    assert letters.bincount().tolist() == pytest.approx([len(letters) / 4] * 4, rel=0.3)


def test_the_bit_to_be_recalled_was_marked_so_many_steps_before() -> None:
    lag = 5
    chunk = delayed_recall.rows(lag, 60, 7)
    assert chunk.targets is not None
    bit, marked, asked = chunk.inputs.unbind(-1)
    assert ((chunk.targets != IGNORED) == (asked == 1)).all()
    for t, row in asked.nonzero().tolist():
        assert marked[t - lag + 1, row] == 1
        assert 2 * chunk.targets[t, row] - 1 == bit[t - lag + 1, row]
    assert asked.sum() >= 60 // (2 * lag) * 7 - 7


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("lag", [6, 10])
def test_lags_are_learned_as_far_as_error_flows(lag: int) -> None:
    accuracies = [
        delayed_recall.learn(lambda module, k2=k2: TBPTT(module, 1, k2), lag).accuracy
        for k2 in (lag - 1, lag, 2 * lag)
    ]
    assert accuracies[0] < 0.65
    assert min(accuracies[1:]) > 0.99


def test_a_short_pass_of_the_copy_learns_the_cycle() -> None:
    """Below the perplexity of six symbols that are alike; the slow tests learn all."""
    outcome = fixed_copy.learn(
        lambda module: TBPTT(module, 40), 1, hidden_size=16, learning_rate=0.03
    )
    assert len(outcome.perplexities) == 1
    assert outcome.perplexities[0] < 2.2
    assert outcome.steps == [40]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("k", "passes"), [(5, 12), (10, 25), (15, 25), (30, 25)])
def test_the_copy_is_learned_with_credit_of_its_lag(k: int, passes: int) -> None:
    outcome = fixed_copy.learn(lambda module: TBPTT(module, k, 2 * k - 1), passes)
    if k < fixed_copy.LAG:
        assert min(outcome.perplexities) >= 1.5
    else:
        assert outcome.perplexities[-1] <= 1.06


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("bias", "passes", "longest"), [(0.9, 25, 100), (0.5, 40, 100), (0.1, 40, 40)]
)
def test_the_copy_is_learned_by_adaptive_truncation(
    bias: float, passes: int, longest: int
) -> None:
    outcome = fixed_copy.learn(
        lambda module: AdaptiveTruncation(module, bias, longest=longest), passes
    )
    assert outcome.perplexities[-1] <= 1.04
