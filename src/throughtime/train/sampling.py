"""Text drawn from a model, one symbol after the other."""

import math
from collections.abc import Iterator

import torch

from throughtime.data import UNKNOWN, encode
from throughtime.data.types import IntegerArray
from throughtime.errors import DrawsNoSymbols, NumberOutOfRange, UnknownPrompt
from throughtime.train.asking.ranges import LARGEST_SEED
from throughtime.train.asking.settings import check_count
from throughtime.train.model import Model
from throughtime.train.runs import Run


def sample(
    run: Run,
    length: int = 500,
    *,
    temperature: float = 1.0,
    seed: int = 0,
    prompt: str = "",
) -> Iterator[str]:
    """Draw characters from a model of text.

    Parameters
    ----------
    run
        A run on a text.
    length
        How many characters to draw.
    temperature
        Logits are divided by it: below 1 likely characters come more often, at 0 the
        likeliest always comes.
    seed
        The same seed gives the same text.
    prompt
        What comes before; it is not drawn again. Empty: a new line, if the training
        text has one.

    Yields
    ------
    str
        A character.

    Raises
    ------
    DrawsNoSymbols, NumberOutOfRange, UnknownPrompt
        The run or an argument cannot be used so.
    """
    if not run.of_text:
        raise DrawsNoSymbols(path=run.path, task=run.task)
    vocabulary = run.model.labels
    start = prompt or ("\n" if "\n" in vocabulary else vocabulary[1])
    unknown = sorted(set(start) - set(vocabulary))
    if unknown:
        raise UnknownPrompt(symbols=", ".join(map(repr, unknown)))
    return draw(run.model, encode(start, vocabulary), length, temperature, seed)


def draw(
    model: Model,
    start: IntegerArray,
    length: int,
    temperature: float = 1.0,
    seed: int = 0,
) -> Iterator[str]:
    """Draw symbols from a model of the next one.

    Parameters
    ----------
    model
        It reads one column of symbols.
    start
        `(n,)`, the places of the symbols that come before; n is at least 1.
    length, temperature, seed
        As in `sample`.

    Yields
    ------
    str
        A symbol.

    Raises
    ------
    NumberOutOfRange
        An argument cannot be used so.
    """
    check_count("length", length, at_least=1)
    check_count("seed", seed, 0, LARGEST_SEED)
    if not math.isfinite(temperature) or temperature < 0:
        raise NumberOutOfRange(
            argument="temperature",
            given=temperature,
            expected="a finite number of at least 0",
        )
    return _draw(model, torch.from_numpy(start), length, temperature, seed)


@torch.no_grad()
def _draw(
    model: Model, symbols: torch.Tensor, length: int, temperature: float, seed: int
) -> Iterator[str]:
    device = model.head.weight.device
    generator = torch.Generator().manual_seed(seed)
    state = None
    for _ in range(length):
        logits, state = model.logits(symbols[:, None, None].to(device), state)
        scores = logits[-1, 0].double().cpu()
        # No character stands behind it, and training never asked for it.
        if UNKNOWN in model.labels:
            scores[model.labels.index(UNKNOWN)] = -math.inf
        if temperature == 0:
            symbols = scores.argmax()[None]
        else:
            # The highest score is moved to 0, so that small temperatures stay finite.
            chances = ((scores - scores.max()) / temperature).softmax(-1)
            symbols = torch.multinomial(chances, 1, generator=generator)
        yield model.labels[int(symbols)]
