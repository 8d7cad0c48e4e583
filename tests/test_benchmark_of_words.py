"""`python -m benchmarks.words`: held-out stretches, equal equations, real tables."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from benchmarks.learning_words import DENSE, LAZY, WAYS, Goal, Learner, stretches
from benchmarks.passages import STEPS, Passages, one_hot
from benchmarks.words import main

TITLE = "\n\nby William Shakespeare\n\n"


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """The command sets them for the whole process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def works(words: int) -> Passages:
    """Two plays of many words, and a poem between them."""
    plays = [
        "\n".join(letter * (number % 7 + 1) for number in range(words))
        for letter in "ab"
    ]
    poem = "o Whose l'Orient 'whose\nend"
    text = f"ONE{TITLE}{plays[0]}\n[Exit.]THE SONNETS{TITLE}{poem}.TWO{TITLE}{plays[1]}"
    return Passages.of(text)


def test_passages_are_words_of_plays_and_whole_stretches_are_held_out() -> None:
    found = works(12_030)
    assert found.words.shape == (2 * 240, STEPS)
    assert found.plays.tolist() == [0] * 240 + [1] * 240
    # a to aaaaaaa, b to bbbbbbb; o, whose, l'orient and 'whose of the poem, whose last
    # line is lost to the title behind it.
    assert found.different == 14 + 4
    held_out = found.held_out.nonzero()[:, 0].tolist()
    assert held_out == [*range(100, 120), *range(340, 360)]


def test_rarer_words_share_a_row() -> None:
    found = works(1_000)
    rows, every = found.rows(5), found.rows(1_000)
    # In the order of their counts; each more frequent one has its own row.
    for number in range(4):
        (row,) = rows[found.words == number].unique()
        assert (rows == row).equal(found.words == number)
    assert len(rows[found.words >= 4].unique()) == 1
    assert len(every.unique()) == 14
    assert int(every.max()) < 1_000
    dense = one_hot(every[:3], 1_000).to_dense()
    assert dense.argmax(2).t().equal(every[:3])
    assert dense.sum(2).eq(1).all()


def test_all_ways_learn_the_same() -> None:
    passages = works(6_500)
    learners = {way: Learner(passages, 40, way) for way in WAYS}
    batches = next(stretches(passages, Goal(0.0, 1, 4)))
    for learner in learners.values():
        learner.learn(batches)
    states = {way: learner.state_dict() for way, learner in learners.items()}
    for name, value in states[DENSE].items():
        # Rounding of float32.
        torch.testing.assert_close(states[LAZY][name], value, rtol=1e-5, atol=1e-6)
    losses = [learner.judge()[0] for learner in learners.values()]
    # PyTorch's has no l1: 3e-6 a step and weight of the table.
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-3)


@pytest.mark.slow
def test_the_bundled_plays_are_measured() -> None:
    answer = CliRunner().invoke(main, ["--quick", "--loss", "99", "--json"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["plays"] == 8
    assert found["words"] > 12_000
    assert found["tables"].keys() == {"1000", str(found["words"])}
    for parts in found["tables"].values():
        apart = parts["input layer"]["seconds"], parts["update"]["seconds"]
        assert min(apart) > 0
        assert max(apart) < parts["training step"]["seconds"] * 2
    assert found["learning"].keys() == set(WAYS)
    for one in found["learning"].values():
        # Before the first step it is the logarithm of 8 plays, 2.08.
        assert one["steps"] == 10
        assert 1 < one["loss"] < 2.3
        assert one["seconds"] > 0


def test_texts_that_are_not_there_are_asked_for(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("no plays", "utf-8")
    for given in ([], [str(other)]):
        answer = CliRunner().invoke(main, given)
        assert answer.exit_code == 2
        assert "scripts/make_shakespeare.py --all" in " ".join(answer.output.split())
