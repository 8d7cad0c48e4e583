"""`python -m benchmarks.cells`: recurrent layers, ours beside their peers.

Milliseconds and useful GFLOP/s of a training step (forward, backward, gradients of all
weights; x without a gradient, and on a row of its own with one) and of inference, in
float32. Contestants run in turn; times are medians.
"""

import json
import os
import platform
import statistics
from collections.abc import Iterator

import click
import torch
from rich.console import Console

from benchmarks.comparing import Row, compare, contestants
from benchmarks.peak import peak_gflops
from benchmarks.shapes import GATES, SHAPES, WORKS, Shape, geometric_mean
from benchmarks.tables import tables
from throughtime.backends.llvm.target import host


def read_cells(_: click.Context, __: click.Parameter, given: str) -> list[str]:
    """Read names of cells, with commas between."""
    names = [name.strip() for name in given.split(",")]
    for name in names:
        if name not in GATES:
            known = ", ".join(GATES)
            raise click.BadParameter(f"{name!r} is not measured; choose from {known}.")
    return names


def read_shapes(
    _: click.Context, __: click.Parameter, given: str | None
) -> list[Shape]:
    """Read shapes, each four numbers with commas, with spaces between the shapes."""
    if given is None:
        return list(SHAPES)
    shapes = []
    for text in given.split():
        try:
            shape = Shape(*map(int, text.split(",")))
        except (TypeError, ValueError):
            shape = Shape(0, 0, 0, 0)
        if min(shape) < 1:
            raise click.BadParameter(
                f"{text!r} is no shape; give T,B,I,H as four positive numbers, such as "
                "'100,32,64,128', and a space between two shapes."
            )
        shapes.append(shape)
    if not shapes:
        raise click.BadParameter("no shape is given; leave the option out for all six.")
    return shapes


def measure_all(
    cell: str, shapes: list[Shape], seconds: float, rounds: int
) -> Iterator[Row]:
    """Measure a cell in every shape, the machine's peak before each row."""
    for shape in shapes:
        peers = contestants(cell, shape)
        for work in WORKS:
            peak = peak_gflops(torch.get_num_threads())
            yield from compare(
                peers, cell, shape, work, seconds=seconds, rounds=rounds, peak=peak
            )


def machine(rows: list[Row]) -> dict[str, object]:
    """Say where and under which load the times were taken."""
    peaks = sorted({row.peak for row in rows})
    return {
        "cpu": host().cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "peak_gflops": statistics.median(peaks),
        "peak_gflops_range": [peaks[0], peaks[-1]],
    }


@click.command(help=__doc__)
@click.option(
    "--cells",
    default=",".join(GATES),
    show_default=True,
    callback=read_cells,
    help="Which cells.",
)
@click.option(
    "--shapes", callback=read_shapes, help="'T,B,I,H T,B,I,H …'; by default all six."
)
@click.option(
    "--seconds",
    default=1.0,
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
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(
    cells: list[str],
    shapes: list[Shape],
    seconds: float,
    rounds: int,
    threads: int | None,
    as_json: bool,
) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    # Into a file or a pipe the tables are as wide as they need to be.
    console = Console(width=None if Console().is_terminal else 120, highlight=False)
    rows: list[Row] = []
    with Console(stderr=True).status("measuring") as status:
        for cell in cells:
            found: list[Row] = []
            for row in measure_all(cell, shapes, seconds, rounds):
                found.append(row)
                status.update(f"{row.cell}, {row.shape}, {row.work}: {row.ratio:.2f}×")
            rows += found
            # A cell that is done is shown, whatever becomes of the others.
            if not as_json:
                console.print(*tables(found), sep="\n")
    if as_json:
        document = {"machine": machine(rows), "rows": [row.to_json() for row in rows]}
        print(json.dumps(document, indent=1, ensure_ascii=False))
        return
    summarise(rows, console)


def summarise(rows: list[Row], console: Console) -> None:
    """Print means over all cells, and what must be known to read the tables."""
    for work in WORKS:
        ratios = [row.ratio for row in rows if row.work == work]
        console.print(f"geometric mean, {work}: {geometric_mean(ratios):.2f}×")
    found = machine(rows)
    low, high = min(row.peak for row in rows), max(row.peak for row in rows)
    console.print(
        f"fused multiply-adds in registers: {found['peak_gflops']:.0f} GFLOP/s "
        f"({low:.0f} to {high:.0f} during the run), {found['threads']} threads, "
        f"{found['cpu']}, torch {found['torch']}, load {found['load']}"
    )
    console.print(
        "ms: median · noise: interquartile range of the noisier one, as a part of its "
        "median · ratio: the peer's time in ours"
    )


if __name__ == "__main__":
    main()
