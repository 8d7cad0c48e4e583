"""What models of symbols take: a text, or sequences of symbols."""

from fractions import Fraction
from typing import Any, Final

import numpy as np

from throughtime.data.text import SHORTEST, blocks_of
from throughtime.errors import NoSymbols, NothingToHoldOut, OneSymbolText, TextTooShort

TEXT: Final = "the text"
"""What a text that was given is called in messages."""


def check_text(text: str) -> None:
    """Refuse a text of which nothing can be learned.

    Raises
    ------
    TextTooShort, OneSymbolText
        It is too short, or one character again and again.
    """
    if len(text) < SHORTEST:
        raise TextTooShort(source=TEXT, length=len(text), needed=SHORTEST)
    if len(set(text)) < 2:
        raise OneSymbolText(source=TEXT, symbol=text[0])


def blocks_apart(
    text: str, share: Fraction
) -> tuple[tuple[range, ...], tuple[range, ...]]:
    """Keep blocks of a text apart, spread over all of it.

    Parameters
    ----------
    text
        A text.
    share
        How much of it; 0: all is learned from, and stands for what is apart, too.

    Returns
    -------
    train, apart : tuple of range
        Where they are.

    Raises
    ------
    NothingToHoldOut
        It is too short for such a share.
    """
    train: list[range] = []
    apart: list[range] = []
    for number, block in enumerate(blocks_of(len(text))):
        taken = int((number + 1) * share) > int(number * share)
        (apart if taken else train).append(block)
    kept = apart or ([] if share else train)
    if sum(map(len, kept)) < 2:
        samples = f"a text of {len(text)} characters"
        raise NothingToHoldOut(samples=samples, validation=float(share))
    return tuple(train), tuple(kept)


def listed(X: Any) -> list[Any]:
    """Return the sequences, and refuse what has no symbols in it.

    Raises
    ------
    NoSymbols
        It is no list of sequences, or one of them is empty.
    """
    if isinstance(X, (str, bytes)) or not hasattr(X, "__len__"):
        raise NoSymbols(given=type(X).__name__, expected="a list of sequences")
    found = [list(plain(one)) for one in X]
    if not found or not all(found):
        given = "an empty sequence" if found else "no sequence"
        raise NoSymbols(given=given, expected="at least one symbol in each")
    return found


def plain(sequence: Any) -> Any:
    """Return symbols as Python has them, so that equal ones are found."""
    return sequence.tolist() if isinstance(sequence, np.ndarray) else sequence
