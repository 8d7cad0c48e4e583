"""Delayed recall: a bit is to be named again L steps later, among other bits.

At every step a row reads a bit, ±1. Once in a cycle of 2L steps the bit is marked, and
the answer is asked for at the last of the L steps that begin with it::

    bit      + - - + - + + - + + - -        L = 5, cycle of 10
    marked   *                   *
    asked            *
    target   . . . . + . . . . . . .

All other bits distract. Rows are at different places of the cycle. Who knows nothing of
the marked bit is right half of the time. Error has to flow through L steps: TBPTT(1, K)
learns it where K ≥ L, and stays at one half where K < L.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import nn

from throughtime.bench.running.drawn import measuring
from throughtime.bench.running.task import (
    Asked,
    Engine,
    Follow,
    Known,
    Measure,
    Reached,
    Recipe,
    Task,
    unheard,
)
from throughtime.cells import LSTM
from throughtime.data import IGNORED
from throughtime.data.stream_batches import Chunk
from throughtime.graph import Cell
from throughtime.nn import Recurrent, Softmax
from throughtime.nn.layers import Layers
from throughtime.train.threads import using_threads
from throughtime.train.truncation import TBPTT, Truncation

ROWS: Final = 64
#: The accuracy of who knows nothing of the marked bit.
WITHOUT_MEMORY: Final = 0.5


class Outcome(NamedTuple):
    """What a training came to: the accuracy, and how many updates and weights."""

    accuracy: float
    updates: int
    parameters: int


def rows(
    lag: int,
    steps: int,
    count: int = ROWS,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Chunk:
    """Rows of the task: inputs `(T, B, 3)` (bit, marked, asked), targets `(T, B)`."""
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(2, (steps, count), generator=generator)
    phase = torch.randint(2 * lag, (count,), generator=generator)
    place = (torch.arange(steps)[:, None] + phase) % (2 * lag)
    marked, asked = place == 0, place == lag - 1
    asked[: lag - 1] = False  # the bit came before the row began
    answers = torch.where(asked, bits.roll(lag - 1, 0), IGNORED)
    inputs = torch.stack([2 * bits - 1, marked, asked], -1).to(dtype)
    return Chunk(inputs, answers)


def learn(
    make: Callable[[Layers], Truncation],
    lag: int,
    *,
    steps: int = 1500,
    hidden_size: int = 16,
    num_layers: int = 1,
    learning_rate: float = 0.01,
    clip: float = 1.0,
    cell: Cell | None = None,
    seed: int = 0,
    engine: Engine | None = None,
    follow: Follow = unheard,
) -> Outcome:
    """Learn it along one stream, and measure the accuracy on another one.

    Parameters
    ----------
    make
        Gives the truncation of a module.
    lag
        L, at least 2.
    steps
        T, the length of the stream.
    hidden_size, num_layers, cell
        Of each layer, how many there are, and what they are: by default an LSTM.
    learning_rate, clip
        Of Adam, for each window, and the norm of a gradient at most.
    seed
        Of the weights.
    engine
        What computes; its seed does not count.
    follow
        Told of every update.
    """
    torch.manual_seed(seed)
    options = (engine or Engine()).options
    module = Recurrent(cell or LSTM(), 3, hidden_size, num_layers, **options)
    head = Softmax(module.graphs[-1].output_size, 2, **options)
    dtype = options["dtype"]
    weights = [*module.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, learning_rate)
    updates = 0
    for window in make(module).windows(rows(lag, steps, seed=1, dtype=dtype)):
        losses = head.loss(head.logits(window.run()), window.targets)
        optimizer.zero_grad()
        loss = window.mean(losses)
        loss.backward()
        nn.utils.clip_grad_norm_(weights, clip)
        updates += 1
        follow(updates, loss.item())
        optimizer.step()
    test = rows(lag, 20 * lag, seed=2, dtype=dtype)
    assert test.targets is not None
    with measuring(module):
        answers = head.logits(module(test.inputs)[0]).argmax(-1)
    asked = test.targets != IGNORED
    accuracy = (answers[asked] == test.targets[asked]).float().mean().item()
    return Outcome(accuracy, updates, sum(weight.numel() for weight in weights))


def _learn(asked: Asked) -> Reached:
    recipe, engine = asked.recipe, asked.engine
    said = recipe.entries() | {"cell": recipe.network}
    lag, back, steps = (said.pop(name) for name in ("steps", "truncation", "updates"))
    start = time.perf_counter()
    with using_threads(engine.threads):
        found = learn(
            lambda module: TBPTT(module, 1, back),
            lag,
            steps=steps,
            **said,
            seed=engine.seed,
            engine=engine,
            follow=asked.follow,
        )
    seconds = time.perf_counter() - start
    return Reached(found.accuracy, found.updates, seconds, found.parameters)


TASK: Final = Task(
    name="delayed-recall",
    title="a bit is to be named again L steps later, among other bits",
    definition=__doc__ or "",
    measure=Measure("share of bits right", 0.99, more=True),
    floors=(Known("a guess", WITHOUT_MEMORY),),
    published=(),
    recipe=Recipe(
        cell="lstm",
        hidden_size=16,
        num_layers=1,
        learning_rate=0.01,
        clip=1.0,
        updates=3000,
        steps=6,
        truncation=6,
    ),
    learn=_learn,
)
