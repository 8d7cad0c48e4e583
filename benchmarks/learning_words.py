"""An LSTM that reads passages, by three ways to take the same steps."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import increment_version
from torch.optim import Optimizer

import throughtime as tt
from benchmarks.passages import STEPS, Passages, one_hot
from benchmarks.sparse_layers import fresh
from throughtime.backends.llvm.row_updates import row_kernels
from throughtime.optim.flow import time_of_fobos

HIDDEN, GATES, BATCH = 64, 4, 32
L1, L2 = 1e-7, 1e-6
# A row of the table has the gradient of a few steps, other weights that of all.
RATE, RATE_OF_TABLE = 1.0, 30.0
EXAMPLES = 16


class DenseFOBOS(Optimizer):
    """The equations of `LazyFOBOS` for all weights in every step, by the same kernels.

    Each weight goes from the memory to the processor and back once; of a sparse
    gradient no dense one is made.
    """

    def __init__(self, params: list[dict[str, Any]]) -> None:
        super().__init__(params, {})
        self.kernels = row_kernels(4)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[bad-override]
        """Take one step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                self._step(parameter, group["lr"])

    def _step(self, weight: Tensor, rate: float) -> None:
        gradient, width, now = weight.grad, weight.shape[-1], 0.0
        assert gradient is not None
        if gradient.is_sparse:
            rows, values = gradient._indices()[0], gradient._values()
        else:  # all rows; a vector is one
            rows = torch.arange(weight.numel() // width)
            values = gradient.contiguous()
        stamps = torch.empty(len(weight), dtype=torch.float64)
        where = weight.data_ptr(), stamps.data_ptr(), rows.data_ptr()
        given = values.data_ptr(), len(rows), width
        self.kernels.update(*where, *given, now, 1.0, rate, 0.0, 1.0)
        # The table as one long row, which has waited for one step.
        clock, waited = torch.zeros(1, dtype=torch.float64), time_of_fobos(rate, L2)
        where = weight.data_ptr(), clock.data_ptr(), None
        self.kernels.catch_up(*where, 1, 1, weight.numel(), waited, L1, L2)
        increment_version(weight)


def lazy(groups: list[dict[str, Any]]) -> Optimizer:
    """Ours: rows without a gradient wait."""
    return tt.optim.LazyFOBOS(groups, l1=L1, l2=L2)


def fused(groups: list[dict[str, Any]]) -> Optimizer:
    """PyTorch's, all in one pass; of the penalties it has l2 alone."""
    return torch.optim.SGD(groups, weight_decay=L2, fused=True)


LAZY, DENSE, FUSED = "LazyFOBOS", "dense, same kernels", "torch.optim.SGD, fused"
WAYS: dict[str, Callable[[list[dict[str, Any]]], Optimizer]] = {
    LAZY: lazy,
    DENSE: DenseFOBOS,
    FUSED: fused,
}


class Learner(nn.Module):
    """An LSTM over words, the mean of its outputs, one answer for each play."""

    def __init__(self, passages: Passages, d: int, way: str = LAZY) -> None:
        super().__init__()
        torch.manual_seed(0)
        cell, plays = tt.cells.LSTM(), int(passages.plays.max()) + 1
        self.network = tt.nn.Recurrent(cell, d, HIDDEN, sparse_input=True)
        self.head = nn.Linear(HIDDEN, plays)
        self.table = self.network.get_parameter("weight_ih_l0")
        self.passages, self.rows, self.d = passages, passages.rows(d), d
        others = [one for one in self.parameters() if one is not self.table]
        groups = [
            {"params": [self.table], "lr": RATE_OF_TABLE},
            {"params": others, "lr": RATE},
        ]
        self.optimizer = WAYS[way](groups)
        self.dense: Tensor | None = None
        if way == FUSED:
            self.dense = torch.zeros_like(self.table)
            self.table.register_post_accumulate_grad_hook(self._make_dense)

    def _make_dense(self, table: Tensor) -> None:
        """Put the rows of a gradient into a dense one, which is kept."""
        assert table.grad is not None
        assert self.dense is not None
        self.touched = table.grad._indices()[0]
        self.dense.index_copy_(0, self.touched, table.grad._values())
        table.grad = self.dense

    def forward(self, given: tt.nn.SparseSequences) -> Tensor:
        output, _ = self.network(given)
        return self.head(output.mean(0))

    def step(self, given: tt.nn.SparseSequences, plays: Tensor) -> None:
        """Take one training step."""
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self(given), plays).backward()
        self.optimizer.step()
        if self.dense is not None:
            self.dense.index_fill_(0, self.touched, 0.0)

    def learn(self, batches: list[Tensor]) -> float:
        """Learn from batches of passages; give the seconds, and settle all weights."""
        start = time.perf_counter()
        for chosen in batches:
            given = one_hot(self.rows[chosen], self.d)
            self.step(given, self.passages.plays[chosen])
        if isinstance(self.optimizer, tt.optim.LazyFOBOS):
            self.optimizer.settle()
        return time.perf_counter() - start

    @torch.no_grad()
    def judge(self) -> tuple[float, float]:
        """Give mean loss and accuracy on passages that were held out."""
        held_out = self.passages.held_out.nonzero()[:, 0]
        loss = right = 0.0
        for chosen in held_out.split(256):
            found = self(one_hot(self.rows[chosen], self.d))
            plays = self.passages.plays[chosen]
            both = found, plays
            loss += nn.functional.cross_entropy(*both, reduction="sum").item()
            right += (found.argmax(1) == plays).sum().item()
        return loss / len(held_out), right / len(held_out)


