"""Rows in another order, and their gradients back in the old one."""

from typing import Any

import torch
from torch import Tensor


def permuted(rows: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
    """Rows ``(N, n)`` in a new order; ``inverse`` undoes it.

    The derivative of `torch.index_select` adds, because a row could be taken twice;
    of a permutation it is one as well, which is four times as quick.
    """
    if torch.compiler.is_compiling():
        return rows.index_select(0, order)
    result: Tensor = _Permuted.apply(rows, order, inverse)
    return result


class _Permuted(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(  # type: ignore[bad-override]
        rows: Tensor, order: Tensor, inverse: Tensor
    ) -> Tensor:
        return rows.index_select(0, order)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, order, inverse = inputs
        ctx.save_for_backward(order, inverse)
        ctx.save_for_forward(order, inverse)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        order, inverse = ctx.saved_tensors
        return _Permuted.apply(gradients[0], inverse, order), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        order, inverse = ctx.saved_tensors
        return _Permuted.apply(tangents[0], order, inverse)
