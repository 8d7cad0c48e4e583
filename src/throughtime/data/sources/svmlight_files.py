"""svmlight files: a line for each step, `target qid:SEQUENCE item:value …`."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from throughtime.data.sources.arrays import SEQUENCE
from throughtime.data.sources.source import FrameSource
from throughtime.errors import NotATable

#: The columns beside the sequence.
STEP: Final = "step"
ITEM: Final = "item"
VALUE: Final = "value"
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
    NotATable
        It holds something else.
    """
    # Loaded here: it takes a moment that other files can do without.
    from sklearn.datasets import load_svmlight_file

    try:
        # As they are written: whether they begin at 0 or 1 does not matter to names.
        found = load_svmlight_file(str(file), query_id=True, zero_based=True)
    except (OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise NotATable(source=file, format="svmlight", reason=reason) from None
    matrix, targets, queries = csr_array(found[0]), found[1], found[2]
    counts = np.diff(matrix.indptr)
    faults = {
        "a value is no number": np.isnan(matrix.data).any(),
        "some lines have a qid, and some have none": len(queries) % len(counts),
    }
    for reason, is_so in faults.items():
        if is_so:
            raise NotATable(source=file, format="svmlight", reason=reason)
    sequences = queries if len(queries) else np.arange(len(counts))
    lines = np.repeat(np.arange(len(counts)), np.maximum(counts, 1))
    named = counts[lines] > 0
    table: dict[str, Any] = {
        SEQUENCE: sequences[lines],
        STEP: _ranks(sequences)[lines],
        ITEM: _spread(matrix.indices.astype(np.int64), named),
        VALUE: _spread(matrix.data, named),
        TARGET: _as_written(targets)[lines],
    }
    return FrameSource(str(file), pl.DataFrame(table))


def _ranks(sequences: Any) -> Any:
    """Return how many lines of the same sequence come before each."""
    order = np.argsort(sequences, kind="stable")
    _, first, counts = np.unique(
        sequences[order], return_index=True, return_counts=True
    )
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(first, counts)
    return ranks


def _spread(values: Any, named: Any) -> pl.Series:
    """Put values where a row names an item; elsewhere there is none."""
    places = np.flatnonzero(named)
    column = pl.repeat(None, len(named), dtype=pl.Series(values).dtype, eager=True)
    return column.scatter(places, pl.Series(values))


def _as_written(targets: Any) -> Any:
    whole = bool((targets == np.floor(targets)).all())
    return targets.astype(np.int64) if whole else targets
