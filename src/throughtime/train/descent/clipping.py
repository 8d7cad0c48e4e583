"""A gradient made smaller before it is used: fresh, after the backward pass."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from throughtime.train.descent.gradients import numbers_of

# As in PyTorch's `clip_grad_norm_`, which takes no sparse gradients.
_TINY = 1e-6


def clip(
    parameters: Sequence[nn.Parameter],
    norm: float,
    value: float,
    check: Callable[[Tensor], None],
) -> tuple[bool, float]:
    """Clip the gradients of parameters, first each number, then all together.

    Of a sparse gradient the rows that it names are clipped; all others are 0.

    Parameters
    ----------
    parameters
        Whose gradients.
    norm
        The Euclidean norm of all gradients together at most; 0: any.
    value
        The magnitude of each of their numbers at most; 0: any.
    check
        Looks at the norm before anything is clipped: infinity would be hidden.

    Returns
    -------
    bool
        Whether anything was too large.
    float
        The norm before.
    """
    clipped, before = False, None
    gradients = numbers_of(parameters)
    if value:
        before = nn.utils.get_total_norm(gradients)
        check(before)
        clipped = any(bool((one.abs() > value).any()) for one in gradients)
        torch._foreach_clamp_min_(gradients, -value)
        torch._foreach_clamp_max_(gradients, value)
    limit = norm or math.inf
    found = nn.utils.get_total_norm(gradients)
    check(found)
    if norm:
        torch._foreach_mul_(gradients, (norm / (found + _TINY)).clamp(max=1.0))
    before = found if before is None else before
    return clipped or bool(found > limit), before.item()


def divide(parameters: Sequence[nn.Parameter], by: float) -> None:
    """Divide the gradients of parameters."""
    torch._foreach_div_(numbers_of(parameters), by)
