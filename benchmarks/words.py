"""`python -m benchmarks.words TEXTS`: words as rows of a table, few answers.

An LSTM of 64 units reads passages of 50 words, one one-hot word a step; the mean of its
outputs says which play a passage is from. Input layer and update for tables of growing
d, Python included: 1,000 rows (the rarer words share one), a row for every word, and
tables most of whose rows no word has. Then the time until passages that were held out
reach a loss: `LazyFOBOS`, beside the same equations for all weights in every step, by
the same kernels, and `torch.optim.SGD(fused=True)`. In turn, medians, one core.

TEXTS is what `python scripts/make_shakespeare.py --all TEXTS` writes.
"""

import json
from dataclasses import asdict
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.learning_words import LAZY, Goal, Parts, Reached, learn_in_turn
from benchmarks.measuring import Timing, measure_in_turn
from benchmarks.passages import TITLE_PAGE, Passages
from throughtime.data.loading import bundled_text

FEW, MANY, VERY_MANY = 1_000, 100_000, 1_000_000
NO_TEXTS = (
    "the texts are not in this package: `python scripts/make_shakespeare.py --all "
    "shakespeare.txt` fetches and writes them, then give shakespeare.txt; or take "
    "--quick, which reads the bundled part"
)


def read(texts: Path | None, quick: bool) -> Passages:
    """Read the passages of all plays; of the bundled ones where a few will do."""
    if texts is None and not quick:
        raise click.UsageError(NO_TEXTS)
    if texts is None:
        bundled = bundled_text("shakespeare")
        assert bundled is not None
        return Passages.of(bundled)
    text = texts.read_text("utf-8")
    if TITLE_PAGE.search(text) is None:
        raise click.UsageError(f"{texts} has no title page of a work; {NO_TEXTS}")
    return Passages.of(text)


def measure_sizes(
    passages: Passages, sizes: list[int], seconds: float
) -> dict[int, dict[str, Timing]]:
    """Measure input layer and update of tables, apart and together."""
    runs = {d: Parts(passages, d).runs() for d in sizes}
    flat = {f"{d} {name}": runs[d][name] for d in sizes for name in runs[d]}
    found = measure_in_turn(flat, seconds, rounds=5)
    return {d: {name: found[f"{d} {name}"] for name in runs[d]} for d in sizes}


def of_sizes(found: dict[int, dict[str, Timing]]) -> Table:
    """Put sizes into a table; the last column compares "both"."""
    names = list(next(iter(found.values())))
    table = Table(title="milliseconds a batch: medians (interquartile range)")
    for name in ("rows", *names, "of the quickest"):
        table.add_column(name, justify="right")
    quickest = min(parts["both"].seconds for parts in found.values())
    for d, parts in found.items():
        cells = [
            f"{one.seconds * 1e3:.2f} ({one.noise or 0:.0%})" for one in parts.values()
        ]
        ratio = f"{parts['both'].seconds / quickest:.2f}"
        table.add_row(f"{d:,}", *cells, ratio)
    return table


def of_learning(found: dict[str, Reached], goal: Goal) -> Table:
    """Put ways into a table; seconds as multiples of the lazy ones."""
    table = Table(title=f"until passages held out have a loss of {goal.loss:g}")
    for name in ("", "steps", "loss", "right", "seconds", "ms a step", "of lazy"):
        table.add_column(name, justify="right" if name else "left")
    for way, one in found.items():
        cells = (
            f"{one.steps:,}",
            f"{one.loss:.3f}" + " (not reached)" * (one.loss > goal.loss),
            f"{one.accuracy:.1%}",
            f"{one.seconds:.1f}",
            f"{one.seconds / one.steps * 1e3:.2f}",
            f"{one.seconds / found[LAZY].seconds:.2f}",
        )
        table.add_row(way, *cells)
    return table


@click.command(help=__doc__)
@click.argument("texts", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--quick", is_flag=True, help="Two tables, and bundled plays will do.")
@click.option(
    "--seconds", type=click.FloatRange(min=0), help="Of tables  [default: 60, quick: 0]"
)
@click.option(
    "--epochs", type=click.IntRange(1), help="At most  [default: 20, quick: 1]"
)
@click.option("--loss", default=2.0, show_default=True, type=click.FloatRange(min=0))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(
    texts: Path | None,
    quick: bool,
    seconds: float | None,
    epochs: int | None,
    loss: float,
    as_json: bool,
) -> None:
    torch.set_num_threads(1)
    passages = read(texts, quick)
    sizes = [FEW, passages.different, *([] if quick else [MANY, VERY_MANY])]
    seconds = (0 if quick else 60) if seconds is None else seconds
    epochs = epochs or (1 if quick else 20)
    goal = Goal(loss, epochs, every=10 if quick else 100)
    tables = measure_sizes(passages, sizes, seconds)
    learned = learn_in_turn(passages, goal)
    counts = {
        "words": passages.different,
        "plays": int(passages.plays.max()) + 1,
        "passages": len(passages.plays),
        "held out": int(passages.held_out.sum()),
    }
    if as_json:
        sized = {
            d: {name: asdict(one) for name, one in parts.items()}
            for d, parts in tables.items()
        }
        learning = {way: asdict(one) for way, one in learned.items()}
        found = {**counts, "loss": loss, "tables": sized, "learning": learning}
        print(json.dumps(found))
        return
    console = Console()
    console.print(", ".join(f"{count:,} {name}" for name, count in counts.items()))
    console.print(of_sizes(tables), of_learning(learned, goal))


if __name__ == "__main__":
    main()
