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

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

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
from throughtime.data.stream_batches import Chunk
from throughtime.graph import Cell
from throughtime.nn import Recurrent, Softmax
from throughtime.nn.layers import Layers
from throughtime.train.threads import using_threads
from throughtime.train.truncation import TBPTT, Truncation

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
    the newest steps of the window that was then the last; `updates` and `parameters`
    how many updates and weights there were.
    """

    perplexities: list[float]
    steps: list[int]
    updates: int
    parameters: int


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
    num_layers: int = 2,
    learning_rate: float = 0.01,
    clip: float = 1.0,
    cell: Cell | None = None,
    seed: int = 0,
    engine: Engine | None = None,
    follow: Follow = unheard,
) -> Outcome:
    """Learn it, with Adam, whose step width falls in a straight line to 0.

    Parameters
    ----------
    make
        Gives the truncation of a module.
    passes
        Over the training rows, 4000 steps each. Published were 210, of plain gradient
        descent; 40 are enough here.
    hidden_size, num_layers, cell
        Of each layer, how many there are, and what they are: by default LSTMs.
    learning_rate
        At the beginning, for each window.
    clip
        The norm of a gradient at most.
    seed
        Of the weights. Training and test rows are always the same.
    engine
        What computes; its seed does not count.
    follow
        Told of every update.
    """
    torch.manual_seed(seed)
    options = (engine or Engine()).options
    module = Recurrent(cell or LSTM(), SYMBOLS, hidden_size, num_layers, **options)
    head = Softmax(module.graphs[-1].output_size, SYMBOLS, **options)
    weights = [*module.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights)
    truncation = make(module)
    dtype = options["dtype"]
    training = _as(dtype, rows(TRAINING_STEPS, seed=1))
    test = _as(dtype, rows(TEST_STEPS, seed=2))
    perplexities: list[float] = []
    newest: list[int] = []
    steps = updates = 0
    for number in range(passes):
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - number / passes)
        truncation.reset()
        for window in truncation.windows(pieces(training)):
            losses = head.loss(head.logits(window.run()), window.targets)
            steps = window.steps
            optimizer.zero_grad()
            loss = window.mean(losses)
            loss.backward()
            nn.utils.clip_grad_norm_(weights, clip)
            updates += 1
            follow(updates, loss.item())
            optimizer.step()
        perplexities.append(perplexity(module, head, test))
        newest.append(steps)
    size = sum(weight.numel() for weight in weights)
    return Outcome(perplexities, newest, updates, size)


def _as(dtype: torch.dtype, chunk: Chunk) -> Chunk:
    """The same rows in another dtype."""
    return replace(chunk, inputs=chunk.inputs.to(dtype))


def pieces(chunk: Chunk, steps: int = 200) -> Iterator[Chunk]:
    """The same stream, piece by piece."""
    assert chunk.targets is not None
    pairs = zip(chunk.inputs.split(steps), chunk.targets.split(steps), strict=True)
    for inputs, targets in pairs:
        yield Chunk(inputs, targets)


def perplexity(module: Recurrent, head: Softmax, test: Chunk) -> float:
    """Give exp of the mean loss over all steps and rows."""
    assert isinstance(test.targets, Tensor)
    with measuring(module):
        output, _ = module(test.inputs)
        # Torch's, as a number too large for a float is no error then.
        return head.loss(head.logits(output), test.targets).mean().exp().item()


def _learn(asked: Asked) -> Reached:
    recipe, engine = asked.recipe, asked.engine
    said = recipe.entries() | {"cell": recipe.network}
    back, passes = said.pop("truncation"), said.pop("epochs")
    start = time.perf_counter()
    with using_threads(engine.threads):
        found = learn(
            lambda module: TBPTT(module, back, 2 * back - 1),
            passes,
            **said,
            seed=engine.seed,
            engine=engine,
            follow=asked.follow,
        )
    seconds = time.perf_counter() - start
    return Reached(found.perplexities[-1], found.updates, seconds, found.parameters)


_SOURCE = "Aicher, Foti & Fox 2019, 210 passes"

TASK: Final = Task(
    name="repeat-copy",
    title="symbols are to be repeated ten steps after they were read",
    definition=__doc__ or "",
    measure=Measure("perplexity of test rows", 1.05),
    floors=(Known("the cycle and no letter", WITHOUT_MEMORY),),
    published=(
        Known("LSTM, K = 5", 1.646, _SOURCE),
        Known("LSTM, K = 10", 1.036, _SOURCE),
        Known("LSTM, K = 15", 1.039, _SOURCE),
        Known("LSTM, K = 30", 1.043, _SOURCE),
    ),
    recipe=Recipe(
        cell="lstm",
        hidden_size=50,
        num_layers=2,
        learning_rate=0.01,
        clip=1.0,
        epochs=25,
        truncation=10,
    ),
    learn=_learn,
)
