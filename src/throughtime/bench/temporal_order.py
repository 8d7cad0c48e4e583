"""Temporal order: which of two symbols came first, long before the answer.

After Bengio, Simard and Frasconi (1994) and Hochreiter and Schmidhuber (1997), as
Pascanu, Mikolov and Bengio (2013) state it. A sequence of T steps has six symbols: A
and B, which tell, and c, d, e, f, which distract. One of A and B, drawn alike, stands
at a place drawn from [T/10, 2T/10), another one at a place from [4T/10, 5T/10); all
other steps are distractors, drawn alike. At the last step one of four classes is to be
named: AA, AB, BA or BB::

    symbol   d c A e f c d d B c f e d d c f d c e d      T = 20
    target   . . . . . . . . . . . . . . . . . . . AB

So error has to flow back through 9T/10 steps. Who knows nothing is wrong three times
out of four, and has a loss of ln 4 = 1.386. The task counts as solved with less than
1 % wrong of 10,000 sequences that nobody has learned from.

Published (2013), tanh networks of 50 units, clipped gradients, flow penalty: five of
five learn lengths from 50 to 200 at once, and then make no mistake at 5000 steps.
"""

import math
import time
from contextlib import nullcontext
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
from throughtime.cells import Elman
from throughtime.diagnose import FlowPenalty
from throughtime.errors import NumberOutOfRange
from throughtime.graph import Cell
from throughtime.nn import Recurrent, Softmax, initialise
from throughtime.train.threads import using_threads

SYMBOLS: Final = 6
CLASSES: Final = 4
#: The loss of who knows nothing.
WITHOUT_MEMORY: Final = math.log(CLASSES)
#: A task counts as solved with a smaller share of wrong answers.
SOLVED: Final = 0.01
SHORTEST: Final = 10
_TELLING = 2
# Of sequences that nobody learns from: whether it may be solved, seen twice, and
# whether it is.
_LOOK, _LOOK_AGAIN, _JUDGE = 1, 2, 3


class Batch(NamedTuple):
    """Sequences of one length.

    `inputs` are `(T, B, 6)`, one-hot, `classes` `(B,)`: 0 for AA, 1 for AB, 2 for BA, 3
    for BB.
    """

    inputs: Tensor
    classes: Tensor


class Outcome(NamedTuple):
    """What a training came to.

    `wrong` is the share of wrong answers at the end, of 10,000 fresh sequences;
    `updates` how many there were; `seconds` how long the processor was busy; `loss` the
    mean one of the last updates, NaN where a gradient was no finite number;
    `parameters` how many weights there are.
    """

    wrong: float
    updates: int
    seconds: float
    loss: float
    parameters: int

    @property
    def solved(self) -> bool:
        """Whether fewer answers than `SOLVED` are wrong."""
        return self.wrong < SOLVED


