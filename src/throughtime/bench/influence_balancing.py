"""Influence balancing: a short truncation moves the parameter the wrong way.

After Tallec and Ollivier (2017). A linear system of n units,

    s_t = A s_{t−1} + θ (1, …, 1, −1, …, −1)ᵀ,   A_ii = A_i,i+1 = ½,

with p times +1, has one parameter θ; the loss of each step is ``½ (s¹_t − 1)²``. The
influence of θ on the first unit arrives from unit k about 2k steps later: at first the
p positive ones are seen, and only then the n − p negative ones, which win. For n = 23
and p = 10 the slope ``ds¹/dθ`` over the last K steps is:

======  ====  ======  ======  =====  ======  ======  =====
K       1     10      20      40     41      60      ∞
slope   +1    +10     +16.5   +0.57  < 0     −5.90   −6
======  ====  ======  ======  =====  ======  ======  =====

So truncation at K ≤ 40 climbs where it should descend, whatever the step width, and
random truncation of any mean length is right in the mean.
"""

import time
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

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
from throughtime.data.stream_batches import Chunk
from throughtime.graph import Cell, Parameter, State, Value
from throughtime.nn import Recurrent
from throughtime.train.threads import using_threads
from throughtime.train.truncation import TBPTT, Truncation

UNITS: Final = 23
POSITIVE: Final = 10
#: The whole slope, 2p − n doubled.
WHOLE_SLOPE: Final = 2 * (2 * POSITIVE - UNITS)
#: The least number of steps whose slope has the right sign.
FIRST_RIGHT: Final = 41


class Influence(Cell):
    """s_t = A s_{t−1} + θ x_t, with one parameter θ."""

    mixing = Parameter("hidden", "hidden", init="zeros")
    theta = Parameter(1, init="zeros")
    s = State("hidden")

    def step(self, x: Value, s: Value) -> Value:
        return self.mixing @ s + self.theta * x


#: What computes, if nothing else is asked for.
DOUBLE: Final = Engine(dtype="float64")


def system(theta: float = 0.0, engine: Engine = DOUBLE) -> Recurrent:
    """The system; θ alone is to be learned."""
    module = Recurrent(Influence(), UNITS, UNITS, **engine.options)
    mixing = module.get_parameter("mixing_l0").requires_grad_(False)
    mixing.copy_(torch.eye(UNITS) / 2 + torch.diag(torch.ones(UNITS - 1), 1) / 2)
    with torch.no_grad():
        module.get_parameter("theta_l0").fill_(theta)
    return module


def stream(steps: int, engine: Engine = DOUBLE) -> Chunk:
    """The signs, at every step: `(T, 1, n)`."""
    signs = torch.ones(UNITS, dtype=engine.options["dtype"])
    signs[POSITIVE:] = -1
    return Chunk(signs.expand(steps, 1, UNITS))


def truncated_slope(steps: int) -> float:
    """ds¹/dθ over so many steps, long after the beginning."""
    module = system(theta=1.0)
    slope = torch.zeros(1)
    for window in TBPTT(module, 1, steps).windows(stream(2 * steps)):
        first_unit = window.run()[-1, 0, 0]
        (slope,) = torch.autograd.grad(first_unit, module.get_parameter("theta_l0"))
    return slope.item()


def total_gradient(truncation: Truncation, steps: int) -> float:
    """Add up the gradients of all losses, as this truncation sees them, θ fixed."""
    theta = truncation.module.get_parameter("theta_l0")
    truncation.reset()
    total = 0.0
    for window in truncation.windows(stream(steps)):
        loss = window.sum(losses(window.run()))
        total += torch.autograd.grad(loss, theta)[0].item()
    return total


def learn(
    make: Callable[[Recurrent], Truncation],
    steps: int,
    learning_rate: float = 1e-3,
    *,
    engine: Engine = DOUBLE,
    follow: Follow = unheard,
) -> Tensor:
    """Learn θ by gradient descent along one stream.

    Parameters
    ----------
    make
        Gives the truncation of a module.
    steps
        T, the length of the stream.
    learning_rate
        The step width per loss.
    engine
        What computes.
    follow
        Told of every update.

    Returns
    -------
    losses
        Of each step, `(T,)`; those of a truncation that climbs grow without bound.
    """
    module = system(engine=engine)
    found: list[Tensor] = []
    optimizer = torch.optim.SGD([module.get_parameter("theta_l0")], learning_rate)
    for window in make(module).windows(stream(steps, engine)):
        each = losses(window.run())
        optimizer.zero_grad()
        window.sum(each).backward()
        optimizer.step()
        found.append(each.detach()[:, 0])
        follow(len(found), each.mean().item())
    return torch.cat(found)


def losses(output: Tensor) -> Tensor:
    """½ (s¹ − 1)² of each step: `(T, B)` of `(T, B, n)`."""
    return (output[..., 0] - 1).square() / 2


_EVERY = 10
# Over so many of the last steps the loss is measured.
_LAST = 100


def _learn(asked: Asked) -> Reached:
    recipe, engine = asked.recipe, asked.engine
    steps, back = recipe.steps, recipe.truncation
    assert steps and back and recipe.learning_rate
    start = time.perf_counter()
    with using_threads(engine.threads):
        found = learn(
            lambda module: TBPTT(module, min(_EVERY, back), back),
            steps,
            recipe.learning_rate,
            engine=engine,
            follow=asked.follow,
        )
    seconds = time.perf_counter() - start
    updates = -(-steps // min(_EVERY, back))
    return Reached(found[-_LAST:].mean().item(), updates, seconds, 1)


TASK: Final = Task(
    name="influence-balancing",
    title="a system in which too short a truncation has the wrong sign",
    definition=__doc__ or "",
    measure=Measure("mean loss of the last 100 steps", 0.01),
    floors=(Known("θ as it was", 0.5),),
    published=(),
    recipe=Recipe(learning_rate=1e-4, steps=1500, truncation=100),
    learn=_learn,
    drawn=False,
)
