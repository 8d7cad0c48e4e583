"""THE MATHEMATICS: what many steps of an elastic net do to a weight, in one formula.

A step with learning rate η of the penalty λ₁|w| + λ₂w²/2 is ::

    SGD     |w| <- [(1 − ηλ₂)|w| − ηλ₁]₊              (ηλ₂ < 1)
    FOBOS   |w| <- [(|w| − ηλ₁) / (1 + ηλ₂)]₊

Both keep |w| + λ₁/λ₂ in one proportion, whatever η is. So each is the flow
d|w|/dt = −λ₁ − λ₂|w|, stopped at zero, followed for a time that depends on η and λ₂
alone; and times of flows add up. One running sum of times, and the time up to which a
row was caught up, are all that is needed, for any schedule of η. Nothing in it can
underflow, and nothing is special at λ₂ = 0, where the time is η.

Clipping once at the end is exact: x -> ax − b with a, b ≥ 0 keeps what is negative so.
This is the delayed update of Lipton & Elkan (2015, arXiv:1505.06449) without its
tables.
"""

import math

from torch import Tensor


def time_of_sgd(lr: float, l2: float) -> float:
    """Give the time for which a step of SGD follows the flow."""
    return -math.log1p(-lr * l2) / l2 if l2 else lr


def time_of_fobos(lr: float, l2: float) -> float:
    """Give the time for which a step of FOBOS follows the flow."""
    return math.log1p(lr * l2) / l2 if l2 else lr


def follow(weight: Tensor, time: Tensor, l1: float, l2: float) -> Tensor:
    """Follow the flow from ``weight``.

    Parameters
    ----------
    weight
        Rows of weights ``(n, …)``.
    time
        How long, one for each row or for each weight: broadcasts to the weights.
    """
    if not l2:
        return shrink(weight, (l1 * time).to(weight.dtype))
    exponent = -l2 * time
    kept = weight * exponent.exp().to(weight.dtype)
    if not l1:
        return kept
    return shrink(kept, (exponent.expm1() / -l2 * l1).to(weight.dtype))


def shrink(weight: Tensor, amount: float | Tensor) -> Tensor:
    """Bring each weight nearer to zero by ``amount``, never across."""
    return (weight.abs() - amount).clamp_min_(0).copysign_(weight)
