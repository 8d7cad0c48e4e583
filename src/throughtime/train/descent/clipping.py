"""A gradient made smaller before it is used: fresh, after the backward pass."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def clip(
    parameters: Sequence[nn.Parameter],
    norm: float,
    value: float,
    check: Callable[[Tensor], None],
) -> tuple[bool, float]:
    """Clip the gradients of parameters, first each number, then all together.

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
    if value:
        gradients = [one.grad for one in parameters if one.grad is not None]
        before = nn.utils.get_total_norm(gradients)
        check(before)
        clipped = any(bool((one.abs() > value).any()) for one in gradients)
        nn.utils.clip_grad_value_(parameters, value)
    limit = norm or math.inf
    found = nn.utils.clip_grad_norm_(parameters, limit)
    check(found)
    before = found if before is None else before
    return clipped or bool(found > limit), before.item()


def divide(parameters: Sequence[nn.Parameter], by: float) -> None:
    """Divide the gradients of parameters."""
    gradients = [one.grad for one in parameters if one.grad is not None]
    torch._foreach_div_(gradients, by)
