"""Truncated backpropagation in a training: what is read, what counts, what is cut."""

from dataclasses import replace
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import throughtime as tt
from tests.train.conftest import SENTENCE
from tests.train.cutting import CutOff, take_up
from tests.train.tables import drawn, numbers, table
from tests.train.test_guards import timed
from tests.train.test_resuming import Make, of, same, told
from tests.train.test_tasks import EVERY as QUESTIONS
from tests.train.test_tasks import EXACT
from throughtime.bench import delayed_recall
from throughtime.cells import GRU, LSTM, Zoneout
from throughtime.cli import main
from throughtime.data import (
    Column,
    FramesInMemory,
    Question,
    SequenceDataset,
    text_dataset,
)
from throughtime.data.types import FloatArray
from throughtime.errors import (
    BadTruncation,
    SettingError,
    ThroughtimeError,
    TruncatedTwice,
    UnusedSetting,
)
from throughtime.graph import Value
from throughtime.math import tanh
from throughtime.train import fit
from throughtime.train.asking.defaults import settle
from throughtime.train.asking.settings import Settings
from throughtime.train.learning.checkpoints import read_checkpoint
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import Answers, OfSequences, make_task
from throughtime.train.tasks.stretches import Layout, Piece
from throughtime.train.tasks.truncated import Truncated

EVERY = {name: one for name, one in QUESTIONS.items() if one.question.per == "step"}
GIVEN: dict[str, Any] = {
    **{
        name: argument.default
        for name, argument in signature(fit).parameters.items()
        if argument.default is not argument.empty
    },
    "backend": "reference",
    "dtype": "float64",
    "hidden_size": 4,
}
RULES = ("4", "3:8", "1:5", "random:3", "auto")


class Timed(tt.Cell):
    """A further input, and a learned initial state."""

    weight = tt.Parameter("hidden", "input")
    gap = tt.Input(2)
    clock = tt.Parameter("hidden", 2)
    h = tt.State("hidden", init="learned")

    def step(self, x: Value, h: Value, gap: Value) -> Value:
        return tanh(self.weight @ x + self.clock @ gap + h)


def gappy(dataset: SequenceDataset, missing: Any = "forward") -> SequenceDataset:
    """With gaps in features, and an input that has them, too."""
    draw = np.random.default_rng(5)
    frames = [one.copy() for one in matrices(dataset)]
    for frame in frames:
        frame[draw.random(len(frame)) < 0.4, 0] = np.nan
    return replace(dataset, frames=FramesInMemory(frames), missing=missing)


def matrices(dataset: SequenceDataset) -> list[FloatArray]:
    lengths = dataset.frames.lengths.tolist()
    return [dataset.frames.read(k, 0, n) for k, n in enumerate(lengths)]


def with_context(dataset: SequenceDataset) -> SequenceDataset:
    """Of each training sequence the first steps are context, of one all."""
    train = dataset.splits["train"].copy()
    train[:, 3] = np.minimum(train[:, 2], 2)
    return replace(dataset, splits={**dataset.splits, "train": train})


def fed() -> SequenceDataset:
    return gappy(timed("a", "x"))


DATA: dict[str, SequenceDataset] = {
    **EVERY,
    **{f"gappy {name}": gappy(one) for name, one in EVERY.items()},
    "gaps as means": gappy(EVERY["forecast of changes"], "mean"),
    "context": with_context(gappy(EVERY["forecast of seasons"])),
    "an input": fed(),
    "weights": replace(fed(), weights=np.arange(24) / 7),
}


def made(
    dataset: SequenceDataset, **more: Any
) -> tuple[Model, OfSequences, Truncated, Settings]:
    settings = settle(dataset, {**GIVEN, "batch_size": 3, **more})
    torch.manual_seed(0)
    cell = Timed() if dataset.schema.inputs else LSTM()
    model, task = make_model(cell, dataset, settings), make_task(dataset, settings)
    assert isinstance(task, OfSequences)
    training = task.training(model, torch.Generator().manual_seed(0))
    assert isinstance(training, Truncated)
    return model, task, training, settings


