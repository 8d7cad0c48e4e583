"""`python -m benchmarks.sick_runs`: runs that do not learn, diagnosed and mended.

Three kinds of sick runs and three healthy ones, each with several seeds: trained,
diagnosed, and the sick ones trained again with the remedy that the diagnosis names.
Writes the page of the documentation about it.
"""

import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from benchmarks.sick_page import page

_RELU = """from throughtime.cells import Elman


class ReLU(Elman):
    def __init__(self) -> None:
        super().__init__("relu")
"""
_READ = "--sequence sequence --time step --target answer --split sequence"
_SEQUENCES = 600


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
        "--hidden-size 32 --epochs 60",
        "exploding",
    ),
    Case(
        "a saturated LSTM",
        "saturated",
        f"shorter.parquet {_READ} --cell lstm --hidden-size 32 --learning-rate 0.5 "
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


def recall(lag: int, draw: np.random.Generator) -> pl.DataFrame:
    """Sequences that ask at their last step which of two things the first one was."""
    first = draw.integers(0, 2, _SEQUENCES)
    x = np.zeros((_SEQUENCES, lag + 1))
    x[:, 0] = 2 * first - 1
    return _table({"x": x}, first)


def adding(steps: int, draw: np.random.Generator) -> pl.DataFrame:
    """Sequences that ask whether two marked numbers, one in each half, exceed 1.

    The adding problem of Hochreiter and Schmidhuber (1997), with a yes or no.
    """
    value, mark = draw.random((_SEQUENCES, steps)), np.zeros((_SEQUENCES, steps))
    rows, half = np.arange(_SEQUENCES), steps // 2
    places = draw.integers(0, half, _SEQUENCES), draw.integers(half, steps, _SEQUENCES)
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
    recall(200, draw).write_parquet(folder / "recall.parquet")
    adding(100, draw).write_parquet(folder / "adding.parquet")
    adding(40, draw).write_parquet(folder / "shorter.parquet")
    (folder / "relu.py").write_text(_RELU, encoding="utf-8")


@dataclass(frozen=True)
class Outcome:
    """What a training came to, and what its diagnosis says."""

    case: Case
    seed: int
    metric: str
    value: float
    baseline: float
    findings: list[dict[str, Any]]
    said: str
    seconds: float
    diagnosing: float
    remedy: str = ""

    @property
    def kind(self) -> str:
        """The verdict."""
        return self.findings[0]["kind"]

    @property
    def alarm(self) -> bool:
        """Whether there is one."""
        return any(one["severity"] == "alarm" for one in self.findings)


def outcome(case: Case, seed: int, folder: Path, remedy: str = "") -> Outcome:
    """Train, as a person would, and diagnose."""
    out = folder / f"{case.ending or case.name}-{seed}{'-mended' if remedy else ''}"
    words = [_in(folder, word) for word in f"{case.words} {remedy}".split()]
    start = time.perf_counter()
    trained = _call(
        "train", *words, *f"--seed {seed} --threads 1 --quiet --out".split(), str(out)
    )
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    said = _call("diagnose", str(out), "--threads", "1")
    took = time.perf_counter() - start
    metric, value, baseline = _result(out, trained)
    findings = json.loads((out / "diagnosis.json").read_text())["findings"]
    return Outcome(
        case, seed, metric, value, baseline, findings, said, seconds, took, remedy
    )


def _in(folder: Path, word: str) -> str:
    return str(folder / word) if ".parquet" in word or ".py:" in word else word


def _call(*words: str) -> str:
    """Run a command, and give what it prints; a training that diverges says so."""
    from throughtime.cli import main

    printed = StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            main(list(words), standalone_mode=False)
        except SystemExit as end:
            if end.code not in (0, None):
                printed.write(f"ended with {end.code}\n")
    return printed.getvalue()


def _result(out: Path, trained: str) -> tuple[str, float, float]:
    """The metric on the test part, and that of the simplest trivial method."""
    from throughtime.train import open_run

    run = open_run(out)
    value = run.evaluate("test")[run.metric]
    return run.metric, value, next(iter(run.baselines().values()), float("nan"))


def healed(case: Case, seed: int, folder: Path) -> tuple[Outcome, Outcome | None]:
    """Train and diagnose; where there is an alarm, do so again with its remedy."""
    first = outcome(case, seed, folder)
    remedy = first.findings[0]["remedy"]
    if not first.alarm or remedy is None:
        return first, None
    return first, outcome(case, seed, folder, remedy)


def everything(
    seeds: Sequence[int], folder: Path, workers: int, report: Callable[[str], None]
) -> list[tuple[Outcome, Outcome | None]]:
    """Run all cases with all seeds, healthy ones with the first three."""
    prepare(folder)
    jobs = [(case, seed) for case in SICK for seed in seeds]
    jobs += [(case, seed) for case in HEALTHY for seed in seeds[:3]]
    found: list[tuple[Outcome, Outcome | None]] = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(healed, case, seed, folder) for case, seed in jobs]
        for future in waiting:
            first, second = future.result()
            found.append((first, second))
            mended = ""
            if second is not None:
                mended = f"; {second.remedy}: {second.value:.3f}, {second.kind}"
            report(
                f"{first.case.name}, seed {first.seed}: {first.metric} "
                f"{first.value:.3f}, {first.kind}{mended} ({first.seconds:.0f} s)"
            )
    return found


@click.command(help=__doc__)
@click.option("--seeds", default="0,1,2,3,4", show_default=True, help="With commas.")
@click.option("--workers", type=int, default=2, show_default=True, help="Processes.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the page goes; by default nowhere. Pictures go to images/ beside it.",
)
def main(seeds: str, workers: int, out: Path | None) -> None:
    """Run all, print a line for each, and write the page."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        numbers = [int(seed) for seed in seeds.split(",")]
        found = everything(numbers, folder, workers, click.echo)
        took = time.perf_counter() - start
        machine = f"{platform.machine()}, {workers} processes of one thread"
        if out is not None:
            out.write_text(page(found, took, machine), encoding="utf-8")
            images = out.parent / "images"
            for case in SICK:
                picture = folder / f"{case.ending}-{numbers[0]}" / "diagnosis.png"
                shutil.copy(picture, images / f"sick-{case.ending}.png")
    named = [first.kind == first.case.expected for first, _ in found]
    click.echo(f"{sum(named)} of {len(named)} named as expected, {took:.0f} s")


if __name__ == "__main__":
    main()
