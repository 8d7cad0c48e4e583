"""How far a forecast reaches, and whether the sequences are long enough for it."""

import numpy as np

from throughtime.data import SequenceDataset
from throughtime.data.pieces import FIRST, START, STOP
from throughtime.errors import TooFarAhead


def check_reach(dataset: SequenceDataset, steps: int | None) -> None:
    """Refuse a forecast whose furthest step has no answer in a part of the data.

    Parameters
    ----------
    dataset
        The data, and how far ahead they are asked for.
    steps
        The longest stretch that is learned at once; None: whole sequences.

    Raises
    ------
    TooFarAhead
        It is so: nothing would be learned of that step, or nothing measured.
    """
    horizon, season = dataset.question.horizon, dataset.question.difference
    # A change is one from whole seasons before: at the first steps there is none.
    reach = -(-horizon // season) * season if season else horizon
    for part, pieces in dataset.splits.items():
        first = np.maximum(pieces[:, FIRST], pieces[:, START] + reach - horizon)
        # What counts, and what lies in the same stretch before it.
        room = pieces[:, STOP] - first + (reach - horizon)
        longest = int(room.max(initial=0))
        if part == "train" and steps is not None:
            longest = min(longest, steps + reach - horizon)  # seasons are read, too
        if longest <= reach and (len(pieces) or part != "test"):
            raise TooFarAhead(
                horizon=horizon,
                difference=season,
                needed=reach + 1,
                part=part,
                data=repr(dataset.name),
                longest=longest,
            )
