"""What must not leak, and what must not matter."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import roc_auc_score

import throughtime as tt
from tests.train.tables import drawn, numbers, table
from tests.train.test_tasks import ANIMALS, EVERY
from throughtime.cells import GRU
from throughtime.data import Column, FramesInMemory, Question, SequenceDataset
from throughtime.data.frames import StoredFrames
from throughtime.data.store import FileStore
from throughtime.errors import (
    CellInputMismatch,
    CellNeedsInput,
    DataOfMemory,
    InputWithoutCell,
    LooksAhead,
    ThroughtimeError,
    UnfitTarget,
    UnknownChoice,
    UnusedSetting,
)
from throughtime.math import tanh
from throughtime.train import Run, fit, open_run

QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 2, "threads": 1, "batch_size": 3}


def matrices(dataset: SequenceDataset) -> list[np.ndarray]:
    lengths = dataset.frames.lengths.tolist()
    return [dataset.frames.read(k, 0, n).copy() for k, n in enumerate(lengths)]


def weights(dataset: SequenceDataset, out: Path, **options: Any) -> bytes:
    fit(GRU(), dataset, out=out, **{**QUICK, **options})
    return (out / "model.safetensors").read_bytes()


def gappy(name: str) -> SequenceDataset:
    """The data set of a question, with gaps in some features."""
    dataset = EVERY[name]
    changed = matrices(dataset)
    draw = np.random.default_rng(5)
    for matrix in changed:
        matrix[draw.random(len(matrix)) < 0.2, 0] = np.nan
    return replace(dataset, frames=FramesInMemory(changed))


LEARNED = ["classify per sequence", "multilabel", "regress per step", "next symbol"]
LEARNED += ["forecast of changes"]


@pytest.mark.parametrize("name", LEARNED)
def test_nothing_of_the_test_part_reaches_the_weights(
    name: str, tmp_path: Path
) -> None:
    dataset = gappy(name)
    options: dict[str, Any] = {"missing": "forward"}
    first = weights(dataset, tmp_path / "first", **options)
    test = dataset.splits["test"][:, 0]
    features = dataset.schema.places(dataset.schema.features)
    whole = matrices(dataset)

    def changed(change: Any) -> SequenceDataset:
        frames = [one.copy() for one in whole]
        for sequence in test:
            frames[sequence] = change(frames[sequence])
        return replace(dataset, frames=FramesInMemory(frames))

    def broken(frame: np.ndarray) -> np.ndarray:
        frame[:, features] = np.nan
        return frame

    def scaled(frame: np.ndarray) -> np.ndarray:
        numbers = [k for k in features if dataset.schema.columns[k].kind == "number"]
        frame[:, numbers] *= 1e6
        return frame

    ways: list[Any] = [lambda frame: frame[::-1], scaled, broken]
    for number, change in enumerate(ways):
        again = weights(changed(change), tmp_path / str(number), **options)
        assert again == first


@pytest.mark.parametrize("name", ["classify per step", "forecast of seasons"])
def test_where_the_numbers_lie_changes_no_bit(name: str, tmp_path: Path) -> None:
    dataset = gappy(name)
    whole = matrices(dataset)
    rows = np.concatenate(whole)
    store = FileStore(*rows.shape, rows.dtype)
    store.write(0, rows)
    spooled = replace(
        dataset, frames=StoredFrames(store, np.array([len(one) for one in whole]))
    )
    options: dict[str, Any] = {"missing": "mean", "steps": 5}
    first = weights(dataset, tmp_path / "memory", **options)
    assert weights(spooled, tmp_path / "file", **options) == first
    # A run takes the same data from either place.
    opened = open_run(tmp_path / "memory", data=spooled)
    assert opened.evaluate() == open_run(tmp_path / "file", data=dataset).evaluate()


def test_frames_and_arrays_are_the_same_data(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    arrays = [draw.normal(size=(int(n), 2)) for n in draw.integers(2, 9, 40)]
    targets = [["calm", "wild"][int(one[0, 0] > 0)] for one in arrays]
    frame = pl.DataFrame(
        {
            "sequence": np.repeat(np.arange(40), [len(one) for one in arrays]),
            "x0": np.concatenate([one[:, 0] for one in arrays]),
            "x1": np.concatenate([one[:, 1] for one in arrays]),
            "target": np.repeat(targets, [len(one) for one in arrays]),
        }
    )
    said: dict[str, Any] = {"sequence": "sequence", "target": "target"}
    runs: list[Run] = [
        fit(GRU(), frame, out=tmp_path / "frame", **said, **QUICK),
        fit(GRU(), frame.lazy(), out=tmp_path / "lazy", **said, **QUICK),
        fit(GRU(), frame[::-1].reverse(), out=tmp_path / "turned", **said, **QUICK),
        fit(GRU(), arrays, target=targets, out=tmp_path / "arrays", **QUICK),
    ]
    files = [(run.path / "model.safetensors").read_bytes() for run in runs]
    assert len(set(files)) == 1
    assert runs[0].model.labels == ("calm", "wild")
    with pytest.raises(DataOfMemory, match="were given in memory"):
        open_run(tmp_path / "frame").evaluate()
    again = open_run(tmp_path / "frame", data=frame)
    assert again.evaluate() == runs[0].evaluate()
    # Arrays are read with their targets, which are no part of a run.
    arrays_again = open_run(tmp_path / "arrays", data=runs[3].dataset)
    assert arrays_again.evaluate() == runs[3].evaluate()


class Timed(tt.Cell):
    weight = tt.Parameter("hidden", "input")
    gap = tt.Input(2)
    clock = tt.Parameter("hidden", 2)
    h = tt.State("hidden")

    def step(self, x: Any, h: Any, gap: Any) -> Any:
        return tanh(self.weight @ x + self.clock @ gap + h)


def timed(*names: str) -> SequenceDataset:
    frames = drawn(24, 3)
    question = Question("regress", "step")
    columns = numbers(*names)
    return table(frames, question, numbers("x"), numbers("y"), {"gap": columns})


def test_further_inputs_are_read_from_their_columns(tmp_path: Path) -> None:
    dataset = timed("a", "y")  # a column may be several things
    run = fit(Timed(), dataset, out=tmp_path / "run", num_layers=2, **QUICK)
    frames = np.concatenate(list(dataset.read("train")))
    frame = dataset.read("test")[0]
    x, gap = (torch.from_numpy(frame[:, None, places]) for places in ([0], [1, 2]))
    known = torch.from_numpy(frames[:, 1:])
    scaled = (gap - known.mean(0)) / known.std(0, correction=0)
    read = run.model.read(x, gap=gap)[1]["gap"]
    torch.testing.assert_close(read, scaled.float())
    loaded = tt.load(tmp_path / "run")
    assert torch.equal(loaded(x, gap=gap)[0], run.model(x, gap=gap)[0])
    assert open_run(tmp_path / "run", data=dataset).evaluate() == run.evaluate()


def test_inputs_that_are_not_those_of_the_cell_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(CellNeedsInput, match="Input 'gap', expected a column"):
        fit(Timed(), EVERY["regress per step"], out=out, **QUICK)
    with pytest.raises(CellInputMismatch, match="'gap' of Timed 1 numbers"):
        fit(Timed(), timed("a"), out=out, **QUICK)
    with pytest.raises(InputWithoutCell, match="Input of GRU"):
        fit(GRU(), timed("a", "y"), out=out, **QUICK)
    assert not out.exists()


REFUSED: list[tuple[str, dict[str, Any], type[ThroughtimeError], str]] = [
    ("regress per step", {"pool": "mean"}, UnusedSetting, "pool='mean', expected none"),
    ("next symbol", {"target_replication": 0.5}, UnusedSetting, "one answer per step"),
    ("classify per sequence", {"steps": 9}, UnusedSetting, "steps=9, expected none"),
    (
        "classify per sequence",
        {"pool": "max", "target_replication": 0.5},
        UnusedSetting,
        "max over all steps",
    ),
    ("multilabel", {"embedding": 3}, UnusedSetting, "no category among its features"),
    ("regress per step", {"class_weights": "balanced"}, UnusedSetting, "no classes"),
    ("multilabel", {"dropout": 0.5}, UnusedSetting, "a single layer"),
    ("multilabel", {"class_weights": {"c": 1}}, UnknownChoice, "weights='c' is.*a, b"),
    ("next labels", {"bidirectional": True}, LooksAhead, "leave bidirectional out"),
    ("next labels", {"horizon": 3}, UnusedSetting, "horizon=3, expected none"),
    ("multilabel", {"pool": "least"}, ThroughtimeError, "pool='least' is not known"),
    ("multilabel", {"target_replication": 2.0}, ThroughtimeError, "from 0 to 1"),
    ("multilabel", {"class_weights": "even"}, ThroughtimeError, "class_weights='even'"),
    ("multilabel", {"checkpoint": "now"}, ThroughtimeError, "checkpoint"),
    ("multilabel", {"heads": 3}, ThroughtimeError, "heads"),
]


@pytest.mark.parametrize(("name", "options", "error", "words"), REFUSED)
def test_what_has_nothing_to_act_on_is_refused(
    name: str,
    options: dict[str, Any],
    error: type[ThroughtimeError],
    words: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=words):
        fit(GRU(), EVERY[name], out=tmp_path / "run", **{**QUICK, **options})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("question", "target"),
    [
        (Question("classify", "step"), Column("a")),
        (Question("regress", "step"), ANIMALS),
        (Question("multilabel", "step"), Column("a")),
        (Question("next", "step"), Column("a")),
        (Question("forecast", "step"), Column("a")),
        (Question("forecast", "sequence"), Column("x")),
    ],
)
def test_a_question_that_does_not_fit_its_columns_is_refused(
    question: Question, target: Column, tmp_path: Path
) -> None:
    dataset = table(drawn(8, 2), question, numbers("x"), [target])
    with pytest.raises(UnfitTarget, match=f"task='{question.task}' is asked of"):
        fit(GRU(), dataset, out=tmp_path / "run", **QUICK)


def test_pooling_replication_and_weights_are_obeyed(tmp_path: Path) -> None:
    dataset = EVERY["classify per sequence"]
    plain = weights(dataset, tmp_path / "plain")
    ways: list[dict[str, Any]] = [
        {"pool": "max"},
        {"target_replication": 0.5},
        {"class_weights": "balanced"},
        {"class_weights": {"ant": 2.0}},
    ]
    found = [
        weights(dataset, tmp_path / str(number), **way)
        for number, way in enumerate(ways)
    ]
    assert len({plain, *found}) == 5
    assert open_run(tmp_path / "0", data=dataset).model.pooling == "max"
    for number in range(4):
        run = open_run(tmp_path / str(number), data=dataset)
        rows = [row["validation_loss"] for row in run.metrics]
        assert run.evaluate("validation")["loss"] == pytest.approx(min(rows), rel=1e-6)


def test_the_network_is_built_and_stored_as_was_asked(tmp_path: Path) -> None:
    dataset = EVERY["multilabel"]
    network: dict[str, Any] = {"num_layers": 2, "heads": 2, "residual": True}
    options: dict[str, Any] = {**network, "dropout": 0.3, "checkpoint": "sqrt"}
    run = fit(GRU(), dataset, out=tmp_path / "run", **options, **QUICK)
    made = run.model.network
    assert (made.num_layers, made.residual, made.dropout) == (2, True, 0.3)
    assert run.settings.checkpoint == "sqrt"
    plain = weights(dataset, tmp_path / "plain", **network)
    assert plain != (tmp_path / "run" / "model.safetensors").read_bytes()
    x = torch.randn(5, 2, 2)
    assert torch.equal(tt.load(tmp_path / "run")(x)[0], run.model(x)[0])
    # Of two heads, each sees half of the units.
    assert made.weight_hh_l0.shape[-1] == QUICK["hidden_size"] // 2


def test_a_label_that_is_always_alike_has_no_auroc(tmp_path: Path) -> None:
    dataset = EVERY["multilabel"]
    whole = matrices(dataset)
    for sequence in dataset.splits["validation"][:, 0]:
        whole[sequence][:, 2:] = 1.0
    dataset = replace(dataset, frames=FramesInMemory(whole))
    run = fit(GRU(), dataset, out=tmp_path / "run", **QUICK)
    assert np.isnan(run.evaluate("validation")["auroc_micro"])
    assert 0 <= run.evaluate("test")["auroc_micro"] <= 1
    answers = run.predicted("test")
    labels, scores = answers.targets.ravel(), answers.outputs.ravel()
    expected = roc_auc_score(labels, scores)
    assert run.evaluate()["auroc_micro"] == pytest.approx(expected, abs=1e-12)


def test_several_targets_of_classes_are_answered_each(tmp_path: Path) -> None:
    run = fit(GRU(), EVERY["classify per step"], out=tmp_path / "run", **QUICK)
    animals, colours = run.predicted("test", "animal"), run.predicted("test", "colour")
    assert animals.outputs.shape[1] == 3
    assert colours.outputs.shape[1] == 2
    right = [(one.outputs.argmax(1) == one.targets).sum() for one in (animals, colours)]
    count = len(animals.targets) + len(colours.targets)
    assert run.evaluate()["accuracy"] == pytest.approx(sum(right) / count, rel=1e-12)
    assert run.model.labels[0] == "animal=ant"
    assert np.array_equal(run.predicted().outputs, animals.outputs)
    with pytest.raises(ThroughtimeError, match="target='tree'"):
        run.predicted("test", "tree")
