"""`python -m benchmarks.treatments`: what each treatment of error through time does.

A network that does not learn a long lag because error vanishes, one that does not
because it explodes, and the treatments of each, a flag or two: all in one picture, how
much error is left at each lag behind the training, without the treatment and with it.
"""

import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import click
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.sick_cases import adding, recall, write_relu
from benchmarks.sick_runs import call, in_folder, result
from throughtime.train.showing.look import STYLE

READ = "--sequence sequence --time step --target answer --split sequence --threads 1"
VANISHES = f"recall.parquet {READ} --hidden-size 32 --epochs 40 --patience 40"
EXPLODES = f"adding.parquet {READ} --hidden-size 64 --epochs 80 --patience 80"
RELU = "--cell relu.py:ReLU --init identity"


class Treatment(NamedTuple):
    """A training, what is wrong with it, and the flags that treat it."""

    words: str
    without: str
    flags: str


TREATMENTS = (
    Treatment(VANISHES, "--cell elman", "--cell elman --init orthogonal"),
    Treatment(VANISHES, "--cell elman", "--cell elman --flossing 100"),
    Treatment(VANISHES, "--cell elman", "--cell elman --flow-penalty 1"),
    Treatment(VANISHES, "--cell elman", "--cell lstm --init chrono"),
    Treatment(EXPLODES, f"{RELU} --clip 0", f"{RELU} --clip 1"),
)


class Outcome(NamedTuple):
    """Accuracy on the test part, and ‖∂L/∂s‖ by lag, of the state it reaches most."""

    accuracy: float
    lags: list[int]
    norms: list[float]


def trained(words: str, flags: str, seed: int, folder: Path) -> Outcome:
    """Train and diagnose."""
    out = folder / f"{'-'.join(flags.split())}-{seed}".replace("/", "")
    given = [in_folder(folder, word) for word in f"{words} {flags}".split()]
    said = call("train", *given, "--seed", str(seed), "--quiet", "--out", str(out))
    call("diagnose", str(out), "--threads", "1")
    _, accuracy, _ = result(out, said)
    found = json.loads((out / "diagnosis.json").read_text(encoding="utf-8"))["lags"]
    layer = max(found["layers"], key=lambda one: _numbers(one["norms"])[-1])
    return Outcome(accuracy, found["lags"], _numbers(layer["norms"]))


def _numbers(values: Sequence[Any]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def everything(
    seeds: Sequence[int], folder: Path, workers: int
) -> dict[tuple[str, int], Outcome]:
    """Run each training once with each seed; by flags and seed."""
    draw = np.random.default_rng(0)
    recall(600, 100, draw).write_parquet(folder / "recall.parquet")
    adding(1000, 150, draw).write_parquet(folder / "adding.parquet")
    write_relu(folder)
    asked = {
        (flags, seed): one.words
        for one in TREATMENTS
        for flags in (one.without, one.flags)
        for seed in seeds
    }
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {
            (flags, seed): pool.submit(trained, words, flags, seed, folder)
            for (flags, seed), words in asked.items()
        }
        return {place: future.result() for place, future in waiting.items()}


def draw_all(found: dict[tuple[str, int], Outcome], seed: int) -> Figure:
    """Draw the error by lag of each treatment, beside that without."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 5.6), layout="constrained")
        panels = figure.subplots(2, 3, sharey=True).flat
        for panel, one in zip(panels, TREATMENTS, strict=False):
            _panel(panel, one, found[one.without, seed], found[one.flags, seed])
        for panel in list(figure.axes)[len(TREATMENTS) :]:
            panel.set_axis_off()
        figure.supxlabel("lag: steps before the answer", fontsize=9)
        figure.supylabel("‖∂L/∂s‖, of that at lag 0", fontsize=9)
    return figure


def _panel(axes: Axes, one: Treatment, without: Outcome, treated: Outcome) -> None:
    shared = set(one.without.split()) & set(one.flags.split())
    shown = [
        " ".join(word for word in _pairs(flags) if not set(word.split()) <= shared)
        for flags in (one.without, one.flags)
    ]
    for name, outcome, colour in (
        (shown[0] or "without", without, "0.6"),
        (shown[1], treated, "C0"),
    ):
        share = np.asarray(outcome.norms) / outcome.norms[0]
        label = f"{name}: accuracy {outcome.accuracy:.2f}"
        axes.semilogy(outcome.lags, share, color=colour, label=label)
    axes.set_title(shown[1], loc="left")
    axes.set_ylim(1e-12, 1e4)
    axes.legend(loc="lower left", fontsize=8)


def _pairs(flags: str) -> list[str]:
    """Each option with its value."""
    words = flags.split()
    return [f"{a} {b}" for a, b in zip(words[::2], words[1::2], strict=True)]


def table_of(found: dict[tuple[str, int], Outcome], seeds: Sequence[int]) -> Table:
    """Accuracies of all seeds."""
    table = Table(title="Accuracy on the test part")
    table.add_column("task")
    table.add_column("flags")
    for seed in seeds:
        table.add_column(f"seed {seed}", justify="right")
    trainings = {
        flags: one.words.split(".")[0]
        for one in TREATMENTS
        for flags in (one.without, one.flags)
    }
    for flags, task in trainings.items():
        values = [f"{found[flags, seed].accuracy:.3f}" for seed in seeds]
        table.add_row(task, flags, *values)
    return table


@click.command(help=__doc__)
@click.option("--seeds", default="10,11,12", show_default=True, help="With commas.")
@click.option("--workers", type=int, default=2, show_default=True, help="Processes.")
@click.option("--picture", type=click.Path(path_type=Path), help="Write a PNG there.")
def main(seeds: str, workers: int, picture: Path | None) -> None:
    """Run all, print the accuracies, and draw the first seed."""
    numbers = [int(seed) for seed in seeds.split(",")]
    with tempfile.TemporaryDirectory() as name:
        found = everything(numbers, Path(name), workers)
    Console().print(table_of(found, numbers))
    if picture is not None:
        draw_all(found, numbers[0]).savefig(picture, dpi=110)


if __name__ == "__main__":
    main()