def summed(model: Model, answers: Any) -> tuple[Any, Answers]:
    """Gradients of all losses added up, and counts of all."""
    parameters = [one for one in model.parameters() if one.requires_grad]
    total = [torch.zeros_like(one) for one in parameters]
    loss, counts, steps, sequences = 0.0, 0, 0, 0
    for one in answers:
        found = torch.autograd.grad(one.losses.sum(), parameters, allow_unused=True)
        for own, slope in zip(total, found, strict=True):
            own += 0 if slope is None else slope
        loss, counts = loss + one.losses.sum().item(), counts + int(one.counts.sum())
        steps, sequences = steps + one.steps, sequences + one.sequences
    return (loss, *total), (counts, steps, sequences)  # type: ignore[return-value]


@pytest.mark.parametrize("name", DATA)
def test_as_far_back_as_sequences_are_long_it_is_learning_them_whole(name: str) -> None:
    """Weights frozen, every answer once: ragged, gaps, changes, context, inputs."""
    options: dict[str, Any] = {}
    if DATA[name].question.task == "classify":
        options = {"class_weights": {"ant": 3.0, "red": 0.5}}
    model, task, training, _ = made(DATA[name], tbptt="2:40", **options)
    expected, counts = summed(model, task.evaluate(model, "train"))
    for _ in range(2):  # passes, each in another order
        found, others = summed(model, training)
        assert others == counts
        for own, slope in zip(found, expected, strict=True):
            torch.testing.assert_close(own, slope, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_every_answer_counts_once_in_a_pass(rule: str) -> None:
    model, task, training, _ = made(DATA["context"], tbptt=rule)
    _, expected = summed(model, task.evaluate(model, "train"))
    for _ in range(3):
        assert summed(model, training)[1] == expected
    updates = sum(answers.updates for answers in training)
    assert updates == pytest.approx(task.batches(), abs=3)


@given(st.sampled_from(sorted(DATA)), st.lists(st.integers(0, 12), max_size=4))
def test_stretches_of_a_piece_are_the_piece(name: str, cuts: list[int]) -> None:
    """Read from its first step to its last, or taken up in the middle."""
    dataset = DATA[name]
    model, *_ = made(dataset, tbptt="3")
    for row in dataset.splits["train"].tolist()[:4]:
        length = row[2] - row[1]
        edges = [0, *sorted(min(cut, length) for cut in cuts), length]
        layout = Layout(dataset, model)
        whole = Piece(layout, row)[:].nan_to_num(9.9)
        begun = Piece(layout, row)
        for first, last in pairwise(edges):
            for piece in (begun, Piece(layout, row)):
                part = piece[first:last].nan_to_num(9.9)
                assert torch.equal(part, whole[first:last])


class Watched(FramesInMemory):
    """Remembers how much was read at once."""

    most = 0

    def read(self, sequence: int, start: int, stop: int) -> FloatArray:
        self.most = max(self.most, stop - start)
        return super().read(sequence, start, stop)


@pytest.mark.parametrize("name", ["gappy forecast of seasons", "regress per step"])
def test_no_more_of_a_sequence_than_a_stretch_is_read_at_once(name: str) -> None:
    long = DATA[name]
    frames = Watched([np.resize(one, (200, one.shape[1])) for one in matrices(long)])
    train = long.splits["train"].copy()
    train[:, 2] = 200
    splits = {**long.splits, "train": train}
    long = replace(long, frames=frames, splits=splits)
    _, _, training, _ = made(long, tbptt="5:9")
    frames.most = 0
    assert sum(answers.steps for answers in training) == 200 * len(train)
    assert frames.most <= 5 + long.question.horizon


class Begun(tt.Cell):
    """A learned initial state, from which every stream begins."""

    weight = tt.Parameter("hidden", "input")
    h = tt.State("hidden", init="learned")

    def step(self, x: Value, h: Value) -> Value:
        return tanh(self.weight @ x + h)


@pytest.mark.parametrize("cell", [LSTM(), Begun()], ids=repr)
def test_of_a_text_k_is_steps_k_to_the_bit(cell: tt.Cell, tmp_path: Path) -> None:
    path = tmp_path / "fox.txt"
    path.write_text(SENTENCE * 40)
    options: dict[str, Any] = {"hidden_size": 6, "epochs": 2, "batch_size": 3}
    options |= {"threads": 1, "num_layers": 2}
    runs = [
        fit(cell, path, out=tmp_path / name, **{name: 17}, **options)
        for name in ("steps", "tbptt")
    ]
    assert told(runs[0].metrics) == told(runs[1].metrics)
    files = [(run.path / "model.safetensors").read_bytes() for run in runs]
    assert files[0] == files[1]
    said = [(run.path / "config.toml").read_text() for run in runs]
    assert 'tbptt = "17"' in said[1]
    assert "\nsteps = " not in said[1]
    assert "\ntbptt = " not in said[0]


TEXT = text_dataset(SENTENCE * 4, "text")
CASES: dict[str, Make] = {
    f"{kind}, {rule}": of(
        Timed() if kind == "an input" else LSTM(),
        TEXT if kind == "a text" else DATA[kind],
        tbptt=rule,
        hidden_size=3,
        batch_size=3,
    )
    for kind in ("a text", "context", "an input")
    for rule in ("7", "5:12", "random:6", "auto")
}
CASES["masks, several windows to an update, a mean of the weights"] = of(
    Zoneout(LSTM(), h=0.3, c=0.3),
    TEXT,
    **{"tbptt": "5:12", "hidden_size": 3, "batch_size": 3, "accumulate": 3},
    average="ema",
)


@pytest.mark.parametrize("name", CASES)
def test_cut_off_after_any_update_it_ends_with_equal_bits(
    name: str, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    whole = CASES[name](tmp_path / "whole", None)
    outcome = whole.run()
    first, second = (int(row["updates"]) for row in outcome.rows)
    # In an epoch, where windows are flushed at its end, and where the next one begins.
    cuts = {first // 2, first - 1, first, first + second // 2, first + second - 1}
    for cut in sorted(cuts - {0}):
        folder = tmp_path / f"cut after {cut}"
        with pytest.raises(CutOff):
            CASES[name](folder, cut).run()
        again = CASES[name](folder, None)
        take_up(again)
        assert told(again.run().rows) == told(outcome.rows)
        best = (folder / "model.safetensors").read_bytes()
        assert best == (tmp_path / "whole" / "model.safetensors").read_bytes()
        for part in ("updates", "training"):
            assert same(again.state_dict()[part], whole.state_dict()[part])


def test_a_random_truncation_divides_by_what_windows_have_in_the_mean() -> None:
    _, _, training, _ = made(EVERY["regress per step"], tbptt="random:3")
    for answers in training:
        torch.testing.assert_close(answers.loss(), answers.losses.sum() / 9, **EXACT)
    assert training.truncation.every == 1  # type: ignore[attr-defined]
    _, _, longer, _ = made(EVERY["regress per step"], tbptt="random:45.5")
    assert longer.truncation.every == 4  # type: ignore[attr-defined]


def test_what_suits_the_data_where_a_stream_is_learned() -> None:
    given = {**GIVEN, "tbptt": 20}
    text = settle(text_dataset(SENTENCE * 1000, "t"), given)
    assert (text.tbptt, text.steps, text.batch_size) == ("20", None, 32)
    chrono = {**given, "tbptt": "5:20", "init": "chrono"}
    assert settle(text_dataset(SENTENCE, "t"), chrono).chrono_steps == 20
    series = [np.zeros((1000, 1))] * 6
    question = Question("forecast", "step", 1, 1)
    long = table(series, question, [Column("x")])
    settings = settle(long, given)
    assert (settings.steps, settings.batch_size) == (None, 3)
    assert settle(long, {**given, "tbptt": "500"}).batch_size == 1
    assert settle(long, {**given, "batch_size": 7}).batch_size == 7
    assert Settings.from_json(settings.to_json()) == settings
    for rule, steps in {
        "20:35": 35,
        "random:40": 1000,
        "auto": 100,
        "5:2000": 1000,
    }.items():
        asked = {**given, "tbptt": rule, "init": "chrono"}
        assert settle(long, asked).chrono_steps == steps


class Feedforward(tt.Cell):
    weight = tt.Parameter("hidden", "input")

    def step(self, x: Value) -> Value:
        return tanh(self.weight @ x)


REFUSED: list[tuple[dict[str, Any], type[ThroughtimeError], str]] = [
    ({"tbptt": "5:9", "steps": 7}, TruncatedTwice, "steps=7 and tbptt='5:9' both say"),
    ({"tbptt": "4", "bidirectional": True}, UnusedSetting, "bidirectional network"),
    ({"tbptt": "5:4"}, BadTruncation, "k2=4, expected a whole number of at least 5"),
    ({"tbptt": 0}, BadTruncation, "k1=0, expected a whole number of at least 1"),
    ({"tbptt": "random:1"}, BadTruncation, r"mean_length=1\.0, expected more than"),
    (
        {"tbptt": "far"},
        BadTruncation,
        "tbptt='far', expected 'K1:K2', 'K', 'random:L0'",
    ),
    ({"tbptt": 3.5}, BadTruncation, r"tbptt=3\.5, expected"),
    ({"tbptt": True}, BadTruncation, "tbptt=True, expected"),
]


@pytest.mark.parametrize(("options", "error", "words"), REFUSED)
def test_what_cannot_be_truncated_is_refused(
    options: dict[str, Any], error: type[ThroughtimeError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        fit(GRU(), EVERY["regress per step"], out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_where_nothing_is_carried_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"tbptt='4', .* one answer per sequence"):
        fit(GRU(), QUESTIONS["regress per sequence"], out=tmp_path / "a", tbptt=4)
    with pytest.raises(UnusedSetting, match=r"tbptt='4', .* Feedforward, which has no"):
        fit(Feedforward(), EVERY["regress per step"], out=tmp_path / "a", tbptt=4)
    assert not (tmp_path / "a").exists()


def recall(lag: int) -> SequenceDataset:
    """Delayed recall, with a class that is known at the steps that are asked."""
    chunk = delayed_recall.rows(lag, 60, 300, seed=1)
    assert chunk.targets is not None
    values = torch.cat([chunk.inputs, chunk.targets[..., None]], -1).double()
    values[values == -100] = torch.nan
    answer = Column("answer", "category", ("-", "+"))
    question = Question("classify", "step")
    sequences = list(values.unbind(1))
    matrices = [one.numpy() for one in sequences]
    return table(matrices, question, numbers("bit", "marked", "asked"), [answer])


def test_what_auto_has_chosen_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text(SENTENCE * 25)
    run = fit(
        GRU(),
        tmp_path / "text.txt",
        out=tmp_path / "run",
        tbptt="auto",
        hidden_size=4,
        epochs=1,
        threads=1,
        quiet=False,
    )
    path = run.path / "checkpoint.pt"
    k = read_checkpoint(path)["loop"]["training"]["truncation"]["k"]
    assert run.metrics[-1]["tbptt"] == f"{k}:{2 * k - 1}"
    assert f"  tbptt {k}:{2 * k - 1}" in capsys.readouterr().err
    said = CliRunner().invoke(main, ["inspect", str(run.path)]).stdout
    assert f"{k}:{2 * k - 1} as auto chose it last" in said


@pytest.mark.parametrize(("rule", "learned"), [("2:5", False), ("2:9", True)])
def test_what_lies_further_back_than_a_window_is_not_learned(
    rule: str, learned: bool, tmp_path: Path
) -> None:
    """With K2 = K + K1 − 1 = 8 + 2 − 1 every loss has the eight steps of the lag."""
    run = fit(
        LSTM(),
        recall(8),
        out=tmp_path / "run",
        tbptt=rule,
        hidden_size=16,
        batch_size=50,
        epochs=3,
        learning_rate=0.02,
        threads=1,
    )
    accuracy = run.evaluate("test")["accuracy"]
    assert accuracy == 1.0 if learned else accuracy < 0.65


def test_sequences_of_no_step_and_rows_without_a_sequence(tmp_path: Path) -> None:
    frames = [*drawn(9, 2), np.zeros((0, 2)), *drawn(4, 2, seed=3)]
    dataset = table(frames, Question("regress", "step"), numbers("x"), numbers("y"))
    dataset.splits["train"][2, 2] = 0
    run = fit(
        GRU(),
        dataset,
        out=tmp_path / "run",
        tbptt="3:5",
        batch_size=50,
        hidden_size=3,
        epochs=2,
        threads=1,
    )
    assert np.isfinite(run.evaluate()["loss"])


def test_a_model_that_followed_a_stream_answers_new_rows(tmp_path: Path) -> None:
    data = EVERY["classify per step"]
    small = {"hidden_size": 3, "epochs": 1, "threads": 1, "out": tmp_path / "run"}
    run = tt.fit(tt.cells.GRU(), data, tbptt="3:5", **small)
    none, everything = data.splits["train"][:0], data.splits["test"]
    parts = {"train": none, "validation": none, "test": everything}
    new = replace(data, splits=parts)
    answers = make_task(new, run.settings).predict(run.model, "test")
    same = run.answers("test")
    assert len(answers) == len(same) == 2
    for one, other in zip(answers, same, strict=True):
        assert np.array_equal(one.outputs, other.outputs)
