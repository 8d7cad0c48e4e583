"""Trainings on items: what a network looks up is what a dense one would compute."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from click.testing import CliRunner

import throughtime as tt
from tests.data.events import dense, events, mixed
from throughtime.cli import main
from throughtime.errors import LengthsOfSparse, UnusedSetting
from throughtime.nn import Recurrent, SparseSequences
from throughtime.train import Model, Run
from throughtime.train.measuring.survivors import survivors
from throughtime.train.predicting import predict

SAID: dict[str, Any] = {
    "sequence": "who",
    "time": "when",
    "items": "what:how",
    "target": "label",
    "hidden_size": 5,
    "threads": 1,
}


def trained(folder: Path, frame: pl.DataFrame | None = None, **said: Any) -> Run:
    file = folder / "events.csv"
    mixed(events() if frame is None else frame).write_csv(file)
    cell = said.pop("cell", tt.cells.GRU())
    return tt.fit(cell, str(file), out=folder / "run", **{**SAID, "epochs": 2, **said})


def made_dense(network: Recurrent) -> Recurrent:
    """The same weights in a network that reads all features of every step."""
    whole = Recurrent.from_graphs(
        network.graphs, bidirectional=network.bidirectional
    ).eval()
    whole.load_state_dict(network.state_dict())
    return whole


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pool", ["last", "mean"])
def test_a_loaded_model_answers_as_a_dense_one(
    bidirectional: bool, pool: str, tmp_path: Path
) -> None:
    run = trained(tmp_path, bidirectional=bidirectional, pool=pool)
    model = tt.load(run.path)
    categories = model.schema.items[0].categories
    rows = run.dataset
    keys = rows.keys[:6]
    matrices = [dense(events(), key, categories) for key in keys]
    steps = [
        [[(int(f), float(row[f])) for f in np.flatnonzero(row)] for row in matrix]
        for matrix in matrices
    ]
    given = SparseSequences.of(steps, len(categories))
    with torch.no_grad():
        answers, _ = model(given)
        hidden, _ = made_dense(model.network)(given.to_dense(), lengths=given.lengths)
        expected = model.head.logits(model.pooled(hidden, given.lengths))
    torch.testing.assert_close(answers, expected.softmax(-1), rtol=1e-5, atol=1e-6)


def test_answers_stand_beside_sequences_and_steps(tmp_path: Path) -> None:
    run = trained(tmp_path)
    rows = predict(run, str(tmp_path / "events.csv"), tmp_path / "out.parquet")
    table = pl.read_parquet(tmp_path / "out.parquet")
    assert rows == len(table) == 40
    assert set(table["who"]) == {f"s{k}" for k in range(40)}
    (tmp_path / "steps").mkdir()
    stepwise = trained(tmp_path / "steps", per="step")
    rows = predict(stepwise, str(tmp_path / "events.csv"), tmp_path / "out.parquet")
    table = pl.read_parquet(tmp_path / "out.parquet")
    assert rows == len(table) == len(events())
    both = table.group_by("who", "when").agg(pl.col("p(no)").n_unique())
    assert both["p(no)"].to_list() == [1] * len(both)
    assert "accuracy" in run.evaluate()


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.05), ("lazy-adagrad", 0.2)])
def test_windows_of_steps_and_several_layers_are_learned(
    optimizer: str, rate: float, tmp_path: Path
) -> None:
    frame = events(60, items=20)
    run = trained(
        tmp_path,
        frame,
        items="what",
        per="step",
        steps=2,
        num_layers=2,
        optimizer=optimizer,
        epochs=8,
        learning_rate=rate,
    )
    losses = [row["loss"] for row in run.metrics]
    assert losses[-1] < 0.8 * losses[0]


def test_l1_leaves_few_items_and_inspect_names_them(tmp_path: Path) -> None:
    frame = events(80, values=False).with_columns(
        what=pl.when((pl.col("label") == "yes") & (pl.col("when") == 0))
        .then(pl.lit("sign"))
        .otherwise("what")
    )
    run = trained(
        tmp_path,
        frame,
        items="what",
        optimizer="lazy-fobos",
        l1=0.03,
        epochs=20,
        learning_rate=0.3,
    )
    left = survivors(run.model)
    assert left is not None
    assert 0 < left.count < left.total / 2
    assert left.strongest[0][0] == "sign"
    said = CliRunner().invoke(main, ["inspect", str(run.path), "--json"])
    document = json.loads(said.stdout)
    assert document["surviving"]["count"] == left.count
    text = CliRunner().invoke(main, ["inspect", str(run.path)]).stdout
    assert f"{left.count} of {left.total}" in text
    assert "'sign'" in text


def test_features_survive_as_items_do(signs: Any, tmp_path: Path) -> None:
    run = tt.fit(
        tt.cells.GRU(),
        signs,
        out=tmp_path / "run",
        hidden_size=4,
        epochs=30,
        threads=1,
        optimizer="lazy-fobos",
        l1=0.002,
    )
    left = survivors(run.model)
    assert left is not None
    assert left.total == 2
    assert left.strongest[0][0] == "x0"  # the one that says the class
    text = CliRunner().invoke(main, ["inspect", str(run.path)]).stdout
    assert f"{left.count} of 2" in text


def test_lengths_are_those_of_the_items(tmp_path: Path) -> None:
    model = trained(tmp_path).model
    given = SparseSequences.of(
        [[[0]], [[1], [2]]], len(model.schema.items[0].categories)
    )
    same, _ = model(given, lengths=given.lengths)
    assert torch.equal(same, model(given)[0])
    with pytest.raises(LengthsOfSparse):
        model(given, lengths=torch.tensor([1, 1]))


def test_what_is_dense_is_said(tmp_path: Path, capsys: Any) -> None:
    trained(tmp_path, quiet=False)
    assert "adam changes the weights of all" in capsys.readouterr().err
    (tmp_path / "lazy").mkdir()
    trained(tmp_path / "lazy", quiet=False, optimizer="lazy-adagrad")
    assert "changes the weights of all" not in capsys.readouterr().err


def test_a_pair_of_columns_is_asked_for_again(tmp_path: Path) -> None:
    run = trained(tmp_path, items=("what", "how"))
    words = ["train", "--config", str(run.path / "config.toml")]
    again = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "again")])
    assert again.exit_code == 0, again.output
    weights = [
        (tmp_path / n / "model.safetensors").read_bytes() for n in ("run", "again")
    ]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"tbptt": "2", "per": "step"}, "whose steps name items"),
        ({"embedding": 4}, "no category among its features"),
    ],
)
def test_what_items_have_no_use_for_is_refused(
    said: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UnusedSetting, match=words):
        trained(tmp_path, **said)


def test_a_model_of_items_takes_no_numbers(tmp_path: Path) -> None:
    model: Model = trained(tmp_path).model
    with pytest.raises(TypeError, match="SparseSequences"):
        model(torch.zeros(2, 1, 5))


def test_the_command_line_says_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    events().write_parquet("events.parquet")
    words = "train events.parquet --sequence who --time when --items what:how".split()
    more = "--target label --optimizer lazy-adagrad --l1 1e-3 --hidden-size 4".split()
    out = ["--epochs", "2", "--threads", "1", "--out", "run"]
    found = CliRunner().invoke(main, [*words, *more, *out])
    assert found.exit_code == 0, found.output
    assert "items" in found.output
    assert "ridge on the items" in found.output
    again = CliRunner().invoke(main, ["evaluate", "run", "--json"])
    assert again.exit_code == 0, again.output
