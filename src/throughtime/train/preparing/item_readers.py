"""What stands before a network whose steps name items: nothing but their numbers."""

from typing import Any

import torch
from torch import Tensor, nn

from throughtime.data import Column, Missing
from throughtime.errors import SparseInputExpected
from throughtime.nn import SparseSequences


class ReadItems(nn.Module):
    """Items as the network takes them: by their places, with values as they are.

    Values are not scaled: what a step does not name is 0, and stays so.

    Parameters
    ----------
    columns
        The column of the items, whose categories are those of training, and that of
        their values, where they have them.
    missing
        `"zero"`: a row may name nothing; `"error"`.
    """

    def __init__(self, columns: tuple[Column, ...], missing: Missing) -> None:
        super().__init__()
        self.columns, self.missing = columns, missing
        self.size = len(columns[0].categories)

    def forward(self, input: SparseSequences, dtype: torch.dtype) -> SparseSequences:
        """Give values the dtype of the network."""
        return input.to(dtype=dtype)

    def check(self, input: Any, lengths: Tensor | None = None) -> None:
        """Refuse what names no items.

        Raises
        ------
        SparseInputExpected
            It is of another type.
        """
        if not isinstance(input, SparseSequences):
            raise SparseInputExpected(
                given=type(input).__name__,
                expected="SparseSequences, as the model was trained on items",
                advice="make them with throughtime.nn.SparseSequences.of(sequences)",
            )
