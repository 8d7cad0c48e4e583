"""What each number of a step stands for: the columns of a data set.

A data set holds for each sequence one matrix `(T, C)` of numbers, as they were read:
nothing is scaled or filled yet. A schema names its C columns, and which of them are
features, further inputs of the cell, and targets; a column may be both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["number", "boolean", "category"]


@dataclass(frozen=True)
class Column:
    """One column of the matrices.

    Parameters
    ----------
    name
        As the data call it.
    kind
        `"number"`; `"boolean"`: 0 or 1; `"category"`: the place of its value in
        `categories`.
    categories
        The values of a category that occur in the training part, in order. A value that
        does not is held as -1.

    A missing value of any kind is held as NaN.
    """

    name: str
    kind: Kind = "number"
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schema:
    """The columns of a data set, and what they are for.

    Parameters
    ----------
    features
        What the network reads as `x`.
    targets
        What is to be predicted; empty where that is the future of all features. Where
        it is that of some, these.
    inputs
        For each further input of the cell, its columns.
    items
        The column whose values are named by steps, and, where they have them, that of
        their values. They are no part of the matrices: a step names several.
    sequence, time
        The columns that say to which sequence a row belongs, and when it was; None: all
        rows are one sequence, in the order of the rows. They are no part of the
        matrices unless they are features, too.
    """

    features: tuple[Column, ...]
    targets: tuple[Column, ...] = ()
    inputs: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    sequence: str | None = None
    time: str | None = None
    items: tuple[Column, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The C columns of the matrices: each once, features first, targets last."""
        groups = (self.features, *self.inputs.values(), self.targets)
        return tuple(dict.fromkeys(column for group in groups for column in group))

    def places(self, columns: Sequence[Column]) -> list[int]:
        """Return where these columns stand in the matrices."""
        order = {column: place for place, column in enumerate(self.columns)}
        return [order[column] for column in columns]

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        stored = asdict(self)
        if not self.items:  # as all schemas were once
            del stored["items"]
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Schema":
        """Read what `to_json` gave.

        Raises
        ------
        KeyError, TypeError
            Something is missing or damaged.
        """
        return cls(
            features=_columns(stored["features"]),
            targets=_columns(stored["targets"]),
            inputs={name: _columns(group) for name, group in stored["inputs"].items()},
            sequence=stored["sequence"],
            time=stored["time"],
            items=_columns(stored.get("items", ())),
        )


def _columns(stored: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    return tuple(
        Column(one["name"], one["kind"], tuple(one["categories"])) for one in stored
    )
