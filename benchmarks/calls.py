"""`python -m benchmarks.calls`: what one call costs where there is little to compute.

A training step (forward, gradients of all weights), a forward pass that keeps what a
backward pass needs, inference, and a single step from a given state: of our layers, and
of `torch.nn`'s beside them, in turn, on one thread. All sizes are tiny, so what is left
is Python, autograd and small operations. Medians.
"""

import json
from collections.abc import Callable
from typing import Any

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import throughtime as tt
from benchmarks.measuring import measure_in_turn
from benchmarks.options import read_cells
from benchmarks.peers import Ours, TorchNN, TorchPeer, weights_of
from benchmarks.shapes import Shape

KINDS = ("training step", "forward", "inference", "step")
Run = Callable[[], object]


def runs_of(peer: TorchPeer, shape: Shape) -> dict[str, Run]:
    """Give what is measured, by kind."""
    x = torch.randn(shape.steps, shape.batch, shape.inputs)
    error = torch.randn(shape.steps, shape.batch, shape.hidden)
    with torch.inference_mode():
        state = peer.module(x)[1]
    step = _step_of(peer.module, x[0], state)
    return {
        "training step": peer.run("training", x, error).once,
        "forward": lambda: peer.module(x),
        "inference": peer.run("inference", x, error).once,
        "step": torch.inference_mode()(step),
    }


def _step_of(module: nn.Module, x: Tensor, state: Any) -> Run:
    """One time step; `torch.nn` has none, so there it is a sequence of one."""
    if isinstance(module, tt.nn.Recurrent):
        return lambda: module.step(x, state)
    sequence = x[None]
    return lambda: module(sequence, state)


def measure(cell: str, shape: Shape, seconds: float) -> dict[str, dict[str, float]]:
    """Give median microseconds by kind and by name of peer."""
    weights = weights_of(cell, shape)
    kinds = [Ours, TorchNN]
    peers = [kind(cell, shape, weights) for kind in kinds if cell in kind.cells]
    runs = {peer.name: runs_of(peer, shape) for peer in peers}
    found: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        contestants = {name: run[kind] for name, run in runs.items()}
        timings = measure_in_turn(contestants, seconds / len(KINDS), rounds=3)
        found[kind] = {name: one.seconds * 1e6 for name, one in timings.items()}
    return found


@click.command(help=__doc__)
@click.option(
    "--cells",
    default="RNN,GRU,LSTM",
    show_default=True,
    callback=read_cells,
    help="Which cells.",
)
@click.option(
    "--size",
    default=16,
    show_default=True,
    type=click.IntRange(min=1),
    help="Input features and hidden units.",
)
@click.option(
    "--seconds",
    default=2.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How long to measure each cell.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(cells: list[str], size: int, seconds: float, as_json: bool) -> None:
    torch.set_num_threads(1)
    shape = Shape(2, 1, size, size)
    found = {cell: measure(cell, shape, seconds) for cell in cells}
    if as_json:
        print(json.dumps({"size": size, "microseconds": found}, indent=1))
        return
    title = f"Microseconds of a call, T = 2, B = 1, I = H = {size}, one thread, float32"
    table = Table(title=title)
    for name in ("cell", "peer"):
        table.add_column(name)
    for kind in KINDS:
        table.add_column(kind, justify="right")
    for cell, kinds in found.items():
        for peer in kinds[KINDS[0]]:
            texts = (f"{kinds[kind][peer]:.0f}" for kind in KINDS)
            table.add_row(cell, peer, *texts)
    Console().print(table)


if __name__ == "__main__":
    main()
