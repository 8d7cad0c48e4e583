"""How data are to be read: what a person may say of columns and question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Missing: TypeAlias = Literal["error", "forward", "mean", "zero"]


@dataclass(frozen=True)
class Reading:
    """Everything that may be said of data; None leaves it to the data themselves.

    Parameters
    ----------
    sequence, time
        The columns that say to which sequence a row belongs, and when it was.
    features
        The columns to learn from. None: all that nothing else names.
    items
        The column that names what happened in a step, out of very many things, and,
        where there is one, that of their values: `"item"`, `"item:value"`, or a pair.
        A step is then all rows of one time in its sequence, and what the network reads
        are its items alone; without a time column every row is a step.
    target
        The columns to predict, or, of data in Python that have no columns, the targets
        themselves. None: the future of the features.
    inputs
        For each further input of the cell, its column, or columns.
    task, per, horizon, difference
        The question, where it shall not follow from the target.
    missing
        What stands for a missing value of a feature: the last one before it in its
        sequence, the mean of training, 0; `"error"` refuses it. A row without an item
        or its value may count 0, and is then a step that may name nothing.
    time_difference
        One more feature: the time since the step before.
    split
        `"sequence"`: every sequence is wholly in one part. `"time"`: the last steps of
        every sequence, or the last 10 % of a text, are validation and test. Or the name
        of a column that holds `train`, `validation` or `test`. None: by sequence where
        there are enough; a text in blocks.
    seed
        Draws which sequence is in which part.
    memory
        Numbers that need more bytes than this are kept in a file while they are used.
    """

    sequence: str | None = None
    time: str | None = None
    features: Sequence[str] | None = None
    items: str | Sequence[str] | None = None
    target: Any = None
    inputs: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    task: str | None = None
    per: str | None = None
    horizon: int | None = None
    difference: int | None = None
    missing: Missing = "error"
    time_difference: bool = False
    split: str | None = None
    seed: int = 0
    memory: str = "256MB"
