"""Temporal order: what a sequence is, and that a short one is learned."""

import math

import pytest
import torch
from scipy.stats import chisquare

from throughtime.bench import temporal_order
from throughtime.bench.temporal_order import SYMBOLS, batch, batch_of_any_length, wrong
from throughtime.cells import Elman
from throughtime.errors import NumberOutOfRange
from throughtime.nn import Recurrent, Softmax


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("steps", [10, 29, 50, 97])
def test_two_symbols_tell_and_all_others_distract(steps: int) -> None:
    inputs, classes = batch(steps, 400, drawn())
    assert inputs.shape == (steps, 400, SYMBOLS)
    assert torch.equal(inputs.sum(-1), torch.ones(steps, 400))
    symbols = inputs.argmax(-1)
    places = set()
    for row, expected in zip(symbols.T, classes.tolist(), strict=True):
        first, second = (row < 2).nonzero()[:, 0].tolist()
        assert steps // 10 <= first < 2 * steps // 10
        assert 4 * steps // 10 <= second < 5 * steps // 10
        assert 2 * row[first] + row[second] == expected
        places.add((first, second))
    assert len(places) > 1 or steps == 10
    distractors = symbols[symbols >= 2] - 2
    assert chisquare(distractors.bincount()).pvalue > 0.001
    assert chisquare(classes.bincount()).pvalue > 0.001


def test_lengths_are_drawn_with_both_ends() -> None:
    generator = drawn()
    lengths = {len(batch_of_any_length((50, 53), 1, generator)[0]) for _ in range(60)}
    assert lengths == {50, 51, 52, 53}


def test_the_same_generator_gives_the_same_sequences() -> None:
    first, again, other = (batch(50, 5, drawn(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.classes, again.classes)
    assert not torch.equal(first.inputs, other.inputs)


def test_without_a_place_for_both_it_is_refused() -> None:
    with pytest.raises(NumberOutOfRange, match="steps=9, expected a whole number of"):
        batch(9, 1, drawn())


def test_who_knows_nothing_is_wrong_three_times_out_of_four() -> None:
    torch.manual_seed(0)
    module, head = Recurrent(Elman(), SYMBOLS, 5), Softmax(5, 4)
    with torch.no_grad():
        for weight in head.parameters():
            weight.zero_()
    found = wrong(module, head, (10, 20), count=4000)
    assert found == pytest.approx(0.75, abs=4 * math.sqrt(0.75 * 0.25 / 4000))


def test_sequences_of_ten_steps_are_learned() -> None:
    outcome = temporal_order.learn(
        learning_rate=0.03, clip=1.0, lengths=(10, 10), updates=3000, look_every=100
    )
    assert outcome.solved
    assert outcome.updates < 3000
    assert outcome.seconds > 0


def test_what_ends_learning_is_not_what_is_measured() -> None:
    seeds: list[int] = []

    def noted(*given: object, seed: int, **more: object) -> float:
        seeds.append(seed)
        return 0.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(temporal_order, "wrong", noted)
        temporal_order.learn(
            learning_rate=0.01, lengths=(10, 10), updates=5, look_every=2
        )
    *looks, judged = seeds
    assert judged not in looks


def test_a_gradient_that_is_no_number_ends_it() -> None:
    outcome = temporal_order.learn(
        learning_rate=1e38, flow_penalty=1.0, lengths=(10, 10), updates=50
    )
    assert math.isnan(outcome.loss)
    assert not outcome.solved
    assert outcome.updates < 50


def test_the_penalty_and_clipping_make_it_another_training() -> None:
    said = {"learning_rate": 0.1, "lengths": (10, 12), "updates": 20}
    losses = [
        temporal_order.learn(**said, **more).loss  # type: ignore[arg-type]
        for more in ({}, {"clip": 0.01}, {"flow_penalty": 1.0}, {"flow_penalty": 0.0})
    ]
    assert len(set(losses)) == 3
    assert losses[0] == losses[3]
