"""A saved model: the same answers in any process, and no trust in damaged files."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

import throughtime as tt
from tests.train.conftest import SENTENCE, make_sequences
from tests.train.tables import booleans, numbers, table
from throughtime.cells import LSTM, Elman
from throughtime.cli import main
from throughtime.data import Question, text_dataset
from throughtime.errors import (
    BackendCannotServe,
    DamagedModel,
    DamagedWeights,
    DataChanged,
    DataMoved,
    DeviceMissing,
    RunError,
    ThroughtimeError,
    UnknownBackend,
    UnknownChoice,
)
from throughtime.train import Run, fit, open_run
from throughtime.train.asking.sources import checksum
from throughtime.train.files.describing import build, describe
from throughtime.train.model import Model

CELL = '''
from throughtime import Cell, Parameter, State
from throughtime.math import sigmoid, tanh


class MinimalGatedUnit(Cell):
    """One gate (Zhou et al. 2016)."""

    weight = Parameter("2*hidden", "input")
    recurrent_f = Parameter("hidden", "hidden")
    recurrent_h = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x, h):
        from throughtime.math import split
        f, c = split(self.weight @ x, 2)
        f = sigmoid(f + self.recurrent_f @ h)
        return (1 - f) * h + f * tanh(c + self.recurrent_h @ (f * h))
'''


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("run")
    return fit(LSTM(), make_sequences(), hidden_size=4, epochs=1, threads=1, out=out)


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    """A copy of the run's folder that may be damaged."""
    for file in run.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_residual_layers_stay_residual(run: Run) -> None:
    old = run.model
    network = tt.nn.Recurrent(LSTM(), 2, 4, num_layers=2, residual=True)
    parts = (old.schema, old.question, old.reader, {}, network, old.head)
    model = Model(*parts, old.output, old.pooling)
    described = json.loads(json.dumps(describe(model)))
    again = build(described, "auto", "cpu")
    assert again.network.residual
    again.load_state_dict(model.state_dict())
    x = torch.randn(6, 3, 2)
    assert torch.equal(again(x)[0], model(x)[0])
    with pytest.raises(ValueError, match="residual"):
        build(described | {"residual": 1}, "auto", "cpu")


def test_a_loaded_model_answers_as_the_trained_one(run: Run) -> None:
    x, lengths = torch.randn(6, 3, 2), torch.tensor([6, 1, 4])
    trained, _ = run.model(x, lengths=lengths)
    loaded = tt.load(run.path)
    assert not loaded.training
    assert loaded.labels == ("below", "above")
    assert torch.equal(loaded(x, lengths=lengths)[0], trained)
    torch.testing.assert_close(trained.sum(-1), torch.ones(3))
    assert open_run(run.path).metrics == run.metrics
    assert open_run(run.path).best_epoch == run.best_epoch


def test_it_takes_raw_features_and_scales_them_as_training_did(run: Run) -> None:
    data = make_sequences()
    frames = torch.cat([torch.from_numpy(s) for s in data.part("train")]).double()
    x = torch.randn(4, 2, 2) * 5
    scaled = (x.double() - frames.mean(0)) / frames.std(0, correction=0)
    torch.testing.assert_close(run.model.reader(x, torch.float32), scaled.float())


def test_a_cell_from_a_file_loads_where_the_file_is_gone(tmp_path: Path) -> None:
    # Trained in one process that sees the file, loaded in another that does not.
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "mine.py").write_text(CELL)
    train = f"""
import sys; sys.path[:0] = ["source", {str(Path.cwd())!r}]
import throughtime as tt, torch
from mine import MinimalGatedUnit
from tests.train.conftest import make_sequences
run = tt.fit(MinimalGatedUnit(), make_sequences(), hidden_size=3, epochs=1, out="run")
print(run.model(torch.ones(4, 1, 2))[0].tolist())
"""
    load = """
import sys, throughtime as tt, torch
model = tt.load("run")
assert "mine" not in sys.modules
print(model(torch.ones(4, 1, 2))[0].tolist())
"""

    def answer(program: str) -> str:
        command = [sys.executable, "-W", "error", "-c", program]
        done = subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout

    before = answer(train)
    (tmp_path / "source" / "mine.py").unlink()
    assert answer(load) == before != ""


@given(data=st.data())
def test_a_model_file_cut_anywhere_is_refused(run: Run, data: st.DataObject) -> None:
    content = (run.path / "model.json").read_bytes()
    cut = data.draw(st.integers(0, len(content) - 3))
    refused(run.path, content[:cut], content)


@given(data=st.data())
def test_a_model_file_with_a_missing_or_wrong_entry_is_refused(
    run: Run, data: st.DataObject
) -> None:
    content = (run.path / "model.json").read_bytes()
    document = json.loads(content)
    path = data.draw(st.sampled_from(entries(document)))
    wrong = data.draw(st.sampled_from([None, [], {}, -1, "?", [[1]], 1e9]))
    place = document
    for key in path[:-1]:
        place = place[key]
    if place[path[-1]] == wrong or isinstance(wrong, type(place[path[-1]])):
        wrong = object
    if wrong is object:
        del place[path[-1]]
    else:
        place[path[-1]] = wrong
    refused(run.path, json.dumps(document).encode(), content)


