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

import torch
from click.testing import CliRunner
from torch import Tensor

from tests.compare import assert_close
from throughtime.cli import main

CELLS = Path(__file__).parent / "paper_cells.py"
QUICK = "--hidden-size 8 --epochs 3 --dtype float64 --threads 1 --json --quiet".split()
LOAD = """
import importlib.util, sys
import torch
import throughtime as tt

frames, answers = torch.randn(9, 4, 13, dtype=torch.float64), {}
for run in sys.argv[1:]:
    model = tt.load(run)
    with torch.no_grad():
        answers[run] = model.network(frames)[0], model.network.state_dict()
seen = importlib.util.find_spec("my_cells") or "user_cells.my_cells" in sys.modules
torch.save((frames, answers, bool(seen)), "answers.pt")
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


def unroll(
    judge: Callable[..., list[Tensor]], frames: Tensor, weights: Weights
) -> Tensor:
    h = c = frames.new_zeros(frames.shape[1], 8)
    outputs = []
    for x in frames:
        h, c = judge(x, weights, h, c)
        outputs.append(h)
    return torch.stack(outputs)


def train(name: str, home: Path, out: Path) -> None:
    words = ["--cell", str(home / f"my_cells.py:{name}"), "--out", str(out)]
    done = CliRunner().invoke(main, ["train", "spoken-digits", *words, *QUICK])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    # Three epochs of eight units are no result, but guessing is far behind.
    assert result["test"]["accuracy"] > 2 * result["baselines"]["majority"]


def test_cells_of_papers_train_and_load_without_their_file(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    shutil.copy(CELLS, home / "my_cells.py")
    for name in JUDGES:
        train(name, home, elsewhere / name)
    shutil.rmtree(home)
    command = [sys.executable, "-c", LOAD, *JUDGES]
    done = subprocess.run(
        command, cwd=elsewhere, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

    frames, answers, seen = torch.load(elsewhere / "answers.pt")
    assert not seen
    for name, (output, stored) in answers.items():
        weights = {key.removesuffix("_l0"): value for key, value in stored.items()}
        assert_close(output, unroll(JUDGES[name], frames, weights))
