"""`python -m benchmarks.cells`: recurrent layers, ours beside their peers.

Milliseconds and useful GFLOP/s of a training step (forward, backward, gradients of all
weights; x without a gradient, or with one) and of inference, in float32. Results are
compared before they are timed. Contestants run in turn; times are medians.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import torch
from rich.console import Console

from benchmarks.comparing import Bench, Row
from benchmarks.contestants import SOURCES, choose
from benchmarks.options import read_cells, read_peers, read_shapes, read_works
from benchmarks.peak import peak_gflops
from benchmarks.peers import Ours, Peer, weights_of
from benchmarks.report import Report
from benchmarks.shapes import GATES, MORE, WORKS, Shape, Work

# Of the widest table, which a narrow window breaks: better than numbers cut off.
WIDTH = 150


def measure_all(
    bench: Bench,
    kinds: list[type[Peer]],
    cells: list[str],
    shapes: list[Shape],
    works: list[Work],
) -> Iterator[Row]:
    """Measure cells in every shape, all contestants with the same weights."""
    for cell in cells:
        for shape in shapes:
            weights = weights_of(cell, shape)
            chosen = [Ours, *(kind for kind in kinds if cell in kind.cells)]
            peers = [kind(cell, shape, weights) for kind in chosen]
            for work in works:
                yield bench.compare(peers, cell, shape, work)


@click.command(help=__doc__)
@click.option(
    "--cells",
    default=",".join(GATES),
    show_default=True,
    callback=read_cells,
    help="Which cells; GRUBefore resets before the product. There are as well: "
    + ", ".join(MORE),
)
@click.option(
    "--shapes", callback=read_shapes, help="'T,B,I,H T,B,I,H …'; by default all six."
)
@click.option(
    "--works",
    default=",".join(WORKS),
    show_default=True,
    callback=read_works,
    help="Which kinds of work.",
)
@click.option(
    "--peers",
    callback=read_peers,
    help=f"Which of: {', '.join(SOURCES)}; or all; or none. By default all that are "
    "installed but torch.compile, which unrolls every step and compiles for minutes.",
)
@click.option(
    "--profile",
    is_flag=True,
    help="Show as well where the time of a step of ours goes.",
)
@click.option(
    "--compile-budget",
    default=120.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds for a peer's first call; what takes longer is left out.",
)
@click.option(
    "--seconds",
    default=2.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="For each row of the tables, all contestants together.",
)
@click.option(
    "--rounds",
    default=5,
    show_default=True,
    type=click.IntRange(min=1),
    help="Samples of each contestant at least.",
)
@click.option(
    "--threads", type=click.IntRange(min=1), help="By default as many as PyTorch has."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, no tables.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write results.json, results.md and results.png into this folder.",
)
def main(
    cells: list[str],
    shapes: list[Shape],
    works: list[Work],
    peers: list[str] | None,
    profile: bool,
    compile_budget: float,
    seconds: float,
    rounds: int,
    threads: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = choose(peers)
    peak = partial(peak_gflops, torch.get_num_threads())
    bench = Bench(seconds, rounds, compile_budget, peak, profile)
    report = Report(chosen.left_out, compile_budget, too_slow=bench.too_slow)
    try:
        with Console(stderr=True).status("measuring") as status:
            for row in measure_all(bench, chosen.kinds, cells, shapes, works):
                report.rows.append(row)
                status.update(f"done: {row.cell}, {row.shape}, {row.work}")
    finally:
        # What is done is shown, whatever becomes of the rest.
        if report.rows:
            show(report, as_json, out)


def show(report: Report, as_json: bool, out: Path | None) -> None:
    """Print what was found, and write it where it is wanted."""
    if out is not None:
        report.save(out)
    if as_json:
        print(report.to_json())
        return
    report.print(Console(width=max(WIDTH, Console().width), highlight=False))


if __name__ == "__main__":
    main()
