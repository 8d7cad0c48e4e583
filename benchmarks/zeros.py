"""`python -m benchmarks.zeros`: what it brings to leave out the zeros of a ReLU.

A rectified layer whose bias sets how many of its units are 0, for several widths: how
many times as quick as products of all units are products by pattern, and what is chosen
while it runs. The crossover is where both take the same time. Elman's layer reads
numbers that are not 0; Feedforward is the second layer of a stack, as wide as the
first, whose output has as many zeros. In turn, medians, float32.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.measuring import measure_in_turn
from benchmarks.picture_of_zeros import draw_zeros
from throughtime.backends.llvm.options import Options
from throughtime.cells import Elman, Feedforward
from throughtime.graph import StepGraph, trace
from throughtime.graph.serialize import text_of
from throughtime.nn.compiled.engine import Engine
from throughtime.nn.compiled.extents import Extent, extent_of

WHOLE, LISTED, CHOSEN = "all units", "by pattern", "chosen"
SHARES = {WHOLE: 0.0, LISTED: 1.0, CHOSEN: Options().most_by_pattern}
WORKS = ("inference", "training step")
RECURRENT = 0.1
"""Recurrent weights are so small that the bias alone decides what is 0."""
HALVINGS = 24


@dataclass(frozen=True)
class Row:
    """How many times as quick as all units are two ways, of one width and share."""

    cell: str
    work: str
    hidden: int
    zeros: float
    milliseconds: float
    by_pattern: float
    chosen: float


class Layer:
    """A rectified layer, and the numbers of its calls.

    Parameters
    ----------
    cell
        ``"Elman"`` or ``"Feedforward"``.
    shape
        T, B, I, H.
    """

    def __init__(self, cell: str, shape: tuple[int, int, int, int]) -> None:
        steps, batch, inputs, hidden = shape
        torch.manual_seed(0)
        self.recurrent = cell == "Elman"
        size = inputs if self.recurrent else hidden
        made = Elman("relu") if self.recurrent else Feedforward("relu")
        graph = trace(made, size, hidden)
        if not self.recurrent:
            graph = replace(graph, zeros=("x",))
        bound = hidden**-0.5
        self.parameters = [
            torch.empty(one.shape).uniform_(-bound, bound) for one in graph.parameters
        ]
        names = [one.name for one in graph.parameters]
        self.bias = self.parameters[
            names.index("bias_ih" if self.recurrent else "bias")
        ]
        if self.recurrent:
            self.parameters[names.index("weight_hh")].mul_(RECURRENT)
        rows = steps * batch
        self.noise, self.lots = torch.randn(rows, size), torch.rand(rows, size)
        self.x = self.noise
        self.error = torch.randn(rows, hidden)
        self.extent: Extent = extent_of(self.recurrent, rows, None, steps, batch, False)
        self.engines = {
            (name, work): _engine(graph, share, training=work != WORKS[0])
            for name, share in SHARES.items()
            for work in WORKS
        }

    def set_zeros(self, share: float) -> float:
        """Set the bias so that so many units are 0; give how many are."""
        if not self.recurrent:
            self.x = self.noise.where(self.lots >= share, 0)
        low, high = -20.0, 20.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            self.bias.fill_(middle)
            low, high = (middle, high) if self.zeros() > share else (low, middle)
        self.bias.fill_(high if share else 20.0)
        return self.zeros()

    def zeros(self) -> float:
        """Give the share of units that are 0."""
        return float((self.output(CHOSEN) == 0).double().mean())

    def output(self, way: str) -> Tensor:
        """Run without a backward pass."""
        made = self.engines[way, WORKS[0]]
        output, *_ = made.forward([self.x], [], self.parameters, self.extent)
        return output

    def train(self, way: str) -> list[Tensor]:
        """Run forward and backward; give the gradients of the parameters."""
        made = self.engines[way, WORKS[1]]
        given = [self.x], [], self.parameters, self.extent
        output, finals, saved = made.forward(*given)
        nothing = [None] * len(finals)
        slopes = made.backward(
            *given, output, saved, self.error, nothing, overwrite=True
        )
        return slopes[2]

    def runs(self, work: str) -> dict[str, Callable[[], object]]:
        """Give what is measured, by way."""
        run = self.output if work == WORKS[0] else self.train
        return {way: lambda way=way: run(way) for way in SHARES}  # type: ignore[misc]


def _engine(graph: StepGraph, share: float, *, training: bool) -> Engine:
    options = Options(most_by_pattern=share)
    return Engine(text_of(graph), training, "", torch.float32, options=options)


def measure(
    cell: str,
    shape: tuple[int, int, int, int],
    shares: Sequence[float],
    seconds: float,
    rounds: int,
) -> list[Row]:
    """Measure a layer at so many zeros, both kinds of work."""
    layer = Layer(cell, shape)
    found: list[Row] = []
    for share in shares:
        zeros = layer.set_zeros(share)
        for work in WORKS:
            taken = measure_in_turn(layer.runs(work), seconds, rounds)
            whole = taken[WHOLE].seconds
            ratios = (whole / taken[way].seconds for way in (LISTED, CHOSEN))
            found.append(Row(cell, work, shape[3], zeros, 1000 * whole, *ratios))
    return found


def crossover(rows: Sequence[Row]) -> float | None:
    """Give the share of zeros from which on lists are the quicker way, if there is."""
    for one, following in pairwise(rows):
        if one.by_pattern < 1 <= following.by_pattern:
            part = (1 - one.by_pattern) / (following.by_pattern - one.by_pattern)
            return one.zeros + part * (following.zeros - one.zeros)
    return None


def read_numbers(_: click.Context, parameter: click.Parameter, given: str) -> list[int]:
    """Read whole numbers with commas between."""
    try:
        numbers = [int(text) for text in given.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0:
        raise click.BadParameter(
            f"{given!r} is no list for {parameter.name}; give numbers with commas, "
            "such as 0,50,90."
        )
    return numbers


@click.command(help=__doc__)
@click.option("--steps", default=100, show_default=True, type=click.IntRange(1))
@click.option("--batch", default=32, show_default=True, type=click.IntRange(1))
@click.option("--inputs", default=64, show_default=True, type=click.IntRange(1))
@click.option("--widths", default="128,256,512", callback=read_numbers)
@click.option(
    "--zeros",
    default="0,50,60,70,80,90,95",
    callback=read_numbers,
    help="Units that are 0, in percent.",
)
@click.option(
    "--cells", default="Elman,Feedforward", help="Elman, Feedforward, or both."
)
@click.option("--seconds", default=0.5, show_default=True, help="Of each comparison.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--threads", default=0, help="torch's threads; 0: as many as it has.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--picture", type=click.Path(path_type=Path), help="Write a PNG there.")
def main(
    steps: int,
    batch: int,
    inputs: int,
    widths: list[int],
    zeros: list[int],
    cells: str,
    seconds: float,
    rounds: int,
    threads: int,
    as_json: bool,
    picture: Path | None,
) -> None:
    """Measure and print."""
    if threads:
        torch.set_num_threads(threads)
    names = cells.split(",")
    for name in names:
        if name not in {"Elman", "Feedforward"}:
            raise click.BadParameter(f"{name!r} is neither Elman nor Feedforward.")
    shares = [percent / 100 for percent in sorted(zeros)]
    rows = [
        row
        for cell in names
        for width in widths
        for row in measure(cell, (steps, batch, inputs, width), shares, seconds, rounds)
    ]
    if picture is not None:
        picture.write_bytes(draw_zeros(rows))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    _print(rows)


def _print(rows: list[Row]) -> None:
    table = Table(title="times as quick as products of all units")
    columns = "cell", "work", "H", "zeros", WHOLE, LISTED, CHOSEN
    for column in columns:
        table.add_column(column, justify="left" if column == "cell" else "right")
    for row in rows:
        numbers = f"{row.milliseconds:.2f} ms", f"{row.by_pattern:.2f}×"
        place = row.cell, row.work, str(row.hidden), f"{row.zeros:.0%}"
        table.add_row(*place, *numbers, f"{row.chosen:.2f}×")
    console = Console()
    console.print(table)
    kinds = dict.fromkeys((row.cell, row.work, row.hidden) for row in rows)
    for cell, work, hidden in kinds:
        own = [r for r in rows if (r.cell, r.work, r.hidden) == (cell, work, hidden)]
        place = crossover(own)
        where = "not crossed" if place is None else f"crossover at {place:.0%} zeros"
        console.print(f"{cell}, {work}, H = {hidden}: {where}")


if __name__ == "__main__":
    main()
