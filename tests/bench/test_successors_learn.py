"""Successors learn any question, within their time, beside a recurrent network."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.data.events import events, mixed
from tests.train.conftest import SENTENCE, UNSAID
from tests.train.tables import booleans, numbers, table
from tests.train.test_tasks import EVERY
from throughtime.bench.successors import (
    NAMES,
    Trained,
    learn,
    make_successor,
    without_recurrence,
)
from throughtime.cells import GRU
from throughtime.data import Dataset, Question, Reading, SequenceDataset, load, read
from throughtime.errors import (
    ItemsForSuccessor,
    NotRecurrent,
    NumberOutOfRange,
    SuccessorDiverged,
    UnknownChoice,
    UnusedSetting,
)
from throughtime.train.asking.defaults import settle
from throughtime.train.asking.settings import Settings
from throughtime.train.interruption import Interruption
from throughtime.train.metrics import measure
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import make_task

# Room for a machine that others use, too.
LATE = 5.0


def settled(dataset: Dataset, **more: Any) -> Settings:
    return settle(dataset, {**UNSAID, "hidden_size": 8, "threads": 1, **more})


def learned(name: str, dataset: Dataset, **more: Any) -> Trained:
    settings = settled(dataset, epochs=2, **more)
    return learn(name, dataset, settings, seconds=60)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("question", EVERY)
def test_every_question_is_learned(name: str, question: str) -> None:
    dataset = EVERY[question]
    found = learned(name, dataset)
    assert found.epochs == 2
    assert np.isfinite(found.validation_loss)
    assert found.parameters == sum(w.numel() for w in found.model.parameters())
    task = make_task(dataset, settled(dataset))
    # The weights that were kept are those of the loss that is told.
    measured = measure(task, found.model, "validation")["loss"]
    assert measured == pytest.approx(found.validation_loss, rel=1e-5)
    for one in task.predict(found.model, "test"):
        assert len(one.outputs)
        assert np.isfinite(one.outputs).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "data",
    [
        "spoken-digits",
        "chorales",
        "co2",
        pytest.param("shakespeare", marks=pytest.mark.slow),
    ],
)
def test_the_same_answers_are_given_as_by_a_recurrent_network(
    name: str, data: str
) -> None:
    compare_answers(name, load(data))


@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_answered_whole(name: str, sentences: Dataset) -> None:
    compare_answers(name, sentences)


def compare_answers(name: str, dataset: Dataset) -> None:
    settings = settled(dataset)
    task = make_task(dataset, settings)
    recurrent = make_model(GRU(), dataset, settings)
    successor = make_successor(name, dataset, settings, 0.0)
    for ours, theirs in zip(
        task.predict(successor, "test"), task.predict(recurrent, "test"), strict=True
    ):
        assert ours.outputs.shape == theirs.outputs.shape
        for place in ("targets", "sequences", "steps"):
            assert np.array_equal(getattr(ours, place), getattr(theirs, place))


def copies(delay: int = 3) -> SequenceDataset:
    """Bits, and at each step the one of so many steps before."""
    draw = np.random.default_rng(0)
    matrices = []
    for _ in range(160):
        bits = draw.integers(0, 2, 12 + delay).astype(float)
        matrices.append(np.stack([bits[delay:], bits[:-delay]], 1))
        matrices[-1][:delay, 1] = np.nan
    question = Question("multilabel", "step")
    return table(matrices, question, numbers("x"), booleans("y"))


@pytest.mark.parametrize("name", NAMES)
def test_what_was_read_steps_ago_is_remembered(name: str) -> None:
    dataset = copies()
    settings = settled(dataset, hidden_size=32, epochs=50, patience=50, batch_size=16)
    found = learn(name, dataset, settings, seconds=60, learning_rate=5e-3, dropout=0.0)
    (one,) = make_task(dataset, settings).predict(found.model, "test")
    assert ((one.outputs > 0.5) == one.targets).mean() > 0.99


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(SENTENCE * 300, encoding="utf-8")
    return read(Path(path))


@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_learned_in_long_stretches(name: str, sentences: Dataset) -> None:
    settings = settled(sentences, epochs=3, hidden_size=48, batch_size=16, steps=32)
    found = learn(name, sentences, settings, seconds=60)
    task = make_task(sentences, settings)
    # Of 28 symbols, drawn alike, it would be 4.8.
    assert measure(task, found.model, "test")["bits_per_character"] < 2.5


@pytest.mark.parametrize("name", NAMES)
def test_time_is_kept_in_the_middle_of_an_epoch(name: str) -> None:
    dataset = load("spoken-digits")
    settings = settled(dataset, hidden_size=64, epochs=1000, patience=1000)
    found = learn(name, dataset, settings, seconds=3.0)
    assert 0 < found.seconds < 3.0 + LATE
    assert 0 < found.epochs < 1000
    # Three seconds may end with an epoch, one update cannot.
    none = learn(name, dataset, settings, seconds=1e-3)
    assert 0 < none.epochs < 0.1


def test_the_same_seed_gives_the_same_weights_and_the_caller_keeps_its_own() -> None:
    dataset = EVERY["classify per sequence"]
    before = torch.get_rng_state()
    first, again = (learned("tcn", dataset, seed=3) for _ in range(2))
    other = learn("tcn", dataset, settled(dataset, epochs=2), seconds=60, seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    ours, same, others = (
        torch.cat([one.flatten() for one in found.model.parameters()])
        for found in (first, again, other)
    )
    assert not torch.equal(ours, others)
    # Their step widths follow the clock.
    assert torch.allclose(ours, same, rtol=0, atol=0.1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", ["spoken-digits", "shakespeare"])
def test_it_has_about_as_many_weights_as_an_lstm(name: str, data: str) -> None:
    dataset = load(data)
    settings = settle(dataset, UNSAID)
    model = make_successor(name, dataset, settings, 0.1)
    size = model.columns.size
    lstm = torch.nn.LSTM(size, settings.hidden_size)
    ours, theirs = (
        sum(one.numel() for one in module.parameters())
        for module in (model.network, lstm)  # type: ignore[attr-defined]
    )
    assert 0.7 * theirs < ours <= theirs


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("bidirectional", True),
        ("zoneout", 0.1),
        ("optimizer", "sgd"),
        ("tbptt", "4"),
        ("average", "ema"),
    ],
)
def test_what_only_a_recurrent_network_has_is_refused_or_left_out(
    argument: str, given: Any
) -> None:
    dataset = EVERY["classify per step"]
    settings = settled(dataset, epochs=1, **{argument: given})
    with pytest.raises(UnusedSetting, match=f"^{argument}="):
        learn("tcn", dataset, settings, seconds=60)
    assert learn("tcn", dataset, without_recurrence(settings), seconds=60).epochs == 1


def test_a_truncation_becomes_the_steps_between_updates(sentences: Dataset) -> None:
    settings = settled(sentences, tbptt="8:16")
    assert without_recurrence(settings).steps == 8
    plain = settled(sentences)
    assert without_recurrence(plain) == plain


def test_what_cannot_be_is_refused() -> None:
    dataset = EVERY["classify per step"]
    settings = settled(dataset)
    with pytest.raises(UnknownChoice, match=r"^name='tnc'.*'tcn'"):
        learn("tnc", dataset, settings, seconds=1)
    for argument, given in [("seconds", 0), ("dropout", 1.0), ("learning_rate", -1)]:
        said: dict[str, Any] = {"seconds": 1, argument: given}
        with pytest.raises(NumberOutOfRange, match=f"^{argument}="):
            learn("tcn", dataset, settings, **said)


def test_steps_that_name_items_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    mixed(events()).write_csv(path)
    columns = {"sequence": "who", "time": "when", "items": "what:how"}
    dataset = read(path, Reading(**columns, target="label"))
    with pytest.raises(ItemsForSuccessor, match=r"events.*items"):
        learn("tcn", dataset, settled(dataset), seconds=1)


def test_a_training_that_diverges_says_where() -> None:
    dataset = EVERY["regress per step"]
    settings = replace(settled(dataset), clip=0.0)
    with pytest.raises(SuccessorDiverged, match=r"at update .* below 1e"):
        learn("tcn", dataset, settings, seconds=60, learning_rate=1e30)


def test_who_needs_equations_is_told_that_there_are_none() -> None:
    dataset = EVERY["classify per step"]
    model = make_successor("tcn", dataset, settled(dataset), 0.0)
    with pytest.raises(NotRecurrent, match="TemporalConvolution"):
        model.stream()


@pytest.mark.parametrize("name", NAMES)
def test_ctrl_c_ends_it_soon_with_its_best_weights(name: str) -> None:
    asked = Interruption()
    dataset = copies()
    settings = settled(dataset, epochs=10_000, patience=10_000)
    timer = threading.Timer(0.5, setattr, (asked, "wanted", True))
    timer.start()
    found = learn(name, dataset, settings, seconds=300, interruption=asked)
    assert found.stopped == "interrupted" and found.seconds < LATE
    measured = measure(make_task(dataset, settings), found.model, "validation")["loss"]
    assert measured == pytest.approx(found.validation_loss, rel=1e-5)


@pytest.mark.parametrize(
    ("seconds", "epochs", "stopped"), [(0.2, 10_000, "time"), (60, 1, "epochs")]
)
def test_it_says_what_ended_it(seconds: float, epochs: int, stopped: str) -> None:
    dataset = copies()
    settings = settled(dataset, epochs=epochs, patience=10_000)
    assert learn("tcn", dataset, settings, seconds=seconds).stopped == stopped
