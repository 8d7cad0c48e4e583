"""An LSTM that reads passages, by three ways of AdaGrad with elastic net."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

import throughtime as tt
from benchmarks.passages import STEPS, Passages, one_hot
from benchmarks.sparse_layers import fresh

HIDDEN, GATES, BATCH = 64, 4, 32
RATE, L1, L2, START, EPS = 0.05, 1e-7, 1e-6, 1e-6, 1e-10
# Numbers that the dense update takes at a time: what it reads and makes of them stays
# in the cache.
BLOCK = 2**16
EXAMPLES = 16


class DenseAdagrad(Optimizer):
    """The equations of `LazyAdagrad` for all weights in every step, a block at a time.

    Each weight goes from the memory to the processor and back once.
    """

    def __init__(self, params: Iterable[Tensor]) -> None:
        super().__init__(params, {})
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter]["sum"] = torch.full_like(parameter, START)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[bad-override]
        """Take one step."""
        for parameter in self.param_groups[0]["params"]:
            given = parameter, parameter.grad, self.state[parameter]["sum"]
            blocks = [one.view(-1).split(BLOCK) for one in given]
            for weight, gradient, squares in zip(*blocks, strict=True):
                squares.addcmul_(gradient, gradient)
                rate = squares.sqrt().add_(EPS).reciprocal_().mul_(RATE)
                weight.addcmul_(rate, gradient, value=-1)
                size = weight.abs().sub_(rate, alpha=L1).clamp_min_(0)
                size.div_(rate.mul_(L2).add_(1))
                torch.copysign(size, weight, out=weight)


def lazy(parameters: list[nn.Parameter]) -> Optimizer:
    """Ours: rows without a gradient wait."""
    start = {"initial_accumulator_value": START, "eps": EPS}
    return tt.optim.LazyAdagrad(parameters, RATE, l1=L1, l2=L2, **start)


def fused(parameters: list[nn.Parameter]) -> Optimizer:
    """PyTorch's, all in one pass; it has l2 alone, as a part of the gradient."""
    start = {"initial_accumulator_value": START, "eps": EPS}
    return torch.optim.Adagrad(parameters, RATE, weight_decay=L2, fused=True, **start)


LAZY, DENSE, FUSED = "lazy", "dense, the same equations", "dense, torch's fused"
WAYS: dict[str, Callable[[list[nn.Parameter]], Optimizer]] = {
    LAZY: lazy,
    DENSE: DenseAdagrad,
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
        self.optimizer = WAYS[way](list(self.parameters()))
        self.dense: Tensor | None = None
        if way != LAZY:
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
        if isinstance(self.optimizer, tt.optim.LazyAdagrad):
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
        assert isinstance(optimizer, tt.optim.LazyAdagrad)
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
