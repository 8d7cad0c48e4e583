"""`python -m benchmarks.ragged`: what sequences of several lengths cost.

A training step of an LSTM on sequences with 1 to T steps, evenly and in no order,
beside all of them padded to T steps, and beside `torch.nn.LSTM` on a `PackedSequence`;
and with sequences that begin anew at random steps. In turn, float32, medians.
"""

import json
from collections.abc import Callable
from functools import partial

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.utils import rnn

import throughtime as tt
from benchmarks.measuring import Timing, measure_in_turn
from benchmarks.options import read_shapes
from benchmarks.peers import weights_of
from benchmarks.shapes import Shape

PADDED = "padded"
TORCH = "torch.nn, packed"
Run = Callable[[], object]


def gradients(output: Tensor, module: nn.Module, error: Tensor) -> tuple[Tensor, ...]:
    """Give those of all weights."""
    return torch.autograd.grad(output, list(module.parameters()), error)


def runs_of(shape: Shape, often: float) -> dict[str, Run]:
    """Give what is measured; ``often`` is the share of steps with a reset."""
    torch.manual_seed(0)
    weights = weights_of("LSTM", shape)
    ours = tt.nn.Recurrent(tt.cells.LSTM(), shape.inputs, shape.hidden, backend="llvm")
    torchs = nn.LSTM(shape.inputs, shape.hidden)
    ours.load_state_dict(weights)
    torchs.load_state_dict(weights)
    x = torch.randn(shape.steps, shape.batch, shape.inputs)
    error = torch.randn(shape.steps, shape.batch, shape.hidden)
    even = torch.linspace(1, shape.steps, shape.batch).round().long()
    lengths = even[torch.randperm(shape.batch)]
    resets = torch.rand(shape.steps, shape.batch) < often

    def run(given: Tensor | None, marks: Tensor | None) -> object:
        return gradients(ours(x, lengths=given, resets=marks)[0], ours, error)

    def packed() -> object:
        rows = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        padded, _ = rnn.pad_packed_sequence(torchs(rows)[0], total_length=shape.steps)
        return gradients(padded, torchs, error)

    return {
        PADDED: partial(run, None, None),
        "lengths": partial(run, lengths, None),
        "resets": partial(run, None, resets),
        TORCH: packed,
    }


@click.command(help=__doc__)
@click.option(
    "--shapes",
    default="200,64,64,128",
    show_default=True,
    callback=read_shapes,
    help="'T,B,I,H T,B,I,H …'",
)
@click.option(
    "--often",
    default=0.02,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of steps at which a sequence begins anew.",
)
@click.option(
    "--seconds",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How long to measure each shape.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(shapes: list[Shape], often: float, seconds: float, as_json: bool) -> None:
    found = {
        str(shape): measure_in_turn(runs_of(shape, often), seconds, rounds=5)
        for shape in shapes
    }
    if as_json:
        seconds_of = {
            shape: {name: one.seconds for name, one in timings.items()}
            for shape, timings in found.items()
        }
        print(json.dumps({"often": often, "seconds": seconds_of}, indent=1))
        return
    Console().print(table_of(found))


def table_of(found: dict[str, dict[str, Timing]]) -> Table:
    """Put all shapes into one table."""
    title = "A training step of an LSTM, float32; in brackets: of the padded batch"
    table = Table(title=title)
    table.add_column("T, B, I, H")
    for name in next(iter(found.values())):
        table.add_column(f"{name}, ms", justify="right")
    for shape, timings in found.items():
        whole = timings[PADDED].seconds
        table.add_row(
            shape,
            *(
                f"{t.seconds * 1e3:.2f} ({t.seconds / whole:.2f})"
                for t in timings.values()
            ),
        )
    return table


if __name__ == "__main__":
    main()
