"""`python -m benchmarks.zeros`: its ways give the same numbers, and it finds zeros."""

import json
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.zeros import CHOSEN, LISTED, WHOLE, Layer, Row, crossover

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "benchmarks.zeros", "--steps", "3", "--batch", "4"]
QUICK = ["--widths", "32", "--inputs", "8", "--zeros", "50,90", "--rounds", "1"]


def test_all_ways_give_the_same_bits() -> None:
    layer = Layer("Elman", (4, 5, 8, 32))
    assert abs(layer.set_zeros(0.75) - 0.75) < 0.05
    for way in (LISTED, CHOSEN):
        assert torch.equal(layer.output(way), layer.output(WHOLE))
        for one, other in zip(layer.train(way), layer.train(WHOLE), strict=True):
            assert torch.equal(one, other)


def test_where_lists_begin_to_pay() -> None:
    rows = [
        Row("Elman", "inference", 32, zeros, 1.0, ratio, 1.0)
        for zeros, ratio in ((0.0, 0.5), (0.5, 0.8), (0.7, 1.2), (0.9, 3.0))
    ]
    place = crossover(rows)
    assert place is not None and abs(place - 0.6) < 1e-9
    assert crossover(rows[:2]) is None


def test_the_command(tmp_path: Path) -> None:
    picture = tmp_path / "zeros.png"
    told = subprocess.run(
        [*COMMAND, *QUICK, "--seconds", "0", "--json", "--picture", str(picture)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    rows = json.loads(told)
    assert len(rows) == 2 * 2 * 2  # cells, works, shares
    assert all(min(row["by_pattern"], row["chosen"]) > 0 for row in rows)
    assert picture.read_bytes().startswith(b"\x89PNG")