class Parts:
    """Input layer and update of a table of d rows, the same batches again and again."""

    def __init__(self, passages: Passages, d: int) -> None:
        self.learner, self.number = Learner(passages, d), 0
        chosen = next(stretches(passages, Goal(0.0, 1, EXAMPLES)))
        self.answers = [passages.plays[one] for one in chosen]
        self.batches = [one_hot(self.learner.rows[one], d) for one in chosen]
        self.error = torch.randn(STEPS, BATCH, GATES * HIDDEN) / 1_000
        self.gradients: list[Tensor | None] = []
        for _ in self.batches:
            self.input_layer()
            self.gradients.append(self.learner.table.grad)

    def runs(self) -> dict[str, Callable[[], None]]:
        """What there is to measure."""
        return {
            "input layer": self.input_layer,
            "update": self.update,
            "both": self.both,
            "training step": self.training_step,
        }

    def _next(self) -> int:
        self.learner.optimizer.zero_grad()
        self.number += 1
        return (self.number - 1) % len(self.batches)

    def _catch_up(self, given: tt.nn.SparseSequences) -> None:
        optimizer = self.learner.optimizer
        assert isinstance(optimizer, tt.optim.LazyFOBOS)
        optimizer.catch_up(given.named.features, self.learner.table)

    def input_layer(self) -> None:
        """Look rows up, and make their gradient of an error."""
        given = fresh(self.batches[self._next()])
        self.learner.network.look_up(given).backward(self.error)

    def update(self) -> None:
        """Catch rows up, and step with their gradient."""
        place = self._next()
        self._catch_up(self.batches[place])
        self.learner.table.grad = self.gradients[place]
        self.learner.optimizer.step()

    def both(self) -> None:
        """Catch up, look up, gradient, step."""
        given = fresh(self.batches[self._next()])
        self._catch_up(given)
        self.learner.network.look_up(given).backward(self.error)
        self.learner.optimizer.step()

    def training_step(self) -> None:
        """Take a step of the whole network."""
        place = self._next()
        self.learner.step(fresh(self.batches[place]), self.answers[place])


@dataclass(frozen=True)
class Goal:
    """When to stop: at a loss on held-out passages, or after some epochs."""

    loss: float
    epochs: int
    every: int
    """Steps from one look at the held-out passages to the next."""


@dataclass
class Reached:
    """How far a learner came, and in what time of learning."""

    steps: int = 0
    seconds: float = 0.0
    loss: float = torch.inf
    accuracy: float = 0.0


def stretches(passages: Passages, goal: Goal) -> Iterator[list[Tensor]]:
    """Draw batches of passages, as many at a time as lie between two looks."""
    generator = torch.Generator().manual_seed(0)
    given = (~passages.held_out).nonzero()[:, 0]
    for _ in range(goal.epochs):
        drawn = given[torch.randperm(len(given), generator=generator)].split(BATCH)
        for start in range(0, len(drawn), goal.every):
            yield list(drawn[start : start + goal.every])


def learn_in_turn(passages: Passages, goal: Goal) -> dict[str, Reached]:
    """Let all ways learn from the same batches, some steps each in turn."""
    learners = {way: Learner(passages, passages.different, way) for way in WAYS}
    found = {way: Reached() for way in WAYS}
    for number, batches in enumerate(stretches(passages, goal)):
        for way, learner in learners.items():
            reached = found[way]
            if reached.loss <= goal.loss:
                continue
            if not number:  # compiled for all numbers of rows
                Learner(passages, BATCH, way).learn(batches[:1])
            reached.seconds += learner.learn(batches)
            reached.steps += len(batches)
            reached.loss, reached.accuracy = learner.judge()
        if all(one.loss <= goal.loss for one in found.values()):
            break
    return found
