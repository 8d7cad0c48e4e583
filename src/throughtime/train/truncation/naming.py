"""A truncation by its name, as people write it on a command line."""

import re

from throughtime.errors import BadTruncation
from throughtime.nn.layers import Layers
from throughtime.train.truncation.adaptive import AdaptiveTruncation
from throughtime.train.truncation.fixed import TBPTT
from throughtime.train.truncation.randomised import RandomTruncation
from throughtime.train.truncation.stream import Truncation


def truncation(name: str, module: Layers) -> Truncation:
    """Build the truncation of this name.

    Parameters
    ----------
    name
        ``"K1:K2"``, or ``"K"`` for K:K; ``"random:L0"``, unbiased, windows of L0 steps
        in the mean; ``"auto"``, as far as its relative bias asks for.
    module
        As in `Truncation`.

    Raises
    ------
    BadTruncation
        There is none.
    """
    if found := re.fullmatch(r"(\d+)(?::(\d+))?", name):
        k1, k2 = found[1], found[2] or found[1]
        return TBPTT(module, int(k1), int(k2))
    if found := re.fullmatch(r"random:(\d+(?:\.\d+)?)", name):
        return RandomTruncation(module, float(found[1]))
    if name == "auto":
        return AdaptiveTruncation(module)
    raise BadTruncation(
        argument="truncation",
        given=name,
        expected="'K1:K2', 'K', 'random:L0' or 'auto'",
        advice="give numbers of steps, such as '10:30'",
    )
