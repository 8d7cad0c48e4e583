"""The parts of the data: as a column says, or drawn, or cut by time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from throughtime.data.question import ABOUT_THE_FUTURE, Question
from throughtime.data.reading import Reading
from throughtime.data.sources.source import Batch
from throughtime.data.tables.keys import Keys
from throughtime.data.tables.roles import BY_SEQUENCE, BY_TIME
from throughtime.data.tables.splitting import (
    PARTS,
    SHARE,
    as_given,
    by_sequence,
    by_time,
)
from throughtime.data.types import IntegerArray, Split
from throughtime.errors import (
    BadSplitColumn,
    ContradictoryQuestion,
    SequenceInTwoParts,
    SequenceTooShort,
    TooFewSequences,
)

# So many sequences make a draw worth having, and so few are enough where it is asked.
_ENOUGH = 10
_FEWEST = 3


class GivenParts:
    """The part of each sequence, from a column.

    Parameters
    ----------
    column
        It holds `train`, `validation` or `test`.
    keys
        The sequences.
    """

    def __init__(self, column: str, keys: Keys) -> None:
        self._column, self._keys = column, keys
        self.places = np.full(len(keys.lengths), -1, np.int64)

    def of(self, keys: Keys) -> "GivenParts":
        """Return the same parts of sequences that have other lengths now."""
        parts = GivenParts(self._column, keys)
        parts.places = self.places
        return parts

    def take(self, batch: Batch, sequences: IntegerArray) -> None:
        """Take the rows of a batch.

        Raises
        ------
        BadSplitColumn, SequenceInTwoParts
            A row names no part, or another than a row of its sequence before.
        """
        text = batch.frame[self._column].cast(pl.String)
        given = text.cast(pl.Enum(PARTS), strict=False).to_physical()
        if given.has_nulls():
            row = int(given.is_null().arg_max() or 0)
            fault = f"holds {text[row]!r} ({batch.where(row)})"
            raise BadSplitColumn(column=self._column, fault=fault)
        places = given.to_numpy().astype(np.int64)
        before = self.places[sequences]
        self.places[sequences] = places
        wrong = (before >= 0) & (before != places)
        wrong |= self.places[sequences] != places
        if wrong.any():
            row = int(wrong.argmax())
            own = sequences == sequences[row]
            first = before[row] if before[row] >= 0 else places[own][0]
            second = places[own & (places != first)][0]
            raise SequenceInTwoParts(
                key=self._keys.names[sequences[row]],
                first=PARTS[first],
                second=PARTS[second],
                column=self._column,
                where=batch.where(int(np.flatnonzero(own & (places != first))[0])),
            )

    def split(
        self, strata: npt.NDArray[Any] | None, seed: int
    ) -> dict[Split, IntegerArray]:
        """Return the pieces of each part; validation is drawn where none is given.

        Raises
        ------
        BadSplitColumn
            There is no training or no test.
        """
        counts = np.bincount(self.places, minlength=len(PARTS))
        for place, part in ((0, "train"), (2, "test")):
            if not counts[place]:
                raise BadSplitColumn(column=self._column, fault=f"holds no {part!r}")
        if counts[0] + counts[1] < 2:
            fault = "leaves one sequence for training and validation"
            raise BadSplitColumn(column=self._column, fault=fault)
        return as_given(self._keys.lengths, self.places, strata, seed)


def draw(
    source: str,
    keys: Keys,
    question: Question,
    reading: Reading,
    strata: npt.NDArray[Any] | None,
) -> Mapping[Split, IntegerArray]:
    """Return the pieces of each part: whole sequences, or the steps of each by time.

    Parameters
    ----------
    source
        What messages call the data.
    keys, question, reading
        The sequences, what is asked, and what was said.
    strata
        `(N,)`, the class of each sequence, or None.

    Raises
    ------
    ContradictoryQuestion, TooFewSequences, SequenceTooShort
        It cannot be split so.
    """
    count, per_sequence = len(keys.lengths), question.per == "sequence"
    if reading.split == BY_TIME and per_sequence:
        raise ContradictoryQuestion(
            argument="split",
            given=reading.split,
            fact="each sequence has one answer, which would be on both sides",
            advice="split='sequence', or per='step'",
        )
    forced = reading.split == BY_SEQUENCE
    by_whole = forced or per_sequence or count >= _ENOUGH
    if by_whole and reading.split != BY_TIME:
        needed = _FEWEST if forced else _ENOUGH
        if count < needed:
            raise TooFewSequences(source=source, sequences=count, needed=needed)
        return by_sequence(keys.lengths, strata, reading.seed)
    if keys.lengths.max() < SHARE:
        longest = int(keys.lengths.argmax())
        raise SequenceTooShort(
            source=source,
            key=keys.names[longest],
            length=int(keys.lengths[longest]),
            needed=SHARE,
        )
    return by_time(keys.lengths, ahead=question.task in ABOUT_THE_FUTURE)
