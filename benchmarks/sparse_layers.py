"""`python -m benchmarks.sparse_layers`: recurrent layers of sparse inputs.

An LSTM of d features, of which each step names some. Kernel against kernel, one core,
without Python: the lazy update, beside a dense update of all weights, fused and
vectorised by the same compiler. Then the input layer, Python included: the rows looked
up and added, their gradient and either update. Then whole training steps of one step
and of several sequences: `LazyFOBOS`, beside the same module with dense gradients and
`torch.optim.SGD` with weight decay. At last input layer and update for growing d. In
turn, medians.
"""

import json
from collections.abc import Callable

import click
import torch
from rich.console import Console
from torch import Tensor, nn

import throughtime as tt
from benchmarks.lazy import table_of
from benchmarks.measuring import Timing, measure_in_turn
from benchmarks.update_loops import fobos, update_loop
from throughtime.backends.llvm.row_updates import row_kernels
from throughtime.nn.sparse_inputs import look_up, of_weight
from throughtime.optim.flow import time_of_fobos

HIDDEN, GATES = 64, 4
RATE, L1, L2 = 0.1, 1e-5, 1e-5
EXAMPLES = 32
SIZES = (1_000, 27_262, 100_000, 1_000_000)
Run = Callable[[], object]
Drawn = list[tt.nn.SparseSequences]


def drawn(d: int, each: int, steps: int, batch: int) -> Drawn:
    """Draw batches whose steps name features, each with a value."""
    generator = torch.Generator().manual_seed(0)
    found: Drawn = []
    for _ in range(EXAMPLES):
        rows = steps * batch
        features = torch.randint(d, (rows * each,), generator=generator)
        offsets = torch.arange(rows + 1) * each
        values = torch.rand(len(features), generator=generator)
        lengths = torch.full((batch,), steps)
        found.append(tt.nn.SparseSequences(features, offsets, lengths, d, values))
    return found


def fresh(one: tt.nn.SparseSequences) -> tt.nn.SparseSequences:
    """The same batch as one that is seen for the first time."""
    vars(one).pop("named", None)
    return one


class Layer:
    """An input layer alone, by kernels: a table, its clock, batches, an error."""

    def __init__(self, d: int, batches: Drawn) -> None:
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(d, GATES * HIDDEN, generator=generator)
        self.stamps = torch.zeros(d, dtype=torch.float64)
        self.clock = torch.zeros(1, dtype=torch.float64)
        self.batches, self.number, self.now = batches, 0, 0.0
        rows = batches[0].shape[0] * batches[0].shape[1]
        self.error = torch.randn(rows, GATES * HIDDEN, generator=generator)
        self.kernels = row_kernels(4)

    def updates(self, name: str) -> Run:
        """Give updates with the gradients of all batches, ``"lazy"`` or dense ones."""
        examples = [(b.named.features, of_weight(self.error, b)) for b in self.batches]
        stamps = torch.zeros(len(self.weight), dtype=torch.float64)
        return update_loop(name, self.weight, stamps, examples, fobos(RATE, L1, L2))

    def lazy(self) -> None:
        """Catch up, look up, the gradient of the rows, update."""
        one, (d, width) = fresh(self.batches[self.number % EXAMPLES]), self.weight.shape
        rows = one.named.features
        where = self.weight.data_ptr(), self.stamps.data_ptr(), rows.data_ptr()
        self.kernels.catch_up(*where, len(rows), d, width, self.now, L1, L2)
        look_up(self.weight, one)
        gradient = of_weight(self.error, one)
        self.number, self.now = self.number + 1, self.now + time_of_fobos(RATE, L2)
        step = (1.0, RATE, RATE * L1, 1 / (1 + RATE * L2))
        values = gradient.data_ptr()
        self.kernels.update(*where, values, len(rows), width, self.now, *step)

    def dense(self) -> None:
        """Look up, the gradient of the rows, a step of them, decay of all weights."""
        one, (_, width) = fresh(self.batches[self.number % EXAMPLES]), self.weight.shape
        rows = one.named.features
        where = self.weight.data_ptr(), self.stamps.data_ptr(), rows.data_ptr()
        look_up(self.weight, one)
        gradient = of_weight(self.error, one)
        self.number, self.now = self.number + 1, self.now + time_of_fobos(RATE, L2)
        values = gradient.data_ptr()
        step = (1.0, RATE, 0.0, 1.0)
        self.kernels.update(*where, values, len(rows), width, 0.0, *step)
        # The table as one long row, which has waited for one step.
        where = self.weight.data_ptr(), self.clock.data_ptr(), None
        self.kernels.catch_up(*where, 1, 1, self.weight.numel(), self.now, L1, L2)


