"""What stands before the network: from raw data to vectors."""

import torch
from torch import Tensor, nn

from throughtime.data import Standardiser
from throughtime.errors import FeatureCountMismatch


class Standardise(nn.Module):
    """Features on the scale of the training data.

    Parameters
    ----------
    standardiser
        Mean and deviation of each of the F features.
    """

    def __init__(self, standardiser: Standardiser) -> None:
        super().__init__()
        self.standardiser = standardiser
        self.size = len(standardiser.mean)

    def forward(self, input: Tensor, dtype: torch.dtype) -> Tensor:
        """Scale ``(T, B, F)``; the result has the given dtype."""
        if input.dim() != 3 or input.shape[-1] != self.size:
            raise FeatureCountMismatch(given=tuple(input.shape), expected=self.size)
        # In float64, as `Standardiser` does, so that no feature loses digits.
        mean = input.new_tensor(self.standardiser.mean, dtype=torch.float64)
        std = input.new_tensor(self.standardiser.std, dtype=torch.float64)
        return ((input.double() - mean) / std).to(dtype)


class Embed(nn.Module):
    """Symbols as learned vectors.

    Parameters
    ----------
    symbols
        The number of different symbols.
    size
        The numbers of a vector.
    dtype, device
        Of the vectors.
    """

    def __init__(
        self,
        symbols: int,
        size: int,
        *,
        dtype: torch.dtype | None = None,
        device: str | None = None,
    ) -> None:
        super().__init__()
        self.symbols, self.size = symbols, size
        self.table = nn.Embedding(symbols, size, dtype=dtype, device=device)

    def forward(self, input: Tensor, dtype: torch.dtype) -> Tensor:
        """Look up ``(T, B)`` symbols: ``(T, B, size)``."""
        return self.table(input).to(dtype)
