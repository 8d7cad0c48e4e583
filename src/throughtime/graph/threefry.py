"""The counter-based random number generator Threefry-2x32 with 20 rounds.

Salmon, Moraes, Dror & Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011). Two
words of 32 bits are a bijection of two words of a counter, another one for every key:
numbers are computed where they are needed, in any order.
"""

from typing import Generic, Protocol, TypeVar

W = TypeVar("W")
Pair = tuple[W, W]

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
ROUNDS = 20


class Words(Protocol, Generic[W]):
    """Arithmetic of words of 32 bits, or of many of them at once."""

    def number(self, value: int) -> W:
        """A word that is the same everywhere."""

    def add(self, left: W, right: W) -> W:
        """The sum, without what does not fit."""

    def xor(self, left: W, right: W) -> W:
        """The bits in which two words differ."""

    def rotate(self, word: W, bits: int) -> W:
        """The word moved to the left; what falls out comes in on the right."""


def threefry(words: Words[W], key: Pair[W], counter: Pair[W]) -> Pair[W]:
    """Two random words for a counter under a key."""
    parity = words.xor(words.xor(key[0], key[1]), words.number(PARITY))
    keys = (*key, parity)
    x, y = words.add(counter[0], key[0]), words.add(counter[1], key[1])
    for group in range(ROUNDS // 4):
        for bits in ROTATIONS[group % 2]:
            x = words.add(x, y)
            y = words.xor(words.rotate(y, bits), x)
        following = words.add(keys[(group + 2) % 3], words.number(group + 1))
        x = words.add(x, keys[(group + 1) % 3])
        y = words.add(y, following)
    return x, y


def block_key(words: Words[W], key: Pair[W], block: int) -> Pair[W]:
    """The key of one block of streams, from that of a call."""
    return threefry(words, key, (words.number(block), words.number(0)))
