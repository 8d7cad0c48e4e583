"""Weights that are elsewhere for a while, and come back whatever happens."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from throughtime.errors import LossChanges, LossWithoutGraph, OtherWeights
from throughtime.optim.curvature import Loss, check_parameters

Named = Mapping[str, Tensor] | Iterable[tuple[str, Tensor]]
"""Parameters by their names, such as ``model.named_parameters()``."""

# Two calls of one closure may differ by rounding where threads share a sum.
_ROUNDING = 1e-5


def by_name(parameters: Named) -> dict[str, Tensor]:
    """Give parameters by their names, those that learn.

    Raises
    ------
    NoWeights, NotDense
        There are none, or one is sparse or of other than real numbers.
    """
    chosen = {name: one for name, one in dict(parameters).items() if one.requires_grad}
    check_parameters(list(chosen.values()))
    return chosen


def like(parameters: Mapping[str, Tensor], others: Named) -> list[Tensor]:
    """Give other weights in the order of the parameters.

    Raises
    ------
    OtherWeights
        One is missing, or has another shape.
    """
    there = dict(others)
    found = []
    for name, parameter in parameters.items():
        expected = f"{name!r} of shape {tuple(parameter.shape)}"
        if name not in there:
            raise OtherWeights(given=f"no {name!r}", expected=expected)
        if there[name].shape != parameter.shape:
            given = f"{name!r} of shape {tuple(there[name].shape)}"
            raise OtherWeights(given=given, expected=expected)
        found.append(there[name].detach().to(parameter))
    return found


@contextmanager
def kept(parameters: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Put weights back afterwards, also after an error.

    Yields
    ------
    list of Tensor
        What they are now, copied.
    """
    before = [parameter.detach().clone() for parameter in parameters]
    try:
        yield before
    finally:
        move(parameters, before)


@torch.no_grad()
def move(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Set weights."""
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)


@torch.no_grad()
def number(loss: Loss) -> float:
    """Compute a loss as a number; it may be infinite, or none."""
    value = loss()
    if not isinstance(value, Tensor) or value.numel() != 1:
        given = type(value).__name__
        if isinstance(value, Tensor):
            given = f"a tensor of shape {tuple(value.shape)}"
        raise LossWithoutGraph(given=given)
    return float(value.detach())


def steady(loss: Loss) -> float:
    """Compute a loss, and see that it is the same when it is computed again.

    Raises
    ------
    LossChanges
        It is not: masks are drawn in it, or it takes other sequences each time.
    """
    first, second = number(loss), number(loss)
    if not math.isclose(first, second, rel_tol=_ROUNDING, abs_tol=1e-12):
        both_none = math.isnan(first) and math.isnan(second)
        if not both_none:
            raise LossChanges(first=first, second=second)
    return first


def plain(value: float) -> float | None:
    """Give a number as JSON can hold it; None: it is not finite."""
    return value if math.isfinite(value) else None


Measure = Callable[[Sequence[Tensor]], float]


@contextmanager
def measuring(loss: Loss, parameters: Sequence[Tensor]) -> Iterator[Measure]:
    """Give a function from weights to their loss; afterwards all is as it was."""
    with kept(parameters):

        def measure(values: Sequence[Tensor]) -> float:
            move(parameters, values)
            return number(loss)

        yield measure
