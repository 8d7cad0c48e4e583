"""Text into symbols and back."""

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from throughtime.data.card import Card
from throughtime.data.datasets import IntegerArray, Split, TextDataset
from throughtime.errors import (
    EmptyFile,
    FolderGiven,
    MissingFile,
    NotUTF8,
    OneSymbolText,
    SymbolOutsideVocabulary,
    TextTooShort,
    UnreadableFile,
)

#: The entry of a vocabulary for unseen characters. It is longer than one character,
#: so no text holds it.
UNKNOWN: Final = "<unknown>"

# Each part must hold a character and the one that follows it: 5 % of 40 is 2.
_SHORTEST = 40


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


def text_dataset(text: str, name: str, card: Card | None = None) -> TextDataset:
    """Make a data set of a text: 90 % training, 5 % validation, 5 % test, in order.

    Parameters
    ----------
    text
        At least 40 characters, two different ones among the first 90 %.
    name
        What it is called in messages and on its card.
    card
        Its card; by default one with what the text itself tells.

    Raises
    ------
    OneSymbolText, TextTooShort
        There is nothing to learn, or too little.
    """
    splits = _split(len(text))
    training = text[: splits["train"].stop] or text
    if len(set(training)) < 2:
        raise OneSymbolText(source=name, symbol=training[:1])
    if len(text) < _SHORTEST:
        raise TextTooShort(source=name, length=len(text), needed=_SHORTEST)
    vocabulary = (UNKNOWN, *sorted(set(training)))
    return TextDataset(
        name=name,
        symbols=encode(text, vocabulary),
        vocabulary=vocabulary,
        splits=splits,
        card=card or text_card(text, name, vocabulary),
    )


def text_card(text: str, name: str, vocabulary: Sequence[str]) -> Card:
    """Return the card of a text of which nothing more is known."""
    return Card(
        name=name,
        title="a text",
        origin="given by the user",
        licence="not stated",
        shape=f"{len(text)} characters, {len(vocabulary) - 1} different in training",
        task="predict the next character",
        split="in order: the first 90 % training, then 5 % validation, 5 % test",
        metric="bits per character",
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


def _split(length: int) -> dict[Split, range]:
    train = length * 90 // 100
    validation = train + length * 5 // 100
    return {
        "train": range(train),
        "validation": range(train, validation),
        "test": range(validation, length),
    }


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    # A prompt may hold lone surrogates: they are unseen characters, no error.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
