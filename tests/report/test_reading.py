"""What is read of a run folder, and how damage is told."""

import json
from pathlib import Path

import pytest

from tests.report.diagnosed import EPOCHS, write_diagnosis
from throughtime.errors import DamagedModel, DamagedRunFile, NotARun
from throughtime.report.reading import read_run


def test_all_that_a_training_leaves_is_read(trained: Path) -> None:
    run = read_run(trained)
    assert [row["epoch"] for row in run.rows] == [1, 2, 3, 4, 5]
    assert run.metric == "accuracy"
    assert (run.cell, len(run.graphs), run.classes) == ("LSTM", 2, 2)
    assert run.config["hidden_size"] == 6
    assert "fit" in run.command
    assert (run.diagnosis, run.flow) == (None, [])
    best = run.best
    assert best is not None
    assert best["validation_loss"] == min(row["validation_loss"] for row in run.rows)


def test_a_training_records_what_a_report_needs(trained: Path) -> None:
    run = read_run(trained)
    assert run.result is not None
    assert run.result["metric"] == "accuracy"
    assert run.result["higher_is_better"]
    assert 0 <= run.result["test"]["accuracy"] <= 1
    assert run.result["trivial"].keys() >= {"majority"}
    assert "core" in run.training["hardware"]
    assert "PyTorch" in run.training["machine"]
    assert run.training["threads"] == 1
    rates = [row["learning_rate"] for row in run.rows]
    assert rates == sorted(rates, reverse=True)
    assert all(row["gradient_norm"] > 0 for row in run.rows)


def test_a_diagnosis_and_a_flow_are_read(diagnosed: Path) -> None:
    run = read_run(diagnosed)
    assert run.part("memory")["needed"] == 28
    assert len(run.flow) == EPOCHS
    assert run.part("nothing of that name") is None


def test_a_run_that_has_just_begun_has_no_epoch(plain: Path) -> None:
    for name in ("metrics.jsonl", "config.toml", "command.txt"):
        (plain / name).unlink()
    run = read_run(plain)
    assert (run.rows, run.config, run.command) == ([], {}, "")
    assert (run.metric, run.best) == (None, None)


def test_a_line_that_is_only_half_written_is_left_out(plain: Path) -> None:
    with (plain / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 6, "lo')
    assert len(read_run(plain).rows) == 5


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("metrics.jsonl", '{"epoch": 1}\n', "`loss` is missing"),
        ("metrics.jsonl", "{\n", "Expecting property name"),
        ("config.toml", "= 3", "Invalid"),
        ("diagnosis.json", '{"version": 2}', "it is of version 2, not 1"),
        ("diagnosis.json", '{"version": 1}', "`findings` is missing"),
        ("flow.jsonl", '{"epoch": 1}\n', "`steps` is missing"),
    ],
)
def test_a_damaged_file_is_named_with_the_reason(
    plain: Path, name: str, content: str, reason: str
) -> None:
    (plain / name).write_text(content)
    with pytest.raises(DamagedRunFile) as caught:
        read_run(plain)
    assert name in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("part", ["model", "data", "training", "settings", "task"])
def test_a_damaged_model_is_named(plain: Path, part: str) -> None:
    document = json.loads((plain / "model.json").read_text())
    document[part] = None if part == "model" else {}
    if part == "task":
        del document[part]
    (plain / "model.json").write_text(json.dumps(document))
    with pytest.raises(DamagedModel, match=r"model\.json"):
        read_run(plain)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotARun, match="there is nothing"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(NotARun, match=r"it has no model\.json"):
        read_run(tmp_path)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(NotARun, match="it is a file"):
        read_run(file)


def test_parts_that_were_not_asked_for_are_none(plain: Path) -> None:
    write_diagnosis(plain, surface=None)
    assert read_run(plain).part("surface") is None
