"""Text into symbols and back."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from throughtime.data.card import Card
from throughtime.data.datasets import TextDataset
from throughtime.data.types import IntegerArray, Split
from throughtime.errors import (
    EmptyFile,
    FolderGiven,
    MissingFile,
    NotUTF8,
    OneSymbolText,
    SymbolOutsideVocabulary,
    TextTooShort,
    UnknownSplit,
    UnreadableFile,
)

#: The entry of a vocabulary for unseen characters. It is longer than one character,
#: so no text holds it.
UNKNOWN: Final = "<unknown>"

#: How every text is split, as its card says it.
SPLIT_RULE: Final = (
    "in equal blocks, of every 20 the 10th validation, the 20th test, the others "
    "training (90 %, 5 %, 5 %)"
)

#: What a result on such parts means, as its card says it.
SPLIT_NOTES: Final = (
    "Validation and test are text of the same works as the training text: a result "
    "says nothing about works that were never read.",
    "The blocks of a part are joined, so the first characters of a block are predicted "
    "after the end of another block, which is slightly harder.",
)

#: How a text is split in time, as its card says it.
IN_TIME: Final = "the first 90 % training, then 5 % validation, the last 5 % test"

#: Each part must hold a character and the one that follows it: 5 % of 40 is 2.
SHORTEST: Final = 40

_BLOCK = 5000
_CYCLE: tuple[tuple[Split, int, int], ...] = (
    ("train", 0, 9),
    ("validation", 9, 10),
    ("train", 10, 19),
    ("test", 19, 20),
)
_CYCLE_BLOCKS = 20


def read_text(path: str | PathLike[str]) -> str:
    """Read a UTF-8 file as it is, line ends included, less a byte order mark.

    Raises
    ------
    MissingFile, FolderGiven, UnreadableFile, EmptyFile, NotUTF8
        The file cannot be used; the message says why and what to do.
    """
    try:
        content = Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFile(path=path, folder=Path.cwd()) from None
    except IsADirectoryError:
        raise FolderGiven(path=path) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableFile(path=path, reason=reason) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotUTF8(path=path, position=error.start) from None
    if not text:
        raise EmptyFile(path=path)
    return text


def text_dataset(
    text: str, name: str, card: Card | None = None, *, split: str | None = None
) -> TextDataset:
    """Make a data set of a text: 90 % training, 5 % validation, 5 % test.

    The text is cut into equal blocks of 5,000 to 10,000 characters, or into 20
    shorter ones if it has fewer than 100,000. Of every 20 blocks the 10th is
    validation, the 20th test, the others training. So the parts are of the same
    works: a result says nothing about works that were never read. The blocks of a
    part are joined; the first characters of each are predicted after the end of the
    block before it in the same part, which is slightly harder than in their place.

    Parameters
    ----------
    text
        At least 40 characters, two different ones in the training part.
    name
        What it is called in messages and on its card.
    card
        Its card; by default one with what the text itself tells.
    split
        `"time"`: training first, then validation, then test, each in one stretch: the
        last works may be of another kind than all that was learned from. None: in
        blocks, as above.

    Raises
    ------
    OneSymbolText, TextTooShort
        There is nothing to learn, or too little.
    UnknownSplit
        `split` is none of a text.
    """
    if split not in (None, "time"):
        raise UnknownSplit(given=split, source=name)
    splits = _in_time(len(text)) if split else _split(len(text))
    training = "".join(text[r.start : r.stop] for r in splits["train"]) or text
    if len(set(training)) < 2:
        raise OneSymbolText(source=name, symbol=training[:1])
    if len(text) < SHORTEST:
        raise TextTooShort(source=name, length=len(text), needed=SHORTEST)
    vocabulary = (UNKNOWN, *sorted(set(training)))
    return TextDataset(
        name=name,
        symbols=encode(text, vocabulary),
        vocabulary=vocabulary,
        splits=splits,
        card=card or text_card(text, name, vocabulary, in_time=bool(split)),
    )


def text_card(
    text: str, name: str, vocabulary: Sequence[str], *, in_time: bool = False
) -> Card:
    """Return the card of a text of which nothing more is known."""
    return Card(
        name=name,
        title="a text",
        origin="given by the user",
        licence="not stated",
        shape=f"{len(text)} characters, {len(vocabulary) - 1} different in training",
        task="predict the next character",
        split=IN_TIME if in_time else SPLIT_RULE,
        metric="bits per character",
        notes=() if in_time else SPLIT_NOTES,
    )


def encode(text: str, vocabulary: Sequence[str]) -> IntegerArray:
    """Give each character its place in `vocabulary`, unseen ones that of `UNKNOWN`.

    Parameters
    ----------
    text
        Any text of N characters.
    vocabulary
        `UNKNOWN` at place 0, then single characters.

    Returns
    -------
    numpy.ndarray
        `(N,)`, int64.
    """
    known = _code_points("".join(vocabulary[1:]))
    given = _code_points(text)
    order = np.argsort(known)
    nearest = np.searchsorted(known, given, sorter=order).clip(max=len(known) - 1)
    places = order[nearest]
    return np.where(known[places] == given, places + 1, 0).astype(np.int64)


def decode(symbols: Iterable[int], vocabulary: Sequence[str]) -> str:
    """Turn symbols back into text; unseen characters become U+FFFD.

    Raises
    ------
    SymbolOutsideVocabulary
        A number has no place in the vocabulary.
    """
    characters = ("\N{REPLACEMENT CHARACTER}", *vocabulary[1:])
    written: list[str] = []
    for symbol in symbols:
        if not 0 <= symbol < len(characters):
            raise SymbolOutsideVocabulary(symbol=symbol, last=len(characters) - 1)
        written.append(characters[symbol])
    return "".join(written)


def blocks_of(length: int) -> list[range]:
    """Cut a text into equal blocks, a multiple of 20, to be shared out among parts."""
    count = max(1, length // (_CYCLE_BLOCKS * _BLOCK)) * _CYCLE_BLOCKS
    edges = [block * length // count for block in range(count + 1)]
    return [range(*edge) for edge in pairwise(edges)]


def _split(length: int) -> dict[Split, tuple[range, ...]]:
    # A few blocks for each part, spread over the text: one stretch at its end may be
    # another work than all that was learned from.
    blocks = blocks_of(length)
    splits: dict[Split, list[range]] = {"train": [], "validation": [], "test": []}
    for first in range(0, len(blocks), _CYCLE_BLOCKS):
        for part, start, stop in _CYCLE:
            own = blocks[first + start : first + stop]
            splits[part].append(range(own[0].start, own[-1].stop))
    return {part: tuple(ranges) for part, ranges in splits.items()}


def _in_time(length: int) -> dict[Split, tuple[range, ...]]:
    edges = [0, length * 90 // 100, length * 95 // 100, length]
    parts: tuple[Split, ...] = ("train", "validation", "test")
    pairs = zip(parts, pairwise(edges), strict=True)
    return {part: (range(*edge),) for part, edge in pairs}


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    # A prompt may hold lone surrogates: they are unseen characters, no error.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
