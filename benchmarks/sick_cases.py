"""Runs that are sick on purpose, and healthy ones: their data and commands."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from throughtime.diagnose.diagnosis import Finding

_RELU = """from throughtime.cells import Elman


class ReLU(Elman):
    def __init__(self) -> None:
        super().__init__("relu")
"""
_READ = "--sequence sequence --time step --target answer --split sequence"


@dataclass(frozen=True)
class Case:
    """A training, what its diagnosis is to say first, and what it is about.

    `ending` names the picture of its first seed; `expected` is the kind of the first
    finding.
    """

    name: str
    ending: str
    words: str
    expected: str


SICK = (
    Case(
        "a tanh network and a lag of 200",
        "vanishing",
        f"recall.parquet {_READ} --cell elman --hidden-size 32 --epochs 60",
        "vanishing",
    ),
    Case(
        "a ReLU network whose gradients explode",
        "exploding",
        f"adding.parquet {_READ} --cell relu.py:ReLU --init identity --clip 0 "
        "--hidden-size 64 --epochs 80",
        "exploding",
    ),
    Case(
        "a saturated LSTM",
        "saturated",
        f"shorter.parquet {_READ} --cell lstm --hidden-size 32 --learning-rate 1 "
        "--epochs 40",
        "saturated",
    ),
)
HEALTHY = (
    Case(
        "spoken digits",
        "",
        "spoken-digits --cell lstm --hidden-size 48 --epochs 8",
        "no alarm",
    ),
    Case(
        "chorales", "", "chorales --cell lstm --hidden-size 64 --epochs 30", "no alarm"
    ),
    Case("co2", "", "co2 --cell lstm --hidden-size 32 --epochs 12", "no alarm"),
)


def recall(count: int, lag: int, draw: np.random.Generator) -> pl.DataFrame:
    """Sequences that ask at their last step which of two things the first one was."""
    first = draw.integers(0, 2, count)
    x = np.zeros((count, lag + 1))
    x[:, 0] = 2 * first - 1
    return _table({"x": x}, first)


def adding(count: int, steps: int, draw: np.random.Generator) -> pl.DataFrame:
    """Sequences that ask whether two marked numbers, one in each half, exceed 1.

    The adding problem of Hochreiter and Schmidhuber (1997), with a yes or no.
    """
    value, mark = draw.random((count, steps)), np.zeros((count, steps))
    rows, half = np.arange(count), steps // 2
    places = draw.integers(0, half, count), draw.integers(half, steps, count)
    for place in places:
        mark[rows, place] = 1
    total = value[rows, places[0]] + value[rows, places[1]]
    return _table({"value": value, "mark": mark}, total > 1)


def _table(columns: dict[str, np.ndarray], answer: np.ndarray) -> pl.DataFrame:
    count, steps = next(iter(columns.values())).shape
    return pl.DataFrame(
        {
            "sequence": np.repeat(np.arange(count), steps),
            "step": np.tile(np.arange(steps), count),
            **{name: values.ravel() for name, values in columns.items()},
            "answer": np.repeat(np.where(answer, "yes", "no"), steps),
        }
    )


def prepare(folder: Path) -> None:
    """Write the tables and the cell that the commands name."""
    draw = np.random.default_rng(0)
    recall(600, 200, draw).write_parquet(folder / "recall.parquet")
    adding(1000, 150, draw).write_parquet(folder / "adding.parquet")
    adding(600, 40, draw).write_parquet(folder / "shorter.parquet")
    write_relu(folder)


def write_relu(folder: Path) -> None:
    """Write the cell `relu.py:ReLU`."""
    (folder / "relu.py").write_text(_RELU, encoding="utf-8")


@dataclass(frozen=True)
class Outcome:
    """What a training came to, and what its diagnosis says."""

    case: Case
    seed: int
    metric: str
    value: float
    baseline: float
    findings: list[Finding]
    said: str
    seconds: float
    diagnosing: float
    remedy: str = ""

    @property
    def kind(self) -> str:
        """The verdict."""
        return self.findings[0].kind

    @property
    def alarm(self) -> bool:
        """Whether there is one."""
        return any(one.severity == "alarm" for one in self.findings)
