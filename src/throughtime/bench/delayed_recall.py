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

from collections.abc import Callable
from typing import Final

import torch
from torch import nn

from throughtime.cells import LSTM
from throughtime.data import IGNORED
from throughtime.data.stream_batches import Chunk
from throughtime.nn import Recurrent, Softmax
from throughtime.nn.layers import Layers
from throughtime.train.truncation import Truncation

ROWS: Final = 64
#: The accuracy of who knows nothing of the marked bit.
WITHOUT_MEMORY: Final = 0.5


def rows(lag: int, steps: int, count: int = ROWS, *, seed: int = 0) -> Chunk:
    """Rows of the task: inputs `(T, B, 3)` (bit, marked, asked), targets `(T, B)`."""
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(2, (steps, count), generator=generator)
    phase = torch.randint(2 * lag, (count,), generator=generator)
    place = (torch.arange(steps)[:, None] + phase) % (2 * lag)
    marked, asked = place == 0, place == lag - 1
    asked[: lag - 1] = False  # the bit came before the row began
    answers = torch.where(asked, bits.roll(lag - 1, 0), IGNORED)
    inputs = torch.stack([2 * bits - 1, marked, asked], -1).float()
    return Chunk(inputs, answers)


def learn(
    make: Callable[[Layers], Truncation],
    lag: int,
    *,
    steps: int = 1500,
    hidden_size: int = 16,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> float:
    """Learn it along one stream, and give the accuracy on another one.

    Parameters
    ----------
    make
        Gives the truncation of a module.
    lag
        L, at least 2.
    steps
        T, the length of the stream.
    hidden_size
        Of the LSTM.
    learning_rate
        Of Adam, for each window.
    seed
        Of the weights.
    """
    torch.manual_seed(seed)
    module, head = Recurrent(LSTM(), 3, hidden_size), Softmax(hidden_size, 2)
    weights = [*module.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, learning_rate)
    for window in make(module).windows(rows(lag, steps, seed=1)):
        losses = head.loss(head.logits(window.run()), window.targets)
        optimizer.zero_grad()
        window.mean(losses).backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
    test = rows(lag, 20 * lag, seed=2)
    assert test.targets is not None
    with torch.no_grad():
        answers = head.logits(module(test.inputs)[0]).argmax(-1)
    asked = test.targets != IGNORED
    return (answers[asked] == test.targets[asked]).float().mean().item()