class Training(nn.Module):
    """An LSTM and a logistic answer at the end, with its optimiser."""

    def __init__(self, d: int, batches: Drawn, *, lazy: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        cell = tt.cells.LSTM()
        self.network = tt.nn.Recurrent(cell, d, HIDDEN, sparse_input=True)
        self.head = nn.Linear(HIDDEN, 1)
        self.batches, self.number = batches, 0
        self.answers = torch.ones(batches[0].shape[1], 1)
        if lazy:
            settings = {"lr": RATE, "l1": L1, "l2": L2}
            self.optimizer = tt.optim.LazyFOBOS(self.parameters(), **settings)
            return
        weight = self.network.get_parameter("weight_ih_l0")
        weight.register_post_accumulate_grad_hook(_made_dense)
        decay = {"lr": RATE, "weight_decay": L2}
        self.optimizer = torch.optim.SGD(self.parameters(), **decay)

    def step(self) -> None:
        """Take one training step."""
        one = fresh(self.batches[self.number % EXAMPLES])
        self.number += 1
        self.optimizer.zero_grad()
        output, _ = self.network(one)
        loss = nn.functional.binary_cross_entropy_with_logits
        loss(self.head(output[-1]), self.answers).backward()
        self.optimizer.step()


def _made_dense(weight: Tensor) -> None:
    assert weight.grad is not None
    weight.grad = weight.grad.to_dense()


@click.command(help=__doc__)
@click.option("--features", default=260_941, show_default=True, type=click.IntRange(1))
@click.option("--each", default=88, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=4.0, show_default=True, type=click.FloatRange(min=0))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(features: int, each: int, seconds: float, as_json: bool) -> None:
    torch.set_num_threads(1)
    found: dict[str, Timing] = {}
    for steps, batch in ((1, 1), (20, 8)):
        name = f"{batch} x {steps}"
        batches = drawn(features, each, steps, batch)
        lazy, dense = Layer(features, batches), Layer(features, batches)
        runs: dict[str, Run] = {
            f"kernels, {name}, {EXAMPLES} times, lazy": lazy.updates("lazy"),
            f"kernels, {name}, {EXAMPLES} times, dense": dense.updates("dense"),
            f"input layer, {name}, lazy": lazy.lazy,
            f"input layer, {name}, dense": dense.dense,
            f"training, {name}, lazy": Training(features, batches, lazy=True).step,
            f"training, {name}, dense": Training(features, batches, lazy=False).step,
        }
        found |= measure_in_turn(runs, seconds, rounds=5)
        del runs, lazy, dense
        layers = [Layer(d, drawn(d, each, steps, batch)) for d in SIZES]
        flat = {
            f"input layer, {name}, d = {d:,}": layer.lazy
            for d, layer in zip(SIZES, layers, strict=True)
        }
        found |= measure_in_turn(flat, seconds, rounds=5)
    if as_json:
        print(json.dumps({name: timing.seconds for name, timing in found.items()}))
        return
    Console().print(table_of(found, f"{features:,} features, {each} in a step"))


if __name__ == "__main__":
    main()
