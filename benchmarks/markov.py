"""`python -m benchmarks.markov`: Markov chains beside recurrent networks, by lag.

On a source whose symbols depend on the one L steps back alone
(`throughtime.bench.lagged_source`): bits per symbol of chains with 0 to L + 1 symbols
of context, beside their floors and a recurrent network; then what share of what is to
be learned chains and networks learn at each lag, and up to which lag it is half.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any, Final, NamedTuple

import click
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.picture_of_markov import NAMES, draw_floors, draw_lags
from throughtime.bench.lagged_source import (
    RECIPES,
    LaggedSource,
    Outcome,
    chain,
    memory_capacity,
    network,
    parts,
)
from throughtime.train.showing.look import png

ONE: Final = LaggedSource(5, symbols=4, repeat=0.8)
"""The source whose floors are drawn."""
LAGS: Final = (2, 4, 8, 12, 16, 24, 32)
SHORT: Final = range(1, 9)
"""Lags at which chains are counted besides: it takes no time."""
CONTEXTS: Final = (1, 2, 3, 4, 5, 6, 8, 12)


class Trial(NamedTuple):
    """A source and a model: a chain by its context, or a network by its cell."""

    source: LaggedSource
    model: int | str
    seed: int
    steps: int
    epochs: int

    def run(self) -> Outcome:
        """Draw, learn and judge, on one thread."""
        torch.set_num_threads(1)
        drawn = parts(self.source, steps=self.steps)
        if isinstance(self.model, int):
            return chain(self.source, self.model, drawn)
        cell, epochs, seed = self.model, self.epochs, self.seed
        return network(self.source, cell, drawn, epochs=epochs, seed=seed)


Found = Mapping[Trial, Outcome]


def trials(
    lags: Sequence[int], seeds: Sequence[int], steps: int, epochs: int
) -> list[Trial]:
    """List all that is measured, what takes long first; a chain has one seed."""
    networks = [
        Trial(source, cell, seed, steps, epochs)
        for source in (ONE, *map(LaggedSource, lags))
        for cell in (["gru"] if source == ONE else RECIPES)
        for seed in seeds
    ]
    chains = [Trial(ONE, k, 0, steps, epochs) for k in range(ONE.lag + 2)]
    chains += [
        Trial(LaggedSource(lag), k, 0, steps, epochs)
        for lag in sorted({*lags, *SHORT})
        for k in CONTEXTS
    ]
    return networks[::-1] + chains


def measure(asked: Sequence[Trial], processes: int) -> dict[Trial, Outcome]:
    """Run all, so many at a time."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return dict(zip(asked, pool.map(Trial.run, asked), strict=True))


def of_one(found: Found) -> dict[int | str, list[Outcome]]:
    """Give the outcomes of each model on the source whose floors are drawn, by seed."""
    shown: dict[int | str, list[Outcome]] = {}
    for trial, outcome in found.items():
        if trial.source == ONE:
            shown.setdefault(trial.model, []).append(outcome)
    return shown


def by_lag(found: Found) -> dict[int | str, dict[int, list[float]]]:
    """Give the successes of each model at each lag, by seed."""
    shown: dict[int | str, dict[int, list[float]]] = {}
    for trial, outcome in found.items():
        if trial.source != ONE:
            lags = shown.setdefault(trial.model, {})
            lags.setdefault(trial.source.lag, []).append(outcome.success)
    return {model: dict(sorted(lags.items())) for model, lags in shown.items()}


def name_of(model: int | str) -> str:
    """Say what a model is."""
    if isinstance(model, str):
        return NAMES[model]
    return f"chain, {model} symbol{'s' * (model != 1)}"


def floors_table(found: Found) -> Table:
    """Lay bits per symbol out in rows, beside what is known."""
    table = Table(
        title=f"L = {ONE.lag}, {ONE.symbols} symbols, h = {ONE.entropy_rate:.4f}"
    )
    for heading in ("model", "floor", "bits per symbol", "numbers kept"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    outcomes = of_one(found)
    for model in sorted(outcomes, key=lambda one: (isinstance(one, str), one)):
        floor = f"{ONE.floor(model):.4f}" if isinstance(model, int) else ""
        bits = [outcome.bits for outcome in outcomes[model]]
        spread = f"{mean(bits):.4f}"
        if len(bits) > 1:
            spread += f" ({min(bits):.4f} to {max(bits):.4f})"
        numbers = f"{outcomes[model][0].numbers:,}"
        table.add_row(name_of(model), floor, spread, numbers)
    return table


def lags_table(found: Found) -> Table:
    """Lay success out by model and lag, with each model's memory capacity."""
    learned = by_lag(found)
    lags = sorted({lag for one in learned.values() for lag in one})
    table = Table(title="what share of the learnable bits is learned at lag L")
    table.add_column("model", no_wrap=True)
    for heading in (*map(str, lags), "capacity"):
        table.add_column(heading, justify="right")
    for model in sorted(learned, key=lambda one: (isinstance(one, str), one)):
        means = {lag: mean(each) for lag, each in learned[model].items()}
        shares = [f"{means[lag]:.2f}" if lag in means else "" for lag in lags]
        table.add_row(name_of(model), *shares, str(memory_capacity(means)))
    return table


def as_object(found: Found) -> dict[str, Any]:
    """Give all outcomes for a file."""
    named = [
        {"lag": one.source.lag, "symbols": one.source.symbols, "seed": one.seed}
        | {"model": name_of(one.model)}
        | outcome._asdict()
        for one, outcome in found.items()
    ]
    return {"outcomes": named}


@click.command(help=__doc__)
@click.option("--lags", default=",".join(map(str, LAGS)), show_default=True)
@click.option("--seeds", default=1, show_default=True, help="Of each network.")
@click.option("--steps", default=100_000, show_default=True, help="To learn from.")
@click.option("--epochs", default=10, show_default=True, help="Of each network.")
@click.option("--processes", default=1, show_default=True, help="At a time.")
@click.option(
    "--pictures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write markov-floors.png and success-by-lag.png there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def main(
    lags: str,
    seeds: int,
    steps: int,
    epochs: int,
    processes: int,
    pictures: Path | None,
    as_json: bool,
) -> None:
    """Measure all, print it, and draw."""
    given = [int(lag) for lag in lags.split(",")]
    found = measure(trials(given, range(seeds), steps, epochs), processes)
    if as_json:
        click.echo(json.dumps(as_object(found)))
    else:
        console = Console(width=130)
        console.print(floors_table(found))
        console.print(lags_table(found))
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        drawn = {
            "markov-floors": draw_floors(ONE, of_one(found)),
            "success-by-lag": draw_lags(by_lag(found)),
        }
        for name, figure in drawn.items():
            (pictures / f"{name}.png").write_bytes(png(figure))


if __name__ == "__main__":
    main()