def entries(document: dict[str, object]) -> list[tuple[str, ...]]:
    """Every entry that reading needs."""
    top = [(key,) for key in document]
    inside = [("model", key) for key in document["model"]]
    reader = [("model", "reader", key) for key in document["model"]["reader"]]
    settings = [("settings", "hidden_size"), ("settings", "clip")]
    return [*top, *inside, *reader, *settings, ("data", "name"), ("data", "checksum")]


def refused(path: Path, damaged: bytes, whole: bytes) -> None:
    file = path / "model.json"
    file.write_bytes(damaged)
    try:
        with pytest.raises(DamagedModel, match=r"model\.json' is damaged \(.+\)"):
            open_run(path).model.eval()
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize(
    "damage",
    [
        lambda weights: b"",
        lambda weights: weights[:-1],
        lambda weights: weights[:20],
        lambda weights: b"\xff" * 8 + weights[8:],
        lambda weights: weights.replace(b"head.bias", b"head.bijs"),
        lambda weights: weights.replace(b"F32", b"I32", 1),
    ],
)
def test_damaged_weights_are_refused(copy: Path, damage: object) -> None:
    file = copy / "model.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DamagedWeights, match=r"model\.safetensors' is damaged"):
        tt.load(copy)


def test_weights_of_another_model_are_refused(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    fit(Elman(), make_sequences(), hidden_size=4, epochs=1, threads=1, out=other)
    (copy / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    with pytest.raises(DamagedWeights, match="missing or differs"):
        tt.load(copy)


def test_weights_that_hide_their_epoch_are_refused(copy: Path) -> None:
    file = copy / "model.safetensors"
    file.write_bytes(save(load(file.read_bytes())))
    with pytest.raises(DamagedWeights, match="does not say which epoch"):
        open_run(copy)


def test_a_newer_version_is_named(copy: Path) -> None:
    document = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps({**document, "version": 99}))
    with pytest.raises(DamagedModel, match="its version is 99, this package reads"):
        tt.load(copy)


def test_a_number_that_is_not_finite_is_null_in_the_file(tmp_path: Path) -> None:
    """All labels of validation and test are alike: they have no such area."""
    matrices = [np.full((3, 2), number % 2 * (number < 8)) for number in range(16)]
    question = Question("multilabel", "sequence")
    data = table(matrices, question, numbers("x"), booleans("y"))
    options = {"hidden_size": 2, "epochs": 2, "threads": 1, "out": tmp_path / "run"}
    rows = fit(LSTM(), data, **options).metrics
    name = "validation_auroc_micro"
    assert all(math.isnan(row[name]) for row in rows)

    def refuse(word: str) -> None:
        raise AssertionError(word)

    for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines():
        assert json.loads(line, parse_constant=refuse)[name] is None
    again = open_run(tmp_path / "run").metrics
    assert all(math.isnan(row.pop(name)) for row in [*rows, *again])
    assert again == rows
    said = CliRunner().invoke(main, ["inspect", str(tmp_path / "run"), "--json"])
    assert json.loads(said.stdout, parse_constant=refuse)["best"][name] is None


def test_damaged_metrics_are_refused(copy: Path) -> None:
    (copy / "metrics.jsonl").write_text('{"epoch": 1')
    with pytest.raises(RunError, match=r"metrics\.jsonl"):
        open_run(copy)


def test_data_are_those_of_the_training_or_refused(text: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = {"hidden_size": 3, "epochs": 1, "threads": 1}
    run = fit(Elman(), text, out=out, **options)
    assert open_run(out).evaluate() == run.evaluate()
    text.write_text(text.read_text() + "One more line.\n")
    with pytest.raises(DataChanged, match="restore it"):
        open_run(out).evaluate()
    text.unlink()
    with pytest.raises(DataMoved, match="move them back"):
        open_run(out).evaluate()
    tt.load(out)  # the model needs no data


def test_a_text_split_in_another_way_is_other_data() -> None:
    data = text_dataset(SENTENCE * 4, "t")
    parts = {**data.splits, "test": data.splits["validation"]}
    assert checksum(replace(data, splits=parts)) != checksum(data)
    assert checksum(text_dataset(SENTENCE * 4, "u")) == checksum(data)


def test_arguments_of_load_are_obeyed_or_refused(run: Run) -> None:
    assert tt.load(run.path, backend="reference").network.backend == "reference"
    with pytest.raises(UnknownBackend):
        tt.load(run.path, backend="fast")
    with pytest.raises(UnknownChoice, match="split='all'"):
        run.evaluate("all")
    with pytest.raises(ThroughtimeError):
        tt.load(run.path, backend="cudnn")(torch.ones(1, 1, 2))
    assert issubclass(BackendCannotServe, ThroughtimeError)
    if not torch.cuda.is_available():
        with pytest.raises(DeviceMissing):
            tt.load(run.path, device="cuda")
