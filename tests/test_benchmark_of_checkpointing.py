"""The command that measures bounded memory runs, and counts as it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "benchmarks.checkpointing", "--shapes", "400,8,16,64"]
QUICK = ["--seconds", "0", "--threads", "1"]


def answer(*options: str) -> str:
    return subprocess.run(
        [*COMMAND, *QUICK, *options],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
def test_both_ways_side_by_side() -> None:
    found = json.loads(answer("--checkpoint", "sqrt", "--json"))
    assert found["threads"] == 1
    (row,) = found["rows"]
    assert row["shape"] == {"steps": 400, "batch": 8, "inputs": 16, "hidden": 64}
    plain, bounded = row["ways"].values()
    assert list(row["ways"]) == ["everything is stored", "checkpoint='sqrt'"]
    assert min(plain["seconds"], bounded["seconds"]) > 0
    # Six numbers of every unit and step are stored, or two of every twentieth step.
    assert plain["bytes"] > 0.9 * 6 * 4 * 400 * 8 * 64
    assert bounded["bytes"] < plain["bytes"]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
def test_a_table() -> None:
    assert "checkpoint=50" in answer("--checkpoint", "50")
