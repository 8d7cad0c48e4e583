"""Cells from papers, in a file outside the package: trained, saved, loaded without it.

The judges are the papers' equations once more, in plain PyTorch, batch and time spelled
out.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.compare import assert_close

CELLS = Path(__file__).parent / "paper_cells.py"
QUICK = "--hidden-size 8 --epochs 3 --dtype float64 --threads 1 --json --quiet".split()
LOAD = """
import importlib.util, sys
import torch
import throughtime as tt

model = tt.load(sys.argv[1])
frames = torch.randn(9, 4, 13, dtype=torch.float64)
with torch.no_grad():
    output, _ = model.network(frames)
seen = importlib.util.find_spec("my_cells") or "user_cells.my_cells" in sys.modules
weights = model.network.state_dict()
torch.save((frames, output, weights, bool(seen)), sys.argv[2])
"""
Weights = dict[str, Tensor]


def minimal_gated_unit(x: Tensor, w: Weights, h: Tensor, c: Tensor) -> list[Tensor]:
    f = torch.sigmoid(torch.cat([h, x], 1) @ w["W_f"].T + w["b_f"])
    candidate = torch.tanh(torch.cat([f * h, x], 1) @ w["W_h"].T + w["b_h"])
    return [(1 - f) * h + f * candidate, c]


def coupled_lstm(x: Tensor, w: Weights, y: Tensor, c: Tensor) -> list[Tensor]:
    z, i, o = (x @ w["W"].T + y @ w["R"].T + w["b"]).chunk(3, 1)
    i = torch.sigmoid(i + w["p_i"] * c)
    c = i * torch.tanh(z) + (1 - i) * c
    return [torch.sigmoid(o + w["p_o"] * c) * torch.tanh(c), c]


def independent(x: Tensor, w: Weights, h: Tensor, c: Tensor) -> list[Tensor]:
    return [torch.relu(x @ w["W"].T + w["u"] * h + w["b"]), c]


JUDGES = {
    "MinimalGatedUnit": minimal_gated_unit,
    "CoupledLSTM": coupled_lstm,
    "IndRNN": independent,
}


def run_python(*words: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def unroll(
    judge: Callable[..., list[Tensor]], frames: Tensor, weights: Weights
) -> Tensor:
    h = c = frames.new_zeros(frames.shape[1], 8)
    outputs = []
    for x in frames:
        h, c = judge(x, weights, h, c)
        outputs.append(h)
    return torch.stack(outputs)


def train(name: str, home: Path) -> dict[str, Any]:
    home.mkdir()
    shutil.copy(CELLS, home / "my_cells.py")
    words = ["-m", "throughtime", "train", "spoken-digits"]
    words += ["--cell", f"my_cells.py:{name}", *QUICK]
    return json.loads(run_python(*words, folder=home))


@pytest.mark.parametrize("name", JUDGES)
def test_a_cell_of_a_paper_trains_and_loads_without_its_file(
    name: str, tmp_path: Path
) -> None:
    result = train(name, tmp_path / "home")
    # Three epochs of eight units are no result, but guessing is far behind.
    assert result["test"]["accuracy"] > 2 * result["baselines"]["majority"]

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = shutil.move(tmp_path / "home" / result["run"], elsewhere / "run")
    shutil.rmtree(tmp_path / "home")
    run_python("-c", LOAD, str(run), "answer.pt", folder=elsewhere)

    frames, output, stored, seen = torch.load(elsewhere / "answer.pt")
    assert not seen
    weights = {key.removesuffix("_l0"): value for key, value in stored.items()}
    assert_close(output, unroll(JUDGES[name], frames, weights))
