"""Processes of this repository's code, started as a person would start them."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.train.conftest import SENTENCE

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    # What there is to see if a terminal is narrow.
    "COLUMNS": "200",
}
TRAIN = [sys.executable, "-m", "throughtime", "train", "text.txt", "--threads", "1"]
SMALL = ["--hidden-size", "4", "--batch-size", "8", "--steps", "16"]


def write_text(folder: Path, lines: int = 50) -> None:
    (folder / "text.txt").write_text(SENTENCE * lines, encoding="utf-8")


def start(folder: Path, *words: str, before: tuple[str, ...] = ()) -> subprocess.Popen:
    return subprocess.Popen(
        [*before, *TRAIN, *SMALL, *words],
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen) -> tuple[int, str, str]:
    out, said = process.communicate(timeout=200)
    return process.returncode, out, said


def wait_for_epochs(count: int, run: Path, process: subprocess.Popen) -> None:
    path = run / "metrics.jsonl"
    while not path.exists() or len(path.read_text().splitlines()) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def children(parent: int) -> list[int]:
    """The processes that a process has started, in order."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(child) for child in found.split()]


def state(process: int) -> str:
    """What Linux calls it: T where it is stopped; Z where it has ended, or is gone."""
    try:
        said = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]
    except FileNotFoundError:
        return "Z"
    return said.split()[0]


def alive(process: int) -> bool:
    return state(process) != "Z"
