"""Classes that count more, or less, than others."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from throughtime.data import Column, SequenceDataset
from throughtime.data.types import FloatArray
from throughtime.errors import UnknownChoice
from throughtime.errors.base import did_you_mean


class ClassWeights:
    """The weight of each loss by its target.

    Parameters
    ----------
    rows
        For each target the weight of each of its classes; for a label those of no and
        of yes.
    """

    def __init__(self, rows: Sequence[FloatArray]) -> None:
        self.rows = [torch.from_numpy(row) for row in rows]

    @classmethod
    def of(
        cls,
        given: str | Mapping[str, float],
        dataset: SequenceDataset,
        targets: Sequence[Column],
    ) -> "ClassWeights":
        """Make the weights that were asked for.

        Parameters
        ----------
        given
            `"balanced"`: n / (K · nₖ), of n training targets that are known nₖ of class
            k, so that all K classes weigh the same in all, and the mean weight is 1. Or
            the weight of some classes, of a label its yes; others have 1.
        dataset, targets
            The data, and the columns that are predicted.
        """
        if isinstance(given, str):
            return cls([_balanced(counts) for counts in _counts(dataset, targets)])
        return cls(
            [
                np.array([float(given.get(name, 1.0)) for name in names])
                for names in _names(targets)
            ]
        )

    def __call__(self, targets: Tensor) -> Tensor:
        """Give the weights ``(…, G)`` of targets ``(…, G)``; where none is, any."""
        places = targets.nan_to_num(0).clamp(min=0).long()
        return torch.stack(
            [
                row.to(targets.device)[places[..., group]]
                for group, row in enumerate(self.rows)
            ],
            -1,
        )


def check_weights(
    given: str | Mapping[str, float] | None, targets: Sequence[Column]
) -> None:
    """Refuse a weight for what is no class of the targets.

    Raises
    ------
    UnknownChoice
        There is one.
    """
    known = [name for names in _names(targets) for name in names if name]
    for name in given if isinstance(given, Mapping) else ():
        if name not in known:
            hint = did_you_mean(str(name), known)
            raise UnknownChoice(
                argument="class_weights", given=name, hint=hint, known=", ".join(known)
            )


def _names(targets: Sequence[Column]) -> list[tuple[str, ...]]:
    """Name the classes of each target; the no of a label has no name."""
    return [column.categories or ("", column.name) for column in targets]


def _balanced(counts: FloatArray) -> FloatArray:
    return np.where(counts > 0, counts.sum() / (len(counts) * counts.clip(min=1)), 1.0)


def _counts(dataset: SequenceDataset, targets: Sequence[Column]) -> list[FloatArray]:
    """Count the classes of each target in the training part."""
    counts: list[FloatArray] = [np.zeros(len(c.categories) or 2) for c in targets]
    places = dataset.schema.places(targets)
    per_sequence = dataset.question.per == "sequence"
    for sequence, start, stop, _ in dataset.splits["train"].tolist():
        stop = min(stop, start + 1) if per_sequence else stop
        rows = dataset.frames.read(sequence, start, stop)
        for count, place in zip(counts, places, strict=True):
            known = rows[:, place][rows[:, place] >= 0].astype(np.int64)
            count += np.bincount(known, minlength=len(count))
    return counts
