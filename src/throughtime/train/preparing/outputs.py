"""What the numbers of an output stand for, and what its loss compares them with.

The logits of a network are on the scale of its loss; answers and targets are in
the units of the data. Each kind of answer knows the way between them, both ways.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from throughtime.data import IGNORED, Column, Question, Schema
from throughtime.errors import UnfitTarget
from throughtime.nn import Linear, Sigmoid, Softmaxes
from throughtime.nn.heads import Head
from throughtime.train.preparing.readers import earlier
from throughtime.train.preparing.scales import Scale

Filled: TypeAlias = Callable[[], Tensor]


class Output(Protocol):
    """One kind of answer."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are predicted."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Name the K numbers of an answer."""

    def head(self, units: int, **options: Any) -> Head:
        """Build the linear map to K logits, and its loss."""

    def encode(self, truth: Tensor, filled: Filled) -> Tensor:
        """Turn what is true into targets of the head's loss.

        Parameters
        ----------
        truth
            ``(…, G)`` in the units of the data, NaN where there is none.
        filled
            Gives ``(T, B, F)``, what was read, without gaps.
        """

    def decode(self, activated: Tensor, filled: Filled) -> Tensor:
        """Turn what the head gives, ``(…, K)``, into answers in the data's units."""


@dataclass(frozen=True)
class Classes:
    """One class for each of G columns: K is the number of all their classes."""

    columns: tuple[Column, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Name the classes, after their column where there are several."""
        if len(self.columns) == 1:
            return self.columns[0].categories
        return tuple(
            f"{c.name}={label}" for c in self.columns for label in c.categories
        )

    @property
    def sizes(self) -> list[int]:
        """Count the classes of each column."""
        return [len(column.categories) for column in self.columns]

    def head(self, units: int, **options: Any) -> Head:
        """Build a softmax for each column."""
        return Softmaxes(units, self.sizes, **options)

    def encode(self, truth: Tensor, filled: Filled) -> Tensor:
        """Give places of classes; what is missing or was never seen does not count."""
        return torch.where(truth >= 0, truth, IGNORED).long()

    def decode(self, activated: Tensor, filled: Filled) -> Tensor:
        """Give the probabilities as they are."""
        return activated


@dataclass(frozen=True)
class Labels:
    """Yes or no for each of K columns."""

    columns: tuple[Column, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Name the columns."""
        return tuple(column.name for column in self.columns)

    def head(self, units: int, **options: Any) -> Head:
        """Build a sigmoid for each column."""
        return Sigmoid(units, len(self.columns), **options)

    def encode(self, truth: Tensor, filled: Filled) -> Tensor:
        """Give 0, 1 or NaN as they are."""
        return truth

    def decode(self, activated: Tensor, filled: Filled) -> Tensor:
        """Give the probabilities as they are."""
        return activated


@dataclass(frozen=True)
class Numbers:
    """A real number for each column, scaled by what it was in training."""

    columns: tuple[Column, ...]
    scale: Scale

    @property
    def labels(self) -> tuple[str, ...]:
        """Name the columns."""
        return tuple(column.name for column in self.columns)

    def head(self, units: int, **options: Any) -> Head:
        """Build a linear map to each number."""
        return Linear(units, len(self.labels), **options)

    def encode(self, truth: Tensor, filled: Filled) -> Tensor:
        """Scale by the training part, in float64."""
        mean, std = self._scale(truth)
        return (truth.double() - self._base(filled) - mean) / std

    def decode(self, activated: Tensor, filled: Filled) -> Tensor:
        """Undo `encode`, in float64."""
        mean, std = self._scale(activated)
        return activated.double() * std + mean + self._base(filled)

    def _scale(self, like: Tensor) -> tuple[Tensor, Tensor]:
        options: Any = {"dtype": torch.float64, "device": like.device}
        return (
            torch.tensor(self.scale.mean, **options),
            torch.tensor(self.scale.std, **options),
        )

    def _base(self, filled: Filled) -> Tensor | float:
        return 0.0


@dataclass(frozen=True)
class Forecast(Numbers):
    """The values of C columns 1 to H steps ahead; all of the first step first.

    Parameters
    ----------
    columns, scale
        The C columns; mean and deviation of the H · C numbers that are predicted.
    places
        Where the columns stand among the F features.
    horizon
        H.
    difference
        s > 0: what is predicted is the change since the last step that is known and a
        multiple of s steps before the one asked for. The answer is that value and the
        change. Of the first s - 1 steps, where not all such values are known, it is
        NaN.
    """

    places: tuple[int, ...] = field(kw_only=True)
    horizon: int = field(kw_only=True)
    difference: int = field(kw_only=True)

    @property
    def labels(self) -> tuple[str, ...]:
        """Name column and step, such as `level+1`."""
        ahead = range(1, self.horizon + 1)
        return tuple(f"{c.name}+{step}" for step in ahead for c in self.columns)

    def _base(self, filled: Filled) -> Tensor | float:
        return self.base(filled()) if self.difference else 0.0

    def base(self, filled: Tensor) -> Tensor:
        """Give the values ``(T, B, H·C)`` that changes are added to."""
        values = filled[..., list(self.places)]
        ahead = range(1, self.horizon + 1)
        parts = [earlier(values, -step % self.difference) for step in ahead]
        base = torch.cat(parts, -1)
        base[: self.difference - 1] = torch.nan
        return base


def asked_of(schema: Schema, question: Question) -> tuple[Column, ...]:
    """Return the columns that are to be predicted.

    Raises
    ------
    UnfitTarget
        The question cannot be asked of them.
    """
    ahead = question.task in {"next", "forecast"}
    columns = schema.targets
    if ahead and not columns:
        columns = _future(schema.features, question)
    kinds = {column.kind for column in columns}
    fits = kinds in _KINDS[question.task]
    if question.task == "next" and "category" in kinds and len(columns) > 1:
        fits = False
    if ahead and (question.per != "step" or not set(columns) <= set(schema.features)):
        fits = False
    if not fits:
        names = [f"'{column.name}' ({column.kind})" for column in columns]
        given, expected = ", ".join(names) or "no column", _EXPECTED[question.task]
        raise UnfitTarget(task=question.task, given=given, expected=expected)
    return columns


def make_output(schema: Schema, question: Question, scale: Scale | None) -> Output:
    """Make the output of a question.

    Parameters
    ----------
    schema, question
        What is asked of which columns.
    scale
        Of the numbers that are predicted; None for classes and labels.
    """
    columns = asked_of(schema, question)
    if question.task == "forecast":
        return Forecast(
            columns,
            scale or Scale((), ()),
            places=tuple(schema.features.index(column) for column in columns),
            horizon=question.horizon,
            difference=question.difference,
        )
    if question.task == "regress":
        return Numbers(columns, scale or Scale((), ()))
    if question.task == "classify" or columns[0].kind == "category":
        return Classes(columns)
    return Labels(columns)


_KINDS: Mapping[str, list[set[str]]] = {
    "classify": [{"category"}],
    "multilabel": [{"boolean"}],
    "regress": [{"number"}],
    "next": [{"boolean"}, {"category"}],
    "forecast": [{"number"}],
}
_EXPECTED = {
    "classify": "categories",
    "multilabel": "columns of 0 and 1",
    "regress": "numbers",
    "next": "features: one category, or columns of 0 and 1, step by step",
    "forecast": "features that are numbers, step by step",
}


def _future(features: Sequence[Column], question: Question) -> tuple[Column, ...]:
    """Return the features that the question is after: numbers, labels or symbols."""
    kinds = ("number",) if question.task == "forecast" else ("boolean", "category")
    for kind in kinds:
        found = tuple(column for column in features if column.kind == kind)
        if found:
            return found
    return ()
