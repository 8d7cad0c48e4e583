"""Copy memory: ten symbols are to be said again, long after they were read.

After Hochreiter and Schmidhuber (1997), as Arjovsky, Shah and Bengio (2016) state it. A
sequence has ten symbols out of eight, T − 1 blanks, a delimiter and ten more blanks,
T + 20 steps in all. Ten symbols are the answer to the last ten steps, in their order,
and a blank that to all others::

    input    c a h … b - - - … - # - - - … -
    target   - - - … - - - - … - - c a h … b

Who knows where the symbols are asked for, but none of them, has a cross-entropy of
10 ln 8 / (T + 20) nats per step. What is measured is a share of that floor, so that it
says the same for every T; the task counts as solved below a tenth, over 1000 sequences
that nobody has learned from.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from throughtime.bench.running.drawn import Answer, Batch, Drawn, learn
from throughtime.bench.running.task import Asked, Known, Measure, Reached, Recipe, Task
from throughtime.nn import Softmax
from throughtime.nn.heads import Head

LETTERS: Final = 8
COPIED: Final = 10
_BLANK, _DELIMITER, _SYMBOLS = 8, 9, 10
_AT_ONCE = 100


def without_memory(steps: int) -> float:
    """Give the nats per step of who knows the delimiter, and no symbol."""
    return COPIED * math.log(LETTERS) / (steps + 2 * COPIED)


@dataclass(frozen=True)
class CopyMemory(Drawn):
    """Sequences in which so many steps lie between a symbol and its copy."""

    steps: int
    input_size = _SYMBOLS
    kind = Softmax
    answers = LETTERS + 1

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw inputs `(T + 20, B, 10)`, one-hot, and targets `(T + 20, B)`."""
        letters = torch.randint(LETTERS, (COPIED, count), generator=generator)
        symbols = torch.full((self.steps + 2 * COPIED, count), _BLANK)
        targets = symbols.clone()
        symbols[:COPIED] = targets[-COPIED:] = letters
        symbols[COPIED + self.steps - 1] = _DELIMITER
        return Batch(torch.nn.functional.one_hot(symbols, _SYMBOLS).float(), targets)

    def loss(self, head: Head, logits: Tensor, batch: Batch) -> Tensor:
        """The cross-entropy of all steps, in the mean."""
        return head.loss(logits, batch.targets).mean()

    def value(self, answer: Answer, generator: torch.Generator, look: bool) -> float:
        """The share of the floor, of 1000 sequences, or of 200 for a look."""
        found: list[Tensor] = []
        for _ in range((200 if look else 1000) // _AT_ONCE):
            batch = self.draw(_AT_ONCE, generator)
            logits = answer(batch).flatten(0, 1)
            found.append(
                torch.nn.functional.cross_entropy(logits, batch.targets.flatten())
            )
        return torch.stack(found).mean().item() / without_memory(self.steps)


def _learn(asked: Asked) -> Reached:
    assert asked.recipe.steps is not None
    return learn(CopyMemory(asked.recipe.steps), asked)


_TCN = "Bai, Kolter & Koltun 2018, T = 1000"


def _share(nats: float) -> float:
    """Say what is printed for T = 1000 as a share of its floor."""
    return nats / without_memory(1000)


TASK: Final = Task(
    name="copy",
    title="ten symbols are to be said again, T steps after they were read",
    definition=__doc__ or "",
    measure=Measure("share of the floor", 0.1),
    floors=(Known("the delimiter and no symbol", 1.0),),
    published=(
        Known("LSTM", _share(0.0204), _TCN),
        Known("GRU", _share(0.0197), _TCN),
        Known("tanh RNN", _share(0.0202), _TCN),
        Known("TCN", _share(3.5e-5), _TCN),
    ),
    recipe=Recipe(
        cell="janet",
        hidden_size=128,
        num_layers=1,
        init="chrono",
        learning_rate=5e-3,
        clip=1.0,
        batch_size=32,
        updates=10_000,
        steps=100,
    ),
    learn=_learn,
)
