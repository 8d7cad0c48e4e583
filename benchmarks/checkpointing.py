"""`python -m benchmarks.checkpointing`: what bounded memory saves, and what it costs.

A training step of an LSTM that stores everything, and of the same one that stores
states now and then: medians of times taken in turn, and by how much the memory of a
process of its own grows at most, beyond input, output, their gradients and the
parameters.
"""

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import measure_in_turn
from benchmarks.options import read_shapes
from benchmarks.shapes import Shape
from throughtime.cells import LSTM
from throughtime.nn import Recurrent

PLAIN = "everything is stored"
STATUS = Path("/proc/self/status")
# Linux forgets a process's highest memory when it is told this number.
CLEAR = Path("/proc/self/clear_refs"), "5"
Ways = dict[str, dict[str, Any]]
"""Seconds, noise and bytes, by the name of the way."""


def step_of(shape: Shape, checkpoint: int | str | None) -> Callable[[], object]:
    """Make a training step: output, gradients of input and weights."""
    torch.manual_seed(0)
    steps, batch, inputs, hidden = shape
    module = Recurrent(LSTM(), inputs, hidden, backend="llvm", checkpoint=checkpoint)
    x = torch.randn(steps, batch, inputs, requires_grad=True)
    error = torch.randn(steps, batch, hidden)

    def step() -> object:
        module.zero_grad()
        x.grad = None
        output, _ = module(x)
        output.backward(error)
        return output

    return step


def read_checkpoint(_: object, __: object, given: str) -> int | str:
    """Read a number of steps, or leave the text."""
    return int(given) if given.isdecimal() else given


def _kibibytes(name: str) -> int:
    lines = (line.split() for line in STATUS.read_text().splitlines())
    return next(int(words[1]) for words in lines if words[0] == f"{name}:")


def memory_of(shape: Shape, checkpoint: int | str | None, threads: int) -> int:
    """Measure the bytes that a step takes at most beside what every step has."""
    torch.set_num_threads(threads)
    step_of(shape._replace(steps=4), checkpoint)()  # compiles
    step = step_of(shape, checkpoint)
    file, text = CLEAR
    file.write_text(text)
    before = _kibibytes("VmRSS")
    output = step()
    grown = 1024 * (_kibibytes("VmHWM") - before)
    steps, batch, inputs, hidden = shape
    weights = 4 * hidden * (inputs + hidden + 2)
    del output
    return grown - 4 * (steps * batch * (hidden + inputs) + weights)


def measure(shape: Shape, checkpoint: int | str, seconds: float, threads: int) -> Ways:
    """Give seconds and bytes of both ways, by name."""
    torch.set_num_threads(threads)
    ways = {PLAIN: None, f"checkpoint={checkpoint!r}": checkpoint}
    steps = {name: step_of(shape, way) for name, way in ways.items()}
    timings = measure_in_turn(steps, seconds, rounds=3)
    fresh = multiprocessing.get_context("spawn")
    found: Ways = {}
    for name, way in ways.items():
        with fresh.Pool(1) as alone:
            grown = alone.apply(memory_of, (shape, way, threads))
        timing = timings[name]
        found[name] = {"seconds": timing.seconds, "noise": timing.noise, "bytes": grown}
    return found


@click.command(help=__doc__)
@click.option(
    "--shapes",
    default="10000,8,64,256",
    show_default=True,
    callback=read_shapes,
    help="T,B,I,H.",
)
@click.option(
    "--checkpoint",
    default="sqrt",
    show_default=True,
    callback=read_checkpoint,
    help="As Recurrent takes it.",
)
@click.option(
    "--seconds",
    default=20.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How long to measure each shape.",
)
@click.option("--threads", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(
    shapes: list[Shape],
    checkpoint: int | str,
    seconds: float,
    threads: int,
    as_json: bool,
) -> None:
    if not STATUS.exists():
        raise click.ClickException("Memory is measured on Linux alone.")
    found = [(shape, measure(shape, checkpoint, seconds, threads)) for shape in shapes]
    if as_json:
        rows = [{"shape": shape._asdict(), "ways": ways} for shape, ways in found]
        print(json.dumps({"threads": threads, "rows": rows}, indent=1))
        return
    Console().print(table_of(found, threads))


def table_of(found: list[tuple[Shape, Ways]], threads: int) -> Table:
    """Put both ways of each shape one below the other."""
    table = Table(title=f"A training step of an LSTM, {threads} threads, float32")
    for title in ("T, B, I, H", "way", "ms", "noise", "of plain", "MB", "of plain"):
        table.add_column(title, justify="right")
    for shape, ways in found:
        plain = ways[PLAIN]
        for name, one in ways.items():
            noise = "" if one["noise"] is None else f"{one['noise']:.0%}"
            table.add_row(
                str(shape),
                name,
                f"{one['seconds'] * 1e3:.0f}",
                noise,
                f"{one['seconds'] / plain['seconds']:.2f}",
                f"{one['bytes'] / 1e6:.0f}",
                f"{one['bytes'] / plain['bytes']:.3f}",
            )
    return table


if __name__ == "__main__":
    main()
