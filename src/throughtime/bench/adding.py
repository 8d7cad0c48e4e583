"""Adding: two numbers, marked long before the end, are to be added up.

After Hochreiter and Schmidhuber (1997), as Le, Jaitly and Hinton (2015) state it. Every
step reads a number drawn from [0, 1) and a mark, which is 1 at two steps, one in each
half, and 0 at all others. At the last step the sum of both marked numbers is asked
for::

    number   .3 .9 .1 .5 .8 .2 .7 .4      T = 8
    mark      .  *  .  .  .  .  *  .
    asked                          *      1.6

Who knows nothing says 1, the mean, and has a squared error of 1/6. The task counts as
solved with a mean squared error below 0.01 over 10,000 sequences that nobody has
learned from.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from throughtime.bench.running.drawn import Answer, Batch, Drawn, learn
from throughtime.bench.running.task import Asked, Known, Measure, Reached, Recipe, Task
from throughtime.nn import Linear
from throughtime.nn.heads import Head

#: The squared error of who says the mean.
WITHOUT_MEMORY: Final = 1 / 6
_AT_ONCE = 500


@dataclass(frozen=True)
class Adding(Drawn):
    """Sequences of so many steps."""

    steps: int
    input_size = 2
    kind = Linear
    answers = 1

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw inputs `(T, B, 2)`, number and mark, and their sums `(B, 1)`."""
        numbers = torch.rand(self.steps, count, generator=generator)
        half = self.steps // 2
        first = torch.randint(0, half, (1, count), generator=generator)
        second = torch.randint(half, self.steps, (1, count), generator=generator)
        marked = torch.cat([first, second])
        marks = torch.zeros(self.steps, count).scatter_(0, marked, 1.0)
        sums = numbers.gather(0, marked).sum(0)
        return Batch(torch.stack([numbers, marks], -1), sums[:, None])

    def loss(self, head: Head, logits: Tensor, batch: Batch) -> Tensor:
        """Half the squared error of the last step, in the mean."""
        return head.loss(logits[-1], batch.targets.to(logits.dtype)).mean()

    def value(self, answer: Answer, generator: torch.Generator, look: bool) -> float:
        """The mean squared error of 10,000 sequences, or of 1000 for a look."""
        errors: list[Tensor] = []
        for _ in range((1000 if look else 10_000) // _AT_ONCE):
            batch = self.draw(_AT_ONCE, generator)
            errors.append((answer(batch)[-1] - batch.targets).square().mean())
        return torch.stack(errors).mean().item()


def _learn(asked: Asked) -> Reached:
    assert asked.recipe.steps is not None
    return learn(Adding(asked.recipe.steps), asked)


_TCN = "Bai, Kolter & Koltun 2018, T = 600, 70,000 weights"

TASK: Final = Task(
    name="adding",
    title="two numbers, marked long before the end, are to be added up",
    definition=__doc__ or "",
    measure=Measure("mean squared error", 0.01),
    floors=(Known("the mean, whatever comes", WITHOUT_MEMORY),),
    published=(
        Known("LSTM", 0.164, _TCN),
        Known("GRU", 5.3e-5, _TCN),
        Known("tanh RNN", 0.177, _TCN),
        Known("TCN", 5.8e-5, _TCN),
    ),
    recipe=Recipe(
        cell="gru",
        hidden_size=64,
        num_layers=1,
        init="default",
        learning_rate=3e-3,
        clip=1.0,
        batch_size=64,
        updates=10_000,
        steps=200,
    ),
    learn=_learn,
)
