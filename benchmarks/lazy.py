"""`python -m benchmarks.lazy`: penalties that wait, beside the dense update.

Logistic regression with elastic net on sparse examples: d features, some of them in
each example. Kernel against kernel, one core each, without Python: ours decays, looks
over and changes the rows of an example; the dense update changes the same rows and
decays every weight, fused and vectorised by the same compiler. Then whole steps, with
forward pass and Python, and the step of the optimiser for growing d. In turn, medians.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import throughtime as tt
from benchmarks.measuring import Timing, measure_in_turn
from benchmarks.update_loops import fobos, update_loop

RATE, L1, L2 = 0.1, 1e-5, 1e-5
EXAMPLES = 64
FLAT = [10**power for power in range(3, 8)]
Run = Callable[[], object]


@dataclass
class Weights:
    """A table of one output, the rows of examples, and a gradient for them."""

    features: int
    each: int
    weight: Tensor = field(init=False)
    stamps: Tensor = field(init=False)
    rows: list[Tensor] = field(init=False)
    gradient: Tensor = field(init=False)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        size = (self.each,)
        self.weight = torch.randn(self.features, 1, generator=generator)
        self.stamps = torch.zeros(self.features, dtype=torch.float64)
        drawn = [
            torch.randint(self.features, size, generator=generator)
            for _ in range(EXAMPLES)
        ]
        self.rows = [rows.unique() for rows in drawn]
        self.gradient = torch.randn(self.each, 1, generator=generator)


def kernel(name: str, on: Weights) -> Run:
    """Give updates of all examples, ``"lazy"`` or ``"dense"`` ones."""
    slopes = [(rows, on.gradient[: len(rows)]) for rows in on.rows]
    return update_loop(name, on.weight, on.stamps, slopes, fobos(RATE, L1, L2))


def whole_step(on: Weights, sparse: bool) -> Run:
    """Give training steps: forward, backward, optimiser."""
    table = nn.EmbeddingBag(on.features, 1, mode="sum", sparse=sparse)
    optimizer = tt.optim.LazyFOBOS(table.parameters(), RATE, l1=L1, l2=L2)
    answer, start = torch.ones(1, 1), torch.zeros(1, dtype=torch.int64)
    loss_of, number = nn.BCEWithLogitsLoss(), 0

    def run() -> None:
        nonlocal number
        optimizer.zero_grad()
        loss_of(table(on.rows[number % EXAMPLES], start), answer).backward()
        optimizer.step()
        number += 1

    return run


def optimizer_step(on: Weights) -> Run:
    """Give the optimiser's part alone: rows caught up, one step."""
    weight = nn.Parameter(on.weight)
    optimizer = tt.optim.LazyFOBOS([weight], RATE, l1=L1, l2=L2)
    gradients = [
        torch.sparse_coo_tensor(
            rows[None],
            on.gradient[: len(rows)],
            weight.shape,
            is_coalesced=True,
            check_invariants=False,
        )
        for rows in on.rows
    ]
    number = 0

    def run() -> None:
        nonlocal number
        place = number % EXAMPLES
        optimizer.catch_up(on.rows[place])
        weight.grad = gradients[place]
        optimizer.step()
        number += 1

    return run


@click.command(help=__doc__)
@click.option("--features", default=260_941, show_default=True, type=click.IntRange(1))
@click.option("--each", default=88, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(min=0))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(features: int, each: int, seconds: float, as_json: bool) -> None:
    torch.set_num_threads(1)

    held: list[Weights] = []  # kernels know addresses alone

    def drawn(d: int = features) -> Weights:
        held.append(Weights(d, each))
        return held[-1]

    found = measure_in_turn(
        {
            f"kernel, {EXAMPLES} examples, lazy": kernel("lazy", drawn()),
            f"kernel, {EXAMPLES} examples, dense": kernel("dense", drawn()),
            "whole step, lazy": whole_step(drawn(), sparse=True),
            "whole step, dense": whole_step(drawn(), sparse=False),
        },
        seconds,
        rounds=5,
    )
    flat = {f"optimiser, d = {d:,}": optimizer_step(drawn(d)) for d in FLAT}
    found |= measure_in_turn(flat, seconds, rounds=5)
    if as_json:
        print(json.dumps({name: timing.seconds for name, timing in found.items()}))
        return
    Console().print(table_of(found, f"{features:,} features, {each} in an example"))


def table_of(found: dict[str, Timing], title: str) -> Table:
    """Put all into one table; dense times as multiples of lazy ones."""
    table = Table(title=title)
    table.add_column("")
    for column in ("µs", "of lazy"):
        table.add_column(column, justify="right")
    for name, timing in found.items():
        lazy = found.get(name.replace("dense", "lazy"), timing)
        ratio = f"{timing.seconds / lazy.seconds:.1f}" if lazy is not timing else ""
        table.add_row(name, f"{timing.seconds * 1e6:.1f}", ratio)
    return table


if __name__ == "__main__":
    main()
