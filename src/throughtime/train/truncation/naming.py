"""A truncation by its name, as people write it on a command line."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch

from throughtime.errors import BadTruncation
from throughtime.nn.layers import Layers
from throughtime.train.truncation.adaptive import LONGEST, AdaptiveTruncation
from throughtime.train.truncation.fixed import TBPTT, check_numbers
from throughtime.train.truncation.randomised import RandomTruncation, check_mean
from throughtime.train.truncation.stream import Truncation

# Of a random truncation's mean length, the share after which it may cut: a call of the
# module for each.
_PLACES = 10


@dataclass(frozen=True)
class Rule:
    """A truncation that has no module yet.

    Parameters
    ----------
    make
        Builds it for a module; the generator draws what is random, None: PyTorch's own.
    steps
        New steps of a window: all have as many, or so many in the mean; of an adaptive
        one the most.
    regular
        Whether all have as many.
    mean_length
        Of a random truncation L0: its gradient is right in the mean if losses are
        added up and divided by this, not by how many a window has.
    credit
        The most steps over which error flows back; None: over any number.
    """

    make: Callable[[Layers, torch.Generator | None], Truncation]
    steps: int
    regular: bool = True
    mean_length: float | None = None
    credit: int | None = None


def read_rule(name: object, argument: str = "truncation") -> Rule:
    """Read what a name stands for.

    Parameters
    ----------
    name
        As in `truncation`.
    argument
        What errors call the name.

    Raises
    ------
    BadTruncation
        There is none.
    """
    text = name if isinstance(name, str) else ""
    if found := re.fullmatch(r"(\d{1,9})(?::(\d{1,9}))?", text):
        k1, k2 = int(found[1]), int(found[2] or found[1])
        check_numbers(k1, k2)
        return Rule(lambda module, _: TBPTT(module, k1, k2), k1, credit=k2)
    if found := re.fullmatch(r"random:(\d{1,9}(?:\.\d{1,9})?)", text):
        length = float(found[1])
        every = max(1, int(length / _PLACES))
        check_mean(length, every)
        return Rule(
            lambda module, generator: RandomTruncation(
                module, length, every=every, generator=generator
            ),
            round(length),
            regular=False,
            mean_length=length,
        )
    if text == "auto":
        return Rule(
            lambda module, _: AdaptiveTruncation(module),
            LONGEST,
            regular=False,
            credit=LONGEST,
        )
    raise BadTruncation(
        argument=argument,
        given=name,
        expected="'K1:K2', 'K', 'random:L0' or 'auto'",
        advice="give numbers of steps, such as '10:30'",
    )


def truncation(name: str, module: Layers) -> Truncation:
    """Build the truncation of this name.

    Parameters
    ----------
    name
        ``"K1:K2"``, or ``"K"`` for K:K; ``"random:L0"``, unbiased, windows of L0 steps
        in the mean, cut at multiples of a tenth of it; ``"auto"``, as far as its
        relative bias asks for.
    module
        As in `Truncation`.

    Raises
    ------
    BadTruncation
        There is none.
    """
    return read_rule(name).make(module, None)
