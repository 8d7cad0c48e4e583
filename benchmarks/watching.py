"""`python -m benchmarks.watching`: what it costs to watch error on its way back.

Sixteen training steps (forward, backward, gradients of all weights), plainly; with the
error, the saturation and the changes of weights of each of them seen; and of one of
them, as `throughtime train --watch gradients` does it. In turn, float32, medians.
"""

import json
from collections.abc import Callable
from functools import partial

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import throughtime as tt
from benchmarks.measuring import Timing, measure_in_turn
from benchmarks.options import read_shapes
from benchmarks.shapes import Shape
from throughtime.cells.built_in import BUILT_IN
from throughtime.nn import Recurrent, watch
from throughtime.train.learning.mean_course import MeanCourse
from throughtime.train.learning.watching import EVERY

PLAIN, EACH, SOME = "plain", "each watched", f"one in {EVERY} watched"
Run = Callable[[], object]


def runs_of(cell: str, shape: Shape) -> dict[str, Run]:
    """Give what is measured: `EVERY` steps each."""
    torch.manual_seed(0)
    module = tt.nn.Recurrent(BUILT_IN[cell], shape.inputs, shape.hidden)
    x = torch.randn(shape.steps, shape.batch, shape.inputs)
    error = torch.randn(shape.steps, shape.batch, module(x)[0].shape[-1])

    def steps(watched: int) -> None:
        for number in range(EVERY):
            (seen if number < watched else learn)(module, x, error)

    return {
        name: partial(steps, watched)
        for name, watched in ((PLAIN, 0), (EACH, EVERY), (SOME, 1))
    }


def learn(module: Recurrent, x: Tensor, error: Tensor) -> None:
    """Compute the gradients of all weights."""
    module.zero_grad()
    module(x)[0].backward(error)


def seen(module: Recurrent, x: Tensor, error: Tensor) -> dict[str, Tensor]:
    """Do so and look; give the mean norm of the error by step."""
    before = [weight.detach().clone() for weight in module.parameters()]
    with watch(module) as watching:
        learn(module, x, error)
    (call,) = watching.calls
    found: dict[str, Tensor] = {}
    for kind, values in (("norms", call.norms), ("saturation", call.saturation)):
        for place, one in values.items():
            course = MeanCourse()
            course.add(one, call.alive)
            found[f"{kind} {place}"] = course.sums
    for weight, own in zip(module.parameters(), before, strict=True):
        assert (weight - own).norm() == 0  # nothing learns here
    return found


@click.command(help=__doc__)
@click.option("--cells", default="elman,gru,lstm", show_default=True)
@click.option("--shapes", default=None, callback=read_shapes, help="'T,B,I,H …'")
@click.option(
    "--seconds",
    default=4.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How long to measure each line.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(cells: str, shapes: list[Shape], seconds: float, as_json: bool) -> None:
    found = {
        (cell, shape): measure_in_turn(runs_of(cell, shape), seconds, rounds=5)
        for cell in cells.split(",")
        for shape in shapes
    }
    if as_json:
        lines = [
            {"cell": cell, "shape": str(shape)}
            | {name: one.seconds / EVERY for name, one in timings.items()}
            for (cell, shape), timings in found.items()
        ]
        print(json.dumps(lines, indent=1))
        return
    Console().print(table_of(found))


def table_of(found: dict[tuple[str, Shape], dict[str, Timing]]) -> Table:
    """Put all of it into one table."""
    table = Table(title="A training step, milliseconds; in brackets: of the plain one")
    table.add_column("cell")
    table.add_column("T, B, I, H")
    for name in (PLAIN, EACH, SOME):
        table.add_column(name, justify="right")
    for (cell, shape), timings in found.items():
        plain = timings[PLAIN].seconds
        table.add_row(
            cell,
            str(shape),
            *(
                f"{one.seconds / EVERY * 1e3:.2f} ({one.seconds / plain:.3f})"
                for one in timings.values()
            ),
        )
    return table


if __name__ == "__main__":
    main()
