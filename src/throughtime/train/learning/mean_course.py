"""A mean over sequences of any length, step by step."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class MeanCourse:
    """Adds up values by step, of those sequences that have the step.

    Parameters
    ----------
    sums, counts
        What was added so far, ``(T,)`` float64.
    """

    def __init__(
        self, sums: Tensor | None = None, counts: Tensor | None = None
    ) -> None:
        nothing = torch.zeros(0, dtype=torch.float64)
        self.sums = nothing if sums is None else sums
        self.counts = nothing if counts is None else counts

    def __len__(self) -> int:
        return len(self.sums)

    def add(self, values: Tensor, alive: Tensor, *, from_end: bool = False) -> None:
        """Take in ``(T, B)`` where a sequence is alive.

        With ``from_end`` step 0 is the last one of each sequence.
        """
        values, alive = values.double().cpu(), alive.cpu()
        if from_end:
            back = alive.sum(0) - 1 - torch.arange(len(alive))[:, None]
            values = values.gather(0, back.clamp(min=0))
            alive = back >= 0
        longer = max(len(values) - len(self.sums), 0)
        self.sums = functional.pad(self.sums, (0, longer))
        self.counts = functional.pad(self.counts, (0, longer))
        self.sums[: len(values)] += values.where(alive, 0).sum(1)
        self.counts[: len(values)] += alive.sum(1)

    def means(self, stretches: Iterable[tuple[int, int]]) -> list[float]:
        """Give the mean of each stretch of steps; 0 where no sequence has any."""
        return [
            (self.sums[a:b].sum() / self.counts[a:b].sum().clamp(min=1)).item()
            for a, b in stretches
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return what a `MeanCourse` is made of again."""
        return {"sums": self.sums, "counts": self.counts}
