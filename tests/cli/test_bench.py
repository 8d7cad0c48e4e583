"""`throughtime bench`: what it lists, learns, writes and refuses."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from throughtime.bench import TASKS
from throughtime.cli import main

QUICK = "embedded-reber --updates 5 --hidden-size 4 --threads 1"


def call(words: str) -> Result:
    return CliRunner().invoke(main, ["bench", *words.split()])


def refusal(words: str) -> str:
    result = call(words)
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr


def test_the_list_names_all() -> None:
    result = call("--list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == [*TASKS]
    assert list(json.loads(call("--list --json").stdout)["tasks"]) == [*TASKS]


def test_a_task_is_explained() -> None:
    result = call("--explain adding copy")
    assert result.exit_code == 0
    for name in ("adding", "copy"):
        assert TASKS[name].definition.strip() in result.stdout
    assert "1/6" in result.stdout
    assert "LSTM: 0.164 (published: Bai, Kolter & Koltun 2018" in result.stdout
    assert "recipe: cell gru, hidden_size 64" in result.stdout


def test_it_learns_each_seed_and_writes_each_run(tmp_path: Path) -> None:
    result = call(f"{QUICK} --seeds 2 --seed 3 --out {tmp_path} --json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)["results"]
    assert [one["seed"] for one in found] == [3, 4]
    files = sorted(tmp_path.glob("*.json"))
    assert [json.loads(path.read_text()) for path in files] == found
    assert "embedded-reber, seed 3: share of strings right" in result.stderr
    assert "(published: Hochreiter" in result.stderr
    again = call(f"{QUICK} --seeds 1 --seed 3 --out {tmp_path}")
    assert again.exit_code == 0
    assert sorted(tmp_path.glob("*.json")) == files


def test_results_become_a_table(tmp_path: Path) -> None:
    call(f"{QUICK} --seeds 1 --out {tmp_path}")
    call(f"{QUICK} --cell gru --seeds 1 --out {tmp_path}")
    call(f"{QUICK} --both-backends --out {tmp_path}")
    result = call(f"--table {tmp_path}")
    assert result.exit_code == 0
    results, agreements = result.stdout.split("\n\n")
    assert len(results.splitlines()) == 4
    assert "GRU" in results
    assert "| embedded-reber | 5 |" in agreements
    said = json.loads(call(f"--table {tmp_path} --json").stdout)
    assert len(said["results"]) == 2
    assert said["agreements"][0]["agree"]


def test_a_cell_of_a_file_is_learned(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        "from throughtime import Cell, Parameter, State\n"
        "from throughtime.math import tanh\n"
        "class Mine(Cell):\n"
        "    w = Parameter('hidden', 'input')\n"
        "    u = Parameter('hidden', 'hidden')\n"
        "    h = State('hidden')\n"
        "    def step(self, x, h):\n"
        "        return tanh(self.w @ x + self.u @ h)\n"
    )
    result = call(f"{QUICK} --seeds 1 --cell {path}:Mine --json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["results"][0]["recipe"]["cell"] == "Mine"


def test_where_nothing_is_drawn_one_seed_is_enough() -> None:
    result = call("influence-balancing --steps 60 --threads 1 --json")
    assert [one["seed"] for one in json.loads(result.stdout)["results"]] == [0]


def test_a_task_named_twice_is_learned_once() -> None:
    result = call(f"embedded-reber {QUICK} --seeds 1 --json")
    assert len(json.loads(result.stdout)["results"]) == 1


def test_a_mistake_in_a_cell_is_told_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        "from throughtime import Cell, Parameter, State\n"
        "class Mine(Cell):\n"
        "    w = Parameter('hidden', 'input')\n"
        "    h = State('hidden')\n"
        "    def step(self, x, h):\n"
        "        return self.w @ h\n"
    )
    assert "own.py:6" in refusal(f"{QUICK} --seeds 1 --cell {path}:Mine")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "Give the NAME of a task, or --list"),
        ("adding copi", "'copi' is no task"),
        ("adding --epochs 3", "--epochs 3, expected none for the task adding"),
        ("adding --hidden-size 0", "--hidden-size 0, expected a whole number"),
        ("adding --layers 0", "--layers 0, expected a whole number"),
        ("adding --cell lsmt", "did you mean 'lstm'"),
        ("adding --init best", "--init 'best' is not"),
        ("adding --seeds 0", "--seeds 0, expected a whole number"),
        ("adding --dtype float16", "--dtype 'float16'"),
        ("adding --backend cuda", "--backend 'cuda'"),
        ("jsb-chorales", "needs data, expected JSB_Chorales.mat"),
        ("adding --data x", "--data 'x', expected none for adding"),
        ("text --data copy=x", "expected none for text"),
        ("--table nowhere", "'nowhere' holds no result"),
        ("adding --table x", "expected none for --table"),
        ("--list --seeds 2", "expected none for --list"),
        ("adding --explain --seeds 2", "expected none for --explain"),
        ("adding --both-backends --seeds 2", "expected none for --both-backends"),
    ],
)
def test_what_cannot_be_is_refused(words: str, said: str) -> None:
    assert said in refusal(words).replace("=", " ")
