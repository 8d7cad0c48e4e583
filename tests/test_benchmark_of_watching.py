"""`python -m benchmarks.watching` runs, and what it watches is what autograd says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.shapes import Shape
from benchmarks.watching import EACH, PLAIN, SOME, runs_of, seen
from throughtime.cells import Elman
from throughtime.nn import Recurrent

ROOT = Path(__file__).parents[1]


def test_the_error_that_is_seen() -> None:
    torch.manual_seed(0)
    module = Recurrent(Elman(), 3, 4)
    x, error = torch.randn(5, 2, 3), torch.randn(5, 2, 4)
    found = seen(module, x, error)
    last = found["norms (0, 0, 'h')"][-1].item()
    assert last == pytest.approx(error[-1].norm(dim=1).sum().item(), rel=1e-6)
    assert all(run() is None for run in runs_of("gru", Shape(3, 2, 2, 2)).values())


@pytest.mark.slow
def test_the_command_measures_all_of_them() -> None:
    command = [sys.executable, "-m", "benchmarks.watching", "--json", "--seconds", "0"]
    answer = subprocess.run(
        [*command, "--shapes", "5,3,2,4", "--cells", "lstm"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    (line,) = json.loads(answer.stdout)
    assert {PLAIN, EACH, SOME} < line.keys()
