"""The derivative of a state by an earlier one, measured by the engine that trains."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from throughtime.nn.recurrent import Recurrent


def jacobians(
    module: Recurrent,
    inputs: Tensor,
    start: Sequence[Tensor],
    lags: Sequence[int],
    of: int = 0,
) -> Tensor:
    """Measure ``∂s_k/∂s_0`` for several k, in one backward pass.

    Parameters
    ----------
    module
        One layer, one direction.
    inputs
        ``(T, F)``.
    start
        Where the states begin, each ``(n,)``.
    lags
        The k, from 1 to T.
    of
        Which of the states is derived, by itself at step 0; what reaches it through the
        others in between counts.

    Returns
    -------
    Tensor
        ``(K, n, n)``: of each lag, a row per unit of s_k.
    """
    # A row of the batch per lag and unit: its length ends it at the lag, and of its
    # last state one unit alone is wanted.
    units, count = len(start[of]), len(lags)
    rows = count * units
    begin = [one.expand(1, rows, -1).clone() for one in start]
    begin[of].requires_grad_()
    lengths = torch.tensor(lags).repeat_interleave(units)
    repeated = inputs[:, None].expand(-1, rows, -1)
    _, state = module(repeated, tuple(begin), lengths=lengths)
    wanted = state[of].view(count, units, units).diagonal(dim1=1, dim2=2).sum()
    (found,) = torch.autograd.grad(wanted, begin[of])
    return found.view(count, units, units)


def norms(found: Tensor) -> Tensor:
    """The largest singular value of each matrix, ``(K, n, n)`` -> ``(K,)``.

    Infinite where numbers have become too large for float64.
    """
    finite = found.isfinite().flatten(1).all(1)
    largest = found.new_full((len(found),), math.inf)
    largest[finite] = torch.linalg.matrix_norm(found[finite], 2)
    return largest


def backend_of(module: Recurrent) -> str:
    """Which backend measured."""
    weight = next(module.parameters())
    return module.choice(weight.dtype, weight.device).backend
