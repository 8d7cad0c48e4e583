"""Where the rows of a call lie, and what earlier calls leave to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

KEY, SEQUENCES = "key", "sequences"
"""Words of code that draws: the address of the call's key, behind which the number of
its first row lies, and that of a table with the sequence of each row."""


@dataclass(frozen=True)
class Rows:
    """How many rows there are and where they lie.

    ``table`` is the address of three rows of ``steps`` 64-bit numbers: the first row
    of each step, that of the step before it, and the number of rows alive. Before
    the first step come the rows at -``batch``; of the output, which has none, the
    initial state's. ``segments`` is the address of ``segment_count`` triples: first
    row, first row of the step before, number of rows; together they cover all steps
    but the first. ``ends`` is the address of two rows of ``batch`` numbers: the row of
    each sequence's last step, or without any step the one before the first, and the
    row of a carried value (two places of ``batch`` rows) after it. ``loads`` is the
    address of ``batch + 1`` numbers: the steps of all sequences before each one, and of
    all sequences.
    """

    steps: int
    batch: int
    total: int
    table: int
    segments: int
    segment_count: int
    ends: int
    loads: int


class Again(NamedTuple):
    """What earlier calls with the same weights leave to one.

    The address of panels of their own, or 0; whether the weights are packed there, and
    sums of gradients of parameters are there, too, to which this call adds.
    """

    panels: int = 0
    packed: bool = False


ONCE = Again()

MOST_SUMS = 32
"""Rows of sums that a batch has: threads can share no more of them without waiting for
each other, and more would not stay in the caches."""
LARGEST_SHIFT = 6


LINE_BYTES = 64
"""Of a line of a cache."""
WIDE_BYTES = 2048
"""Rows of so many bytes are worth a line of their own beside them."""
MOST_PARTS = 4
LEAST_ROWS = 1024
"""Rows of a part: fewer are not worth the numbers that are added up for it."""
LEAST_SEQUENCES = 8
"""Of a part: rows of fewer would hardly follow each other."""
MOST_PARTIAL = 1 << 20
"""Numbers of sums of a part: more would not stay in the caches."""


def odd_lines(numbers: int, item_bytes: int) -> int:
    """Numbers that fill an odd number of lines of a cache, at least so many.

    What lies an even number of them apart, above all a page, falls on the same few
    places of the nearest cache.
    """
    lines = -(-numbers * item_bytes // LINE_BYTES) | 1
    return lines * LINE_BYTES // item_bytes


def row_width(columns: int, item_bytes: int) -> int:
    """Numbers from a stored row to the next one: more than there are, if it is wide."""
    wide = columns * item_bytes >= WIDE_BYTES
    return odd_lines(columns, item_bytes) if wide else columns


def parts_of(rows: int, batch: int, sums: int) -> int:
    """In how many parts of the rows weight gradients are summed, a power of two.

    It follows from sizes alone, so that bits do not depend on the threads.
    """
    if sums > MOST_PARTIAL:
        return 1
    most = min(MOST_PARTS, rows // LEAST_ROWS, batch // LEAST_SEQUENCES)
    return 1 << max(most, 1).bit_length() - 1


def places_of_sums(sizes: Sequence[int], item_bytes: int) -> tuple[list[int], int]:
    """Where each gradient of so many numbers lies among those of a part, and the end.

    Each starts on a line of the cache.
    """
    unit = LINE_BYTES // item_bytes
    places = [0]
    for size in sizes:
        places.append(places[-1] + -(-size // unit) * unit)
    return places[:-1], places[-1]


def sum_shift(batch: int) -> int:
    """How many sequences share a row of sums, as a power of two.

    It follows from their number alone, so that bits do not depend on the threads, and
    chunks of rows begin with a row of sums.
    """
    return min((max(batch - 1, 0) // MOST_SUMS).bit_length(), LARGEST_SHIFT)
