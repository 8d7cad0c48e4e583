"""Fixed copy: symbols are to be repeated ten steps after they were read.

After Aicher, Foti and Fox (2019). A row repeats a cycle of 20 steps: a mark, nine of
four letters, ten blanks; the target of each step is the input ten steps before::

    input    # b c a … d - - - - … - # …
    target   - - - - … - # b c a … d - …

So K steps of credit teach nothing where K ≤ 10, beyond what a state happens to keep.
Rows begin at any place of the cycle. Perplexity is that of all steps of a test row,
from its first one: about 1.007 is the least, as what a row read before it begins is not
known, and ``4^(9/20)`` = 1.87 who knows the cycle alone.

Published, two LSTM layers of 50 units, windows TBPTT(K, 2K − 1):

=========  =====  =====  =====  =====  ==================  =====  =====
K          5      10     15     30     adaptive, δ = 0.9   0.5    0.1
test       1.646  1.036  1.039  1.043  1.022               1.027  1.030
=========  =====  =====  =====  =====  ==================  =====  =====
"""

import math
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from throughtime.cells import LSTM
from throughtime.data.stream_batches import Chunk
from throughtime.nn import Recurrent, Softmax
from throughtime.nn.layers import Layers
from throughtime.train.truncation import Truncation

LAG: Final = 10
SYMBOLS: Final = 6
ROWS: Final = 64
TRAINING_STEPS: Final = 4000
TEST_STEPS: Final = 1000
#: Perplexity of who knows the cycle and no letter.
WITHOUT_MEMORY: Final = 4 ** (9 / 20)


class Outcome(NamedTuple):
    """What a training came to.

    `perplexities` on the test rows, after each pass over the training rows; `steps` K,
    the newest steps of the window that was then the last.
    """

    perplexities: list[float]
    steps: list[int]


def rows(steps: int, count: int = ROWS, *, seed: int = 0) -> Chunk:
    """Rows of the task: inputs `(T, B, 6)`, one-hot, targets `(T, B)`."""
    generator = torch.Generator().manual_seed(seed)
    cycles = -(-(steps + 2 * LAG) // (2 * LAG))
    letters = torch.randint(2, SYMBOLS, (cycles, 2 * LAG, count), generator=generator)
    letters[:, 0] = 1
    letters[:, LAG:] = 0
    inputs = letters.flatten(0, 1)
    targets = inputs.roll(LAG, 0)  # what comes round is the cycle's, all blank
    place = torch.randint(2 * LAG, (count,), generator=generator)
    own = torch.arange(steps)[:, None] + place
    symbols, answers = inputs.gather(0, own), targets.gather(0, own)
    return Chunk(nn.functional.one_hot(symbols, SYMBOLS).float(), answers)


def learn(
    make: Callable[[Layers], Truncation],
    passes: int,
    *,
    hidden_size: int = 50,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> Outcome:
    """Learn it, with Adam, whose step width falls in a straight line to 0.

    Parameters
    ----------
    make
        Gives the truncation of a module.
    passes
        Over the training rows, 4000 steps each. Published were 210, of plain gradient
        descent; 40 are enough here.
    hidden_size
        Of each of the two layers.
    learning_rate
        At the beginning, for each window.
    seed
        Of the weights. Training and test rows are always the same.
    """
    torch.manual_seed(seed)
    module = Recurrent(LSTM(), SYMBOLS, hidden_size, 2)
    head = Softmax(hidden_size, SYMBOLS)
    weights = [*module.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights)
    truncation = make(module)
    training, test = rows(TRAINING_STEPS, seed=1), rows(TEST_STEPS, seed=2)
    outcome, steps = Outcome([], []), 0
    for number in range(passes):
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - number / passes)
        truncation.reset()
        for window in truncation.windows(pieces(training)):
            losses = head.loss(head.logits(window.run()), window.targets)
            steps = window.steps
            optimizer.zero_grad()
            window.mean(losses).backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
        outcome.perplexities.append(perplexity(module, head, test))
        outcome.steps.append(steps)
    return outcome


def pieces(chunk: Chunk, steps: int = 200) -> Iterator[Chunk]:
    """The same stream, piece by piece."""
    assert chunk.targets is not None
    pairs = zip(chunk.inputs.split(steps), chunk.targets.split(steps), strict=True)
    for inputs, targets in pairs:
        yield Chunk(inputs, targets)


@torch.no_grad()
def perplexity(module: Recurrent, head: Softmax, test: Chunk) -> float:
    """Give exp of the mean loss over all steps and rows."""
    assert isinstance(test.targets, Tensor)
    output, _ = module(test.inputs)
    return math.exp(head.loss(head.logits(output), test.targets).mean())
