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

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from throughtime.data.stream_batches import Chunk
from throughtime.graph import Cell, Parameter, State, Value
from throughtime.nn import Recurrent
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


def system(theta: float = 0.0) -> Recurrent:
    """The system, in float64; θ alone is to be learned."""
    module = Recurrent(Influence(), UNITS, UNITS, dtype=torch.float64)
    mixing = module.get_parameter("mixing_l0").requires_grad_(False)
    mixing.copy_(torch.eye(UNITS) / 2 + torch.diag(torch.ones(UNITS - 1), 1) / 2)
    with torch.no_grad():
        module.get_parameter("theta_l0").fill_(theta)
    return module


def stream(steps: int) -> Chunk:
    """The signs, at every step: `(T, 1, n)`."""
    signs = torch.ones(UNITS, dtype=torch.float64)
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
    make: Callable[[Recurrent], Truncation], steps: int, learning_rate: float = 1e-3
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

    Returns
    -------
    losses
        Of each step, `(T,)`; those of a truncation that climbs grow without bound.
    """
    module = system()
    found: list[Tensor] = []
    optimizer = torch.optim.SGD([module.get_parameter("theta_l0")], learning_rate)
    for window in make(module).windows(stream(steps)):
        each = losses(window.run())
        optimizer.zero_grad()
        window.sum(each).backward()
        optimizer.step()
        found.append(each.detach()[:, 0])
    return torch.cat(found)


def losses(output: Tensor) -> Tensor:
    """½ (s¹ − 1)² of each step: `(T, B)` of `(T, B, n)`."""
    return (output[..., 0] - 1).square() / 2
