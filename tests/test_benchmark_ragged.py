"""`python -m benchmarks.ragged` runs, and what it compares are the same numbers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.ragged import TORCH, runs_of
from benchmarks.shapes import Shape
from tests.compare import assert_close

ROOT = Path(__file__).parents[1]


def test_ours_and_torchs_gradients_agree() -> None:
    runs = runs_of(Shape(7, 3, 2, 4), often=0.0)
    padded, lengths, resets, torchs = (list(run()) for run in runs.values())
    for mine, theirs in zip(lengths, torchs, strict=True):
        assert isinstance(mine, Tensor) and isinstance(theirs, Tensor)
        assert_close(mine, theirs, times=4)  # another order of the sums
    assert any(not torch.equal(a, b) for a, b in zip(padded, lengths, strict=True))
    for mine, theirs in zip(padded, resets, strict=True):
        assert_close(mine, theirs, times=4)


@pytest.mark.slow
def test_the_command_measures_all_of_them() -> None:
    command = [sys.executable, "-m", "benchmarks.ragged", "--json", "--seconds", "0"]
    answer = subprocess.run(
        [*command, "--shapes", "5,3,2,4"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    (found,) = json.loads(answer.stdout)["seconds"].values()
    assert found.keys() == {"padded", "lengths", "resets", TORCH}
