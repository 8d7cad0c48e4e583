"""Gradients, dense or of some rows, as the numbers that they are made of."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from throughtime.optim.rows import in_order


def numbers(gradient: Tensor) -> Tensor:
    """Give the numbers of a gradient, of a sparse one those of its rows, each once."""
    if gradient.layout == torch.strided:
        return gradient
    return in_order(gradient)._values()


def numbers_of(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """Give the numbers of all gradients; what changes them, changes the gradients."""
    found: list[Tensor] = []
    for one in parameters:
        if one.grad is not None:
            if one.grad.is_sparse:
                one.grad = in_order(one.grad)
            found.append(one.grad._values() if one.grad.is_sparse else one.grad)
    return found


def make_dense(parameters: Iterable[nn.Parameter]) -> None:
    """Give every parameter a gradient for all of its rows."""
    for one in parameters:
        if one.grad is not None and one.grad.is_sparse:
            one.grad = one.grad.to_dense()
