"""Where the rows of a call lie."""

from dataclasses import dataclass

KEY, SEQUENCES = "key", "sequences"
"""Words of code that draws: the address of the call's key, and that of a table with the
sequence of each row."""


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
    row of a carried value (two places of ``batch`` rows) after it.
    """

    steps: int
    batch: int
    total: int
    table: int
    segments: int
    segment_count: int
    ends: int
