"""Learning from sequences that are drawn as they are needed, never twice the same."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from throughtime.bench.running.task import Asked, Engine, Measure, Reached, Recipe
from throughtime.nn import Recurrent, initialise
from throughtime.nn.heads import Head
from throughtime.train.threads import using_threads

LOOK_EVERY = 250
"""After so many updates it is looked at whether the task is solved."""


class Batch(NamedTuple):
    """Sequences: `inputs` `(T, B, F)`, what is asked, and `lengths` `(B,)` or None."""

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None = None


Answer = Callable[[Batch], Tensor]
"""Gives the logits of every step, `(T, B, K)`."""


class Drawn(ABC):
    """A source of sequences, and what is asked of them.

    `input_size` is F; `kind` and `answers` are the head and its K.
    """

    input_size: int
    kind: type[Head]
    answers: int

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw so many sequences."""

    @abstractmethod
    def loss(self, head: Head, logits: Tensor, batch: Batch) -> Tensor:
        """Give the mean loss of what is asked."""

    @abstractmethod
    def value(self, answer: Answer, generator: torch.Generator, look: bool) -> float:
        """Measure answers to fresh sequences; for a look fewer of them."""

    def enough(self, value: float, measure: Measure) -> bool:
        """Say whether a look is so good that learning may end.

        Twice as good as the goal: what is measured in the end are other sequences.
        """
        return measure.solved(value * (0.5 if measure.more else 2))


@contextmanager
def measuring(module: nn.Module) -> Iterator[None]:
    """Leave gradients out, and what is random in training, for a while."""
    before = module.training
    try:
        with torch.no_grad():
            module.eval()
            yield
    finally:
        module.train(before)


class Network:
    """Recurrent layers and a head, as a recipe says."""

    def __init__(self, problem: Drawn, recipe: Recipe, engine: Engine) -> None:
        assert recipe.hidden_size is not None, "a task of drawn sequences has units"
        torch.manual_seed(engine.seed)
        self.problem = problem
        self.module = Recurrent(
            recipe.network,
            problem.input_size,
            recipe.hidden_size,
            recipe.num_layers or 1,
            **engine.options,
        )
        units = self.module.graphs[-1].output_size
        self.head = problem.kind(units, problem.answers, **engine.options)
        chrono = {"steps": recipe.steps} if recipe.init == "chrono" else {}
        initialise(self.module, recipe.init or "default", cell=recipe.network, **chrono)
        self.weights = [*self.module.parameters(), *self.head.parameters()]
        self.dtype = self.head.weight.dtype

    def logits(self, batch: Batch) -> Tensor:
        """Answer every step."""
        inputs = batch.inputs.to(self.dtype)
        output, _ = self.module(inputs, lengths=batch.lengths)
        return self.head.logits(output)

    def loss(self, batch: Batch) -> Tensor:
        """Give the mean loss of a batch."""
        return self.problem.loss(self.head, self.logits(batch), batch)

    def value(self, seed: int, *, look: bool) -> float:
        """Measure it on sequences of this seed."""
        generator = torch.Generator().manual_seed(seed)
        with measuring(self.module):
            return self.problem.value(self.logits, generator, look)


def learn(problem: Drawn, asked: Asked) -> Reached:
    """Learn by Adam with clipped gradients, until it is solved or updates are over.

    A gradient that is no finite number ends it; its value is then NaN.
    """
    with using_threads(asked.engine.threads):
        return _learn(problem, asked)


def _learn(problem: Drawn, asked: Asked) -> Reached:
    recipe, seed = asked.recipe, asked.engine.seed
    updates, count, clip = recipe.updates, recipe.batch_size, recipe.clip
    rate = recipe.learning_rate
    assert updates and count and clip and rate, "a task of drawn sequences has all"
    network = Network(problem, recipe, asked.engine)
    optimizer = torch.optim.Adam(network.weights, rate)
    size = sum(weight.numel() for weight in network.weights)
    # Far from the seeds that are measured on: nobody learns from those.
    generator = torch.Generator().manual_seed(1000 + seed)
    start, done = time.perf_counter(), 0
    while done < updates:
        optimizer.zero_grad()
        loss = network.loss(problem.draw(count, generator))
        loss.backward()
        done += 1
        asked.follow(done, loss.item())
        if not nn.utils.clip_grad_norm_(network.weights, clip).isfinite():
            return Reached(math.nan, done, time.perf_counter() - start, size)
        optimizer.step()
        if done % LOOK_EVERY == 0 and problem.enough(
            network.value(_LOOK, look=True), asked.task.measure
        ):
            break
    seconds = time.perf_counter() - start
    return Reached(network.value(_JUDGE, look=False), done, seconds, size)


# The seeds of what is measured.
_LOOK, _JUDGE = 1, 2
