"""Embedded Reber strings: what may come next, by a grammar within a grammar.

After Hochreiter and Schmidhuber (1997). A Reber string goes from B to E through six
states, each of the two ways on drawn alike::

    B → T → (S …) → X → …      and      B → P → (T …) → V → …

An embedded one is B, then T or P, a Reber string, the same T or P again, and E::

    B  T  B P V V E  T  E           B  P  B T X S E  P  E

What comes next is asked for at every step. The second symbol decides the last but one,
however long the string between. A string counts as right if at each of its steps every
symbol that the grammar allows is more probable than every one that it does not. Who
cannot remember the second symbol has half of the strings right at most. The task counts
as solved with all of 256 strings right that nobody has learned from.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

import torch
from torch import Tensor

from throughtime.bench.running.drawn import Answer, Batch, Drawn, learn
from throughtime.bench.running.task import Asked, Known, Measure, Reached, Recipe, Task
from throughtime.data import IGNORED
from throughtime.nn import Softmax
from throughtime.nn.heads import Head

SYMBOLS: Final = "BTPSXVE"
#: The ways on from each state: a symbol, and the state behind it. 6 is the end.
GRAMMAR: Final = (
    (("T", 1), ("P", 2)),
    (("S", 1), ("X", 3)),
    (("T", 2), ("V", 4)),
    (("X", 2), ("S", 5)),
    (("P", 3), ("V", 5)),
    (("E", 6),),
)
_END = 6
_JUDGED, _LOOKED_AT = 256, 1024


def string(coin: Random) -> tuple[str, list[str]]:
    """Draw an embedded Reber string, and say what is allowed behind each symbol.

    Parameters
    ----------
    coin
        What it is drawn from.

    Returns
    -------
    text : str
        From B to E.
    allowed : list of str
        What may follow each symbol of it but the last.
    """
    side = coin.choice("TP")
    text, allowed, state = f"B{side}B", ["TP", "B"], 0
    while state != _END:
        ways = GRAMMAR[state]
        allowed.append("".join(symbol for symbol, _ in ways))
        symbol, state = coin.choice(ways)
        text += symbol
    return f"{text}{side}E", [*allowed, side, "E"]


@dataclass(frozen=True)
class EmbeddedReber(Drawn):
    """Strings of the grammar."""

    input_size = len(SYMBOLS)
    kind = Softmax
    answers = len(SYMBOLS)

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw inputs `(T, B, 7)`, one-hot, and the symbols that follow, `(T, B)`."""
        return self.drawn(count, generator)[0]

    def drawn(self, count: int, generator: torch.Generator) -> tuple[Batch, Tensor]:
        """Draw a batch, and which symbols are allowed next, `(T, B, 7)`."""
        # A throw of Python's costs a hundredth of one of torch's.
        coin = Random(int(torch.randint(2**62, (), generator=generator)))
        drawn = [string(coin) for _ in range(count)]
        lengths = torch.tensor([len(text) - 1 for text, _ in drawn])
        steps = int(lengths.max())
        symbols = torch.full((steps + 1, count), IGNORED)
        allowed = torch.zeros(steps, count, len(SYMBOLS), dtype=torch.bool)
        for row, (text, sets) in enumerate(drawn):
            symbols[: len(text), row] = torch.tensor([*map(SYMBOLS.index, text)])
            for step, names in enumerate(sets):
                allowed[step, row, [*map(SYMBOLS.index, names)]] = True
        read = symbols[:-1].clamp(min=0)  # what lies behind an end is not read
        inputs = torch.nn.functional.one_hot(read, len(SYMBOLS)).float()
        return Batch(inputs, symbols[1:], lengths), allowed

    def loss(self, head: Head, logits: Tensor, batch: Batch) -> Tensor:
        """The cross-entropy of the symbols that follow, in the mean of all steps."""
        assert batch.lengths is not None
        return head.loss(logits, batch.targets).sum() / batch.lengths.sum()

    def value(self, answer: Answer, generator: torch.Generator, look: bool) -> float:
        """The share of 256 strings that are right at every step."""
        batch, allowed = self.drawn(_LOOKED_AT if look else _JUDGED, generator)
        return right(answer(batch), allowed).float().mean().item()

    def enough(self, value: float, measure: Measure) -> bool:
        """All of the strings of a look, which are more than those of the judgement."""
        return value == 1.0


def right(logits: Tensor, allowed: Tensor) -> Tensor:
    """Say which strings `(B,)` are right, of `(T, B, 7)`.

    A step behind the end of a string allows nothing, and is right.
    """
    least = logits.masked_fill(~allowed, torch.inf).amin(-1)
    most = logits.masked_fill(allowed, -torch.inf).amax(-1)
    return ((least > most) | ~allowed.any(-1)).all(0)


def _learn(asked: Asked) -> Reached:
    return learn(EmbeddedReber(), asked)


_SOURCE = "Hochreiter & Schmidhuber 1997"

TASK: Final = Task(
    name="embedded-reber",
    title="what may come next, by a grammar within a grammar",
    definition=__doc__ or "",
    measure=Measure("share of strings right", 1.0, more=True),
    floors=(Known("all but the second symbol remembered", 0.5),),
    published=(
        Known("LSTM, share of trials that succeed, at least", 0.97, _SOURCE),
        Known("Elman, share of trials that succeed", 0.0, _SOURCE),
    ),
    recipe=Recipe(
        cell="lstm",
        hidden_size=32,
        num_layers=1,
        init="default",
        learning_rate=1e-2,
        clip=1.0,
        batch_size=32,
        updates=10_000,
    ),
    learn=_learn,
)
