"""svmlight files: a line for each step, `target qid:SEQUENCE item:value …`."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from throughtime.data.sources.arrays import SEQUENCE
from throughtime.data.sources.items import STEP, with_items
from throughtime.data.sources.source import FrameSource
from throughtime.errors import NotATable

#: The column beside those of steps and items.
TARGET: Final = "target"


def svmlight_source(file: Path) -> FrameSource:
    """Make a source of an svmlight file: a row for each item of a line.

    Parameters
    ----------
    file
        Its lines are the steps of the sequence that `qid` says, in their order; without
        it each is a sequence of its own. Items keep the numbers they have there. A line
        without items is a row without one.

    Raises
    ------
    NotATable, ValueMissing
        It holds something else, or a value that is no number.
    """
    # Loaded here: it takes a moment that other files can do without.
    from sklearn.datasets import load_svmlight_file

    try:
        # As they are written: whether they begin at 0 or 1 does not matter to names.
        found = load_svmlight_file(str(file), query_id=True, zero_based=True)
    except (OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise NotATable(source=file, format="svmlight", reason=reason) from None
    matrix, targets, queries = found[0], found[1], found[2]
    if len(queries) % len(targets):
        reason = "some lines have a qid, and some have none"
        raise NotATable(source=file, format="svmlight", reason=reason)
    sequences = queries if len(queries) else np.arange(len(targets))
    lines = pl.DataFrame(
        {
            SEQUENCE: sequences,
            STEP: _ranks(sequences),
            TARGET: _as_written(targets),
        }
    )
    return FrameSource(str(file), with_items(str(file), lines, matrix))


def _ranks(sequences: Any) -> Any:
    """Return how many lines of the same sequence come before each."""
    order = np.argsort(sequences, kind="stable")
    _, first, counts = np.unique(
        sequences[order], return_index=True, return_counts=True
    )
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(first, counts)
    return ranks


def _as_written(targets: Any) -> Any:
    whole = bool((targets == np.floor(targets)).all())
    return targets.astype(np.int64) if whole else targets
