"""`python -m benchmarks.temporal_order`: what clipping and the flow penalty bring.

Tanh networks of 50 units that start at the identity learn the temporal order of two
symbols, in sequences of 50 to 100 steps, in three ways: by gradient descent with
momentum, with a clipped gradient, and with the flow penalty besides. Each way takes the
best of the same step widths, by the loss of one seed that is not counted after a third
of the updates, and is then tried with others.
"""

import json
import math
import multiprocessing
from collections.abc import Sequence
from typing import Any, NamedTuple

import click
import torch
from rich.console import Console
from rich.table import Table

from throughtime.bench.temporal_order import Outcome, learn

RATES = (0.001, 0.002, 0.004)
CLIP, PENALTY = 0.25, 2.0
WAYS: dict[str, dict[str, float]] = {
    "SGD": {},
    "SGD, clipped": {"clip": CLIP},
    "SGD, clipped, flow penalty": {"clip": CLIP, "flow_penalty": PENALTY},
}
CHOOSING = 0
"""The seed by which step widths are chosen."""


class Trial(NamedTuple):
    """One training, as it is asked for."""

    way: str
    learning_rate: float
    seed: int
    updates: int

    def run(self) -> Outcome:
        """Train, on one thread."""
        torch.set_num_threads(1)
        return learn(
            learning_rate=self.learning_rate,
            seed=self.seed,
            updates=self.updates,
            **WAYS[self.way],  # type: ignore[bad-argument-type]
        )


def rank(outcome: Outcome) -> tuple[bool, float]:
    """Say how good an outcome is: solved, then of the least loss."""
    loss = math.inf if math.isnan(outcome.loss) else outcome.loss
    return not outcome.solved, loss


def run_all(trials: Sequence[Trial], processes: int) -> list[Outcome]:
    """Run trainings, so many at a time."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.map(Trial.run, trials, chunksize=1)


def compare(seeds: int, updates: int, processes: int) -> list[dict[str, Any]]:
    """Choose a step width for each way, then try all seeds; a row for each way."""
    choosing = [Trial(way, r, CHOOSING, updates // 3) for way in WAYS for r in RATES]
    found = dict(zip(choosing, run_all(choosing, processes), strict=True))
    chosen = {
        way: min(
            (one for one in choosing if one.way == way), key=lambda t: rank(found[t])
        )
        for way in WAYS
    }
    trials = [
        chosen[way]._replace(seed=CHOOSING + 1 + seed, updates=updates)
        for way in WAYS
        for seed in range(seeds)
    ]
    outcomes = list(zip(trials, run_all(trials, processes), strict=True))
    return [
        _row(chosen[way], [one for trial, one in outcomes if trial.way == way])
        for way in WAYS
    ]


def _row(chosen: Trial, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "way": chosen.way,
        "learning_rate": chosen.learning_rate,
        "solved": sum(one.solved for one in outcomes),
        "seeds": len(outcomes),
        "wrong": [one.wrong for one in outcomes],
        "updates": [one.updates for one in outcomes],
        "seconds": [one.seconds for one in outcomes],
    }


def _span(values: Sequence[float], form: str) -> str:
    least, most = (format(value, form) for value in (min(values), max(values)))
    return least if least == most else f"{least} to {most}"


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """Give a line for each way."""
    shown = Table("", "step width", "solved", "wrong", "updates", "seconds")
    for row in rows:
        shown.add_row(
            row["way"],
            str(row["learning_rate"]),
            f"{row['solved']} of {row['seeds']}",
            _span(row["wrong"], ".1%"),
            _span(row["updates"], ",d"),
            _span(row["seconds"], ".0f"),
        )
    return shown


@click.command()
@click.option("--seeds", default=5, show_default=True, help="Trainings of each way.")
@click.option("--updates", default=15_000, show_default=True, help="At most.")
@click.option("--processes", default=1, show_default=True, help="Trainings at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def main(seeds: int, updates: int, processes: int, as_json: bool) -> None:
    """Try all three ways, and say how often each solves the task."""
    rows = compare(seeds, updates, processes)
    if as_json:
        click.echo(json.dumps({"rows": rows, "updates": updates}))
    else:
        Console(width=100).print(table(rows))


if __name__ == "__main__":
    main()
