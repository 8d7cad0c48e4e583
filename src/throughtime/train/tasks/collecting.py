"""Answers of many batches as arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from throughtime.data import Column
from throughtime.data.pieces import SEQUENCE, START
from throughtime.data.types import FloatArray, IntegerArray
from throughtime.train.measuring import Predicted


class Collected:
    """Takes in batches in any order, and gives them by sequence and step."""

    def __init__(self) -> None:
        self._outputs: list[FloatArray] = []
        self._truth: list[FloatArray] = []
        self._sequences: list[IntegerArray] = []
        self._steps: list[IntegerArray] = []

    def add(self, outputs: Tensor, truth: Tensor, pieces: IntegerArray) -> None:
        """Take in the answers of a batch.

        Parameters
        ----------
        outputs, truth
            ``(B, K)`` and ``(B, G)``, or ``(T, B, K)`` and ``(T, B, G)``, in the units
            of the data; the truth is NaN where it is not known.
        pieces
            ``(B, 4)``, what was read.
        """
        known = ~truth.isnan().all(-1)
        self._outputs.append(outputs[known].double().cpu().numpy())
        self._truth.append(truth[known].double().cpu().numpy())
        *step, row = known.nonzero(as_tuple=True)
        rows = row.cpu().numpy()
        self._sequences.append(pieces[rows, SEQUENCE])
        if step:
            self._steps.append(pieces[rows, START] + step[0].cpu().numpy())
        else:
            self._steps.append(np.zeros_like(rows))

    def predicted(self, asked: Sequence[Column]) -> list[Predicted]:
        """Give all that was taken in; one for each target of classes."""
        sequences = np.concatenate(self._sequences)
        steps = np.concatenate(self._steps)
        order = np.lexsort((steps, sequences))
        everything = Predicted(
            np.concatenate(self._outputs)[order],
            np.concatenate(self._truth)[order],
            sequences[order],
            steps[order],
        )
        if asked[0].kind == "category":
            return _by_target(everything, [len(column.categories) for column in asked])
        if asked[0].kind == "boolean":
            # Labels are judged together: an answer without one of them is left out.
            return [_those(everything, ~np.isnan(everything.targets).any(axis=1))]
        # Of changes, the first answers have nothing to be added to.
        return [_those(everything, np.isfinite(everything.outputs).all(axis=1))]


def _by_target(everything: Predicted, sizes: Sequence[int]) -> list[Predicted]:
    found: list[Predicted] = []
    start = 0
    for group, size in enumerate(sizes):
        targets = everything.targets[:, group]
        kept = _those(everything, targets >= 0)
        found.append(
            kept._replace(
                outputs=kept.outputs[:, start : start + size],
                targets=kept.targets[:, group].astype(np.int64),
            )
        )
        start += size
    return found


def _those(everything: Predicted, kept: Any) -> Predicted:
    arrays: list[Any] = [array[kept] for array in everything]
    return Predicted(*arrays)
