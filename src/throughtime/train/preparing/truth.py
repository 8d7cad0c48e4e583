"""What is true at each step: the targets in the units of the data."""

import torch
from torch import Tensor

from throughtime.data import Question
from throughtime.train.preparing.readers import later


def truth_of(values: Tensor, question: Question) -> Tensor:
    """Return what the answers are compared with, NaN where there is nothing.

    Parameters
    ----------
    values
        ``(T, B, C)``, the columns that are asked for, NaN behind the end of each piece:
        what is predicted always lies inside the piece.
    question
        What is asked.

    Returns
    -------
    torch.Tensor
        ``(B, C)`` for one answer per sequence, else ``(T, B, C)``; for a forecast
        ``(T, B, H·C)``, the 1st step of all columns first.
    """
    if question.task == "next":
        return later(values, 1)
    if question.task == "forecast":
        ahead = range(1, question.horizon + 1)
        return torch.cat([later(values, step) for step in ahead], -1)
    return values[0] if question.per == "sequence" else values
