"""Rows taken from their places and put back into them, with their gradients.

The derivative of `torch.index_select` adds, because a row could be taken twice. Here
none is, so each of the two is the other's derivative, which is several times as quick.
"""

from typing import Any

import torch
from torch import Tensor

from throughtime.nn.compiled.folding import batched_by_autograd
from throughtime.nn.compiled.pool import POOL


def taken(rows: Tensor, places: Tensor) -> Tensor:
    """The rows ``(M, n)`` at different places of ``(N, n)``."""
    if torch.compiler.is_compiling():
        return rows.index_select(0, places)
    result: Tensor = _Taken.apply(rows, places)
    return result


def put(rows: Tensor, places: Tensor, size: int) -> Tensor:
    """Rows ``(M, n)`` at different places of ``(size, n)``, which is 0 elsewhere."""
    if torch.compiler.is_compiling():
        return _filled(rows, places, size)
    result: Tensor = _Put.apply(rows, places, size)
    return result


def inverse(permutation: Tensor) -> Tensor:
    """At each place where it is taken to."""
    numbers = torch.arange(permutation.shape[0], device=permutation.device)
    return torch.empty_like(permutation).scatter(0, permutation, numbers)


def _filled(rows: Tensor, places: Tensor, size: int) -> Tensor:
    shape = (size, rows.shape[1])
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return torch.index_copy(rows.new_zeros(shape), 0, places, rows)
    if size == len(rows):
        # Every place is taken, and to read in no order is quicker than to write.
        return _selected(rows, inverse(places))
    return rows.new_zeros(shape).index_copy_(0, places, rows)


def _selected(rows: Tensor, places: Tensor) -> Tensor:
    transformed = torch._C._are_functorch_transforms_active()
    transformed = transformed or batched_by_autograd([rows, places])
    watched = torch._C._len_torch_dispatch_stack() > 0 or type(rows) is not Tensor
    if transformed or watched or not rows.is_cpu:
        return rows.index_select(0, places)
    room = POOL.empty((len(places), *rows.shape[1:]), rows.dtype)
    return torch.index_select(rows, 0, places, out=room)


class _Taken(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor, places: Tensor) -> Tensor:  # type: ignore[bad-override]
        return _selected(rows, places)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        rows, places = inputs
        ctx.size = rows.shape[0]
        ctx.save_for_backward(places)
        ctx.save_for_forward(places)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        (places,) = ctx.saved_tensors
        return _Put.apply(gradients[0], places, ctx.size), None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        (places,) = ctx.saved_tensors
        return _Taken.apply(tangents[0], places)


class _Put(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(  # type: ignore[bad-override]
        rows: Tensor, places: Tensor, size: int
    ) -> Tensor:
        return _filled(rows, places, size)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, places, ctx.size = inputs
        ctx.save_for_backward(places)
        ctx.save_for_forward(places)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        (places,) = ctx.saved_tensors
        return _Taken.apply(gradients[0], places), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        (places,) = ctx.saved_tensors
        return _Put.apply(tangents[0], places, ctx.size)