def batch(steps: int, count: int, generator: torch.Generator) -> Batch:
    """Draw sequences.

    Parameters
    ----------
    steps
        T, at least 10.
    count
        B.
    generator
        What they are drawn from.

    Raises
    ------
    NumberOutOfRange
        So few steps have no place for both symbols.
    """
    if steps < SHORTEST:
        expected = f"a whole number of at least {SHORTEST}"
        raise NumberOutOfRange(argument="steps", given=steps, expected=expected)

    def drawn(least: int, behind: int, *size: int) -> Tensor:
        return torch.randint(least, behind, size, generator=generator)

    symbols = drawn(_TELLING, SYMBOLS, steps, count)
    told = drawn(0, _TELLING, 2, count)
    # In whole numbers: 0.1 T of a float may round below.
    first = drawn(steps // 10, 2 * steps // 10, count)
    second = drawn(4 * steps // 10, 5 * steps // 10, count)
    symbols.scatter_(0, torch.stack([first, second]), told)
    inputs = torch.nn.functional.one_hot(symbols, SYMBOLS).float()
    return Batch(inputs, _TELLING * told[0] + told[1])


def batch_of_any_length(
    lengths: tuple[int, int], count: int, generator: torch.Generator
) -> Batch:
    """Draw sequences of one length, itself drawn from the shortest to the longest."""
    least, most = lengths
    steps = int(torch.randint(least, most + 1, (1,), generator=generator))
    return batch(steps, count, generator)


def wrong(
    module: Recurrent,
    head: Softmax,
    lengths: tuple[int, int],
    *,
    count: int = 10_000,
    seed: int = 0,
) -> float:
    """Give the share of wrong answers to fresh sequences.

    Parameters
    ----------
    module, head
        What answers, from the output at the last step.
    lengths
        The shortest and the longest; each hundred sequences have one length.
    count
        How many, a multiple of 100.
    seed
        What they are drawn from.
    """
    generator = torch.Generator().manual_seed(seed)
    mistakes = 0
    with measuring(module):
        for _ in range(count // 100):
            inputs, classes = batch_of_any_length(lengths, 100, generator)
            output, _ = module(inputs.to(head.weight.dtype))
            found = head.logits(output[-1]).argmax(-1)
            mistakes += int((found != classes).sum())
    return mistakes / count


def learn(
    *,
    learning_rate: float,
    momentum: float = 0.9,
    clip: float | None = None,
    flow_penalty: float | None = None,
    lengths: tuple[int, int] = (50, 100),
    updates: int = 15_000,
    look_every: int = 250,
    batch_size: int = 20,
    hidden_size: int = 50,
    num_layers: int = 1,
    init: str = "identity",
    cell: Cell | None = None,
    seed: int = 0,
    engine: Engine | None = None,
    follow: Follow = unheard,
) -> Outcome:
    """Learn it by gradient descent, with a tanh network if no cell is given.

    The network starts at the identity: what it reads, it holds for a while. The step
    width falls in a straight line to 0.

    Parameters
    ----------
    learning_rate, momentum
        The first step width, and how much of a step the next one goes on with.
    clip
        The norm of the gradient at most, that of the penalty in it; None: any.
    flow_penalty
        The factor of `throughtime.diagnose.FlowPenalty`; None: there is none.
    lengths
        The shortest and the longest sequence; each batch has one length.
    updates
        How many at most.
    look_every
        After so many it is looked at whether it is solved, and then stopped.
    batch_size, hidden_size, num_layers, init, cell
        B, H, the layers, how they start (as of `throughtime.nn.initialise`), and what
        they are.
    seed
        Of weights and sequences.
    engine
        What computes; its seed does not count.
    follow
        Told of every update.
    """
    torch.manual_seed(seed)
    cell, options = cell or Elman(), (engine or Engine()).options
    module = Recurrent(cell, SYMBOLS, hidden_size, num_layers, **options)
    head = Softmax(module.graphs[-1].output_size, CLASSES, **options)
    chrono = {"steps": lengths[1]} if init == "chrono" else {}
    initialise(module, init, cell=cell, **chrono)
    weights = [*module.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(weights, learning_rate, momentum)
    flow = FlowPenalty(module)
    generator = torch.Generator().manual_seed(1000 + seed)
    start, done, mean = time.process_time(), 0, WITHOUT_MEMORY
    while done < updates:
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - done / updates)
        inputs, classes = batch_of_any_length(lengths, batch_size, generator)
        optimizer.zero_grad()
        with flow if flow_penalty else nullcontext():
            output, _ = module(inputs.to(head.weight.dtype))
        loss = head.loss(head.logits(output[-1]), classes).mean()
        loss.backward()
        if flow_penalty:
            (flow_penalty * flow.penalty().mean()).backward()
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if not nn.utils.get_total_norm(gradients).isfinite():
            mean = math.nan
            break
        if clip is not None:
            nn.utils.clip_grad_norm_(weights, clip)
        optimizer.step()
        done += 1
        follow(done, loss.item())
        mean += 0.01 * (loss.item() - mean)
        if done % look_every == 0 and _may_be_solved(module, head, lengths):
            break
    found = wrong(module, head, lengths, seed=_JUDGE)
    size = sum(weight.numel() for weight in weights)
    return Outcome(found, done, time.process_time() - start, mean, size)


def _may_be_solved(module: Recurrent, head: Softmax, lengths: tuple[int, int]) -> bool:
    """Look at a few sequences first, and none that are judged by."""
    return (
        wrong(module, head, lengths, count=1000, seed=_LOOK) < SOLVED
        and wrong(module, head, lengths, seed=_LOOK_AGAIN) < SOLVED
    )


def _learn(asked: Asked) -> Reached:
    said = asked.recipe.entries() | {"cell": asked.recipe.network}
    engine = asked.engine
    with using_threads(engine.threads):
        found = learn(**said, seed=engine.seed, engine=engine, follow=asked.follow)
    value = math.nan if math.isnan(found.loss) else found.wrong
    return Reached(value, found.updates, found.seconds, found.parameters)


TASK: Final = Task(
    name="temporal-order",
    title="which of two symbols came first, long before the answer",
    definition=__doc__ or "",
    measure=Measure("share of answers wrong", SOLVED),
    floors=(Known("one class for all", 1 - 1 / CLASSES),),
    published=(
        Known(
            "tanh RNN, clipped, flow penalty: 5 of 5 seeds",
            0.0,
            "Pascanu, Mikolov & Bengio 2013, lengths 50 to 200",
        ),
    ),
    recipe=Recipe(
        cell="elman",
        hidden_size=50,
        num_layers=1,
        init="identity",
        learning_rate=0.002,
        clip=0.25,
        flow_penalty=2.0,
        batch_size=20,
        updates=15_000,
    ),
    learn=_learn,
)
