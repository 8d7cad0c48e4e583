"""Text drawn from a model, one symbol after the other."""

import math
from collections.abc import Iterator

import torch

from throughtime.data import UNKNOWN, encode
from throughtime.errors import DrawsNoSymbols, NumberOutOfRange, UnknownPrompt
from throughtime.train.runs import Run
from throughtime.train.settings import LARGEST_SEED, check_count


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
    _check(run, length, temperature)
    check_count("seed", seed, 0, LARGEST_SEED)
    vocabulary = run.model.labels
    start = prompt or ("\n" if "\n" in vocabulary else vocabulary[1])
    unknown = sorted(set(start) - set(vocabulary))
    if unknown:
        raise UnknownPrompt(symbols=", ".join(map(repr, unknown)))
    symbols = torch.from_numpy(encode(start, vocabulary))
    return _draw(run, symbols, length, temperature, seed)


@torch.no_grad()
def _draw(
    run: Run, symbols: torch.Tensor, length: int, temperature: float, seed: int
) -> Iterator[str]:
    model = run.model
    device = model.head.weight.device
    generator = torch.Generator().manual_seed(seed)
    state = None
    for _ in range(length):
        logits, state = model.logits(symbols[:, None, None].to(device), state)
        scores = logits[-1, 0].double().cpu()
        # No character stands behind it, and training never asked for it.
        scores[model.labels.index(UNKNOWN)] = -math.inf
        if temperature == 0:
            symbols = scores.argmax()[None]
        else:
            # The highest score is moved to 0, so that small temperatures stay finite.
            chances = ((scores - scores.max()) / temperature).softmax(-1)
            symbols = torch.multinomial(chances, 1, generator=generator)
        yield model.labels[int(symbols)]


def _check(run: Run, length: int, temperature: float) -> None:
    if not run.of_text:
        raise DrawsNoSymbols(path=run.path, task=run.task)
    check_count("length", length, at_least=1)
    if not math.isfinite(temperature) or temperature < 0:
        raise NumberOutOfRange(
            argument="temperature",
            given=temperature,
            expected="a finite number of at least 0",
        )
