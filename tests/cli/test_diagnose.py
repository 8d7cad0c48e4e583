"""diagnose, as a person uses it."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from throughtime.cli import main
from throughtime.diagnose import Diagnosis

READ = "--sequence who --time when --target answer --split sequence"
QUICK = "--hidden-size 6 --threads 1 --quiet --dtype float64 --backend reference"
HERE = "--threads 1 --backend reference"


def call(words: str) -> Result:
    return CliRunner().invoke(main, words.split())


def recall(steps: int, count: int = 60) -> pl.DataFrame:
    """What was the first thing?"""
    first = np.random.default_rng(0).integers(0, 2, count)
    x = np.zeros((count, steps))
    x[:, 0] = 2 * first - 1
    return pl.DataFrame(
        {
            "who": np.repeat(np.arange(count), steps),
            "when": np.tile(np.arange(steps), count),
            "x": x.ravel(),
            "answer": np.repeat(np.where(first, "plus", "minus"), steps),
        }
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    recall(40).write_csv("long.csv")
    recall(4, 200).write_csv("short.csv")
    return tmp_path


def trained(data: str, *more: str) -> str:
    words = f"train {data} {READ} {QUICK} --cell elman --out run {' '.join(more)}"
    done = call(words)
    assert done.exit_code == 0, done.output
    return "run"


def test_the_verdict_comes_first() -> None:
    run = trained("long.csv", "--epochs 2")
    done = call(f"diagnose {run} {HERE}")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ALARM: Gradients vanish: ")
    assert lines[1] == "  try --init orthogonal"
    assert (
        "6 sequences of up to 40 steps of validation, an answer per sequence" in lines
    )
    assert any(line.startswith("|dL/ds| at lag") for line in lines)
    assert any(line.startswith("cost: ") for line in lines)
    assert Path("run/diagnosis.png").read_bytes().startswith(b"\x89PNG")
    stored = json.loads(Path("run/diagnosis.json").read_text())
    assert stored["findings"][0]["kind"] == "vanishing"
    assert Diagnosis.from_json(stored).verdict.remedy == "--init orthogonal"


def test_a_run_that_learned_raises_no_alarm() -> None:
    trained("short.csv", "--epochs 40 --learning-rate 0.05")
    done = call(f"diagnose run {HERE}")
    assert done.stdout.startswith("good: No alarm")
    assert "answers look back 3 steps" in done.stdout


def test_for_machines_and_with_new_data() -> None:
    trained("short.csv", "--epochs 2")
    done = call(f"diagnose run long.csv {HERE} --json --lags 5 --picture other.png")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["run"] == "run"
    assert result["picture"] == "other.png"
    assert result["data"]["steps"] == 40
    assert result["lags"]["lags"] == [0, 1, 2, 3, 4, 5]
    assert result["surface"] is None
    assert Path("other.png").exists()
    assert not Path("run/diagnosis.png").exists()
    assert json.loads(Path("run/diagnosis.json").read_text())["data"] == result["data"]


def test_the_surface() -> None:
    trained("short.csv", "--epochs 2")
    done = call(f"diagnose run {HERE} --json --surface")
    assert done.exit_code == 0, done.output
    surface = json.loads(done.stdout)["surface"]
    assert surface["verdict"] in {"minimum", "saddle", "plateau", "slope"}
    assert surface["line"]["losses"]
    assert surface["slice"]["losses"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nowhere", "there is nothing"),
        ("run --lags 0", "--lags 0"),
        ("run --sequences 0", "--sequences 0"),
        ("run --picture wrong.txt", "wrong.txt"),
        ("run nothing.csv", "nothing.csv"),
    ],
)
def test_mistakes_are_one_line(words: str, said: str) -> None:
    trained("short.csv", "--epochs 1")
    done = call(f"diagnose {words} {HERE}")
    assert done.exit_code == 2
    assert said in done.output
    assert not Path("run/diagnosis.json").exists()
