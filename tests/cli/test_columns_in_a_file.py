"""A run of columns is repeated from its own `config.toml`, from any folder."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from throughtime.cli import main

CELL = """
from throughtime.graph import Cell, Input, Parameter, State
from throughtime.math import tanh


class Fed(Cell):
    W = Parameter("hidden", "input")
    U = Parameter("hidden", "hidden")
    V = Parameter("hidden", 2)
    s = Input(2)
    h = State("hidden")

    def step(self, x, h, s):
        return tanh(self.W @ x + self.U @ h + self.V @ s)
"""
COLUMNS = ["--sequence", "id", "--time", "t", "--features", "x,gappy"]
QUICK = "--hidden-size 4 --epochs 2 --threads 1 --quiet".split()
ASKED = {
    "inputs, labels and a cell of one's own": [
        *["--target", "a,b", "--input", "s=u,v", "--missing", "forward"],
        *["--cell", "cell.py:Fed", "--checkpoint", "sqrt"],
    ],
    "weights of classes": [
        *["--target", "c", "--missing", "mean", "--class-weights", "one=2"],
        *["--layers", "2", "--dropout", "0.2", "--time-difference"],
    ],
}


def train(*words: str) -> bytes:
    done = CliRunner().invoke(main, ["train", *words])
    assert done.exit_code == 0, done.output
    return Path(words[words.index("--out") + 1], "model.safetensors").read_bytes()


@pytest.mark.parametrize("asked", ASKED)
def test_columns_are_found_again(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    rows = 20 * 6
    table = {"id": np.repeat(np.arange(20), 6), "t": np.tile(np.arange(6), 20)}
    table |= {name: draw.standard_normal(rows) for name in ("x", "gappy", "u", "v")}
    table |= {name: draw.integers(0, 2, rows) for name in ("a", "b")}
    table["c"] = np.array(["one", "two"])[draw.integers(0, 2, rows)]
    table["gappy"][draw.random(rows) < 0.2] = np.nan
    pl.DataFrame(table).write_csv("data.csv")
    Path("cell.py").write_text(CELL)
    first = train("data.csv", *COLUMNS, *ASKED[asked], *QUICK, "--out", "first")
    text = Path("first/config.toml").read_text()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    again = train("--config", "../first/config.toml", "--out", "again", "--quiet")
    assert again == first
    assert Path("again/config.toml").read_text() == text
