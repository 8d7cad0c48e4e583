"""Adding, copy memory and embedded Reber strings: what is drawn, asked and measured."""

import math
from random import Random

import pytest
import torch
from scipy.stats import chisquare, kstest
from torch import Tensor

from throughtime.bench.adding import WITHOUT_MEMORY, Adding
from throughtime.bench.copy_memory import CopyMemory, without_memory
from throughtime.bench.embedded_reber import (
    GRAMMAR,
    SYMBOLS,
    EmbeddedReber,
    right,
    string,
)
from throughtime.bench.running.drawn import Batch
from throughtime.bench.running.task import Measure


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("steps", [2, 7, 50])
def test_adding_marks_one_number_in_each_half(steps: int) -> None:
    inputs, sums, lengths = Adding(steps).draw(300, drawn())
    numbers, marks = inputs.unbind(-1)
    assert lengths is None
    assert inputs.shape == (steps, 300, 2)
    assert torch.equal(marks.sum(0), torch.full((300,), 2.0))
    assert torch.equal(marks[: steps // 2].sum(0), torch.ones(300))
    assert torch.allclose((numbers * marks).sum(0), sums[:, 0])
    assert kstest(numbers.flatten().numpy(), "uniform").pvalue > 0.001


def test_who_says_the_mean_of_adding_has_a_sixth() -> None:
    def mean(batch: Batch) -> Tensor:
        return torch.ones(*batch.inputs.shape[:2], 1)

    found = Adding(20).value(mean, drawn(), look=False)
    assert found == pytest.approx(WITHOUT_MEMORY, rel=0.05)


@pytest.mark.parametrize("steps", [1, 30])
def test_copy_asks_for_what_was_read_first(steps: int) -> None:
    inputs, targets, _ = CopyMemory(steps).draw(200, drawn())
    symbols = inputs.argmax(-1)
    assert inputs.shape == (steps + 20, 200, 10)
    assert torch.equal(symbols[:10], targets[-10:])
    assert (targets[:-10] == 8).all()
    assert (symbols[steps + 9] == 9).all()
    assert (symbols[10 : steps + 9] == 8).all()
    assert (symbols[steps + 10 :] == 8).all()
    assert chisquare(symbols[:10].flatten().bincount()).pvalue > 0.001


@pytest.mark.parametrize(("steps", "nats"), [(100, 0.1733), (200, 0.0945)])
def test_the_floor_of_copy_is_the_known_one(steps: int, nats: float) -> None:
    assert without_memory(steps) == pytest.approx(nats, abs=5e-5)


def test_who_knows_no_symbol_of_copy_is_at_the_floor() -> None:
    steps = 30

    def knows_where(batch: Batch) -> Tensor:
        logits = torch.full((*batch.inputs.shape[:2], 9), -50.0)
        logits[:-10, :, 8] = 50
        logits[-10:, :, :8] = 0
        return logits

    found = CopyMemory(steps).value(knows_where, drawn(), look=True)
    assert found == pytest.approx(1, abs=1e-5)


def test_who_remembers_the_symbols_of_copy_has_nothing_left() -> None:
    def remembers(batch: Batch) -> Tensor:
        return 100 * torch.nn.functional.one_hot(batch.targets, 9).float()

    assert CopyMemory(30).value(remembers, drawn(), look=True) < 1e-6


def states_of(text: str) -> list[int]:
    """Follow the grammar within a string; a symbol that it does not allow fails."""
    state, states = 0, [0]
    for symbol in text:
        state = dict(GRAMMAR[state])[symbol]
        states.append(state)
    return states


def test_reber_strings_are_of_the_grammar() -> None:
    coin, lengths = Random(0), []
    for _ in range(300):
        text, allowed = string(coin)
        assert text[0] == "B" and text[-1] == "E"
        assert text[1] == text[-2] and text[1] in "TP"
        states = states_of(text[3:-2])
        assert states[-1] == 6
        assert len(allowed) == len(text) - 1
        assert allowed[:2] == ["TP", "B"]
        for state, names in zip(states[:-1], allowed[2:], strict=False):
            assert set(names) == {symbol for symbol, _ in GRAMMAR[state]}
        assert allowed[-2:] == [text[1], "E"]
        for symbol, names in zip(text[1:], allowed, strict=True):
            assert symbol in names
        lengths.append(len(text))
    assert min(lengths) == 9
    assert max(lengths) > 20


def test_a_batch_of_reber_strings_holds_them() -> None:
    batch, allowed = EmbeddedReber().drawn(50, drawn())
    assert batch.lengths is not None
    steps = int(batch.lengths.max())
    assert batch.inputs.shape == (steps, 50, len(SYMBOLS))
    assert batch.targets.shape == (steps, 50)
    for row, length in enumerate(batch.lengths.tolist()):
        read = batch.inputs[:length, row].argmax(-1)
        assert torch.equal(read[1:], batch.targets[: length - 1, row])
        assert (batch.targets[length:, row] == -100).all()
        assert allowed[:length, row].any(-1).all()
        assert not allowed[length:, row].any()


def test_who_knows_the_grammar_is_right_and_one_doubt_is_wrong() -> None:
    _, allowed = EmbeddedReber().drawn(40, drawn())
    logits = allowed.float()
    assert right(logits, allowed).all()
    logits[3, 7] = 0.5  # all alike: no symbol more probable than another
    found = right(logits, allowed)
    assert not found[7]
    assert found.sum() == 39


def test_without_the_second_symbol_half_of_the_strings_are_right() -> None:
    problem = EmbeddedReber()

    def forgetful(batch: Batch) -> Tensor:
        """All but the side: at the last but one step always T before P."""
        assert batch.lengths is not None
        last = batch.lengths - 2
        logits = allowed_of(batch)
        logits[last, range(len(last))] = torch.eye(len(SYMBOLS))[1]
        return logits

    def allowed_of(batch: Batch) -> Tensor:
        again, allowed = problem.drawn(batch.inputs.shape[1], drawn(4))
        assert torch.equal(again.inputs, batch.inputs)
        return allowed.float()

    share = problem.value(forgetful, drawn(4), look=True)
    assert share == pytest.approx(0.5, abs=4 * math.sqrt(0.25 / 1024))


def test_a_look_ends_learning_only_if_it_is_twice_as_good() -> None:
    measure = Measure("error", 0.01)
    assert Adding(10).enough(0.005, measure)
    assert not Adding(10).enough(0.006, measure)
    assert EmbeddedReber().enough(1.0, measure)
    assert not EmbeddedReber().enough(0.999, measure)
