"""The command that measures bounded memory runs, and counts as it says."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.checkpointing import PLAIN, table_of
from benchmarks.shapes import Shape

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
    # Five numbers of every unit and step are stored, or two of every twentieth step.
    assert plain["bytes"] > 0.9 * 5 * 4 * 400 * 8 * 64
    assert bounded["bytes"] < plain["bytes"]


def test_a_table() -> None:
    ways = {
        PLAIN: {"seconds": 0.02, "noise": None, "bytes": 4_000_000},
        "checkpoint=50": {"seconds": 0.03, "noise": 0.25, "bytes": 1_000_000},
    }
    console = Console(width=120, file=StringIO())
    console.print(table_of([(Shape(400, 8, 16, 64), ways)], 1))
    (plain, bounded) = [
        [cell.strip() for cell in line.split("│")[2:-1]]
        for line in console.file.getvalue().splitlines()
        if "400, 8, 16, 64" in line
    ]
    assert plain == [PLAIN, "20", "", "1.00", "4", "1.000"]
    assert bounded == ["checkpoint=50", "30", "25%", "1.50", "1", "0.250"]
