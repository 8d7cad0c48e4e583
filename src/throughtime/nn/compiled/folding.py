"""Many calls of a layer as one: a mapped dimension becomes part of the batch.

Rows of the elements lie side by side: row r of element m is row ``r·M + m`` of the
folded call. So it goes for ``(T, B, n)`` and ``(N, n)``, for states ``(B, n)``, for
saved rows, and where fewer sequences are alive from step to step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor
from torch._functorch.autograd_function import VmapInfo

from throughtime.nn.compiled.second import Where


def fold(value: Tensor, dim: int | None, size: int) -> Tensor:
    """Rows ``(…, r·M, n)`` of a tensor mapped over ``dim``, the same ones if None."""
    if dim is None:
        shape = *value.shape[:-1], size, value.shape[-1]
        whole = value.unsqueeze(-2).expand(shape)
    else:
        whole = value.movedim(dim, -2)
    return whole.flatten(-3, -2)


def unfold(value: Tensor, size: int) -> Tensor:
    """Rows ``(…, r, M, n)`` of a folded tensor."""
    return value.unflatten(-2, (value.shape[-2] // size, size))


def fold_where(where: Where, size: int) -> Where:
    """Where the rows of so many elements lie."""
    counts = None if where.counts is None else where.counts * size
    return where._replace(counts=counts, batch=where.batch * size)


def unfold_where(where: Where, size: int) -> Where:
    """Where the rows of each element lie."""
    counts = None if where.counts is None else where.counts // size
    return where._replace(counts=counts, batch=where.batch // size)


def part(value: Tensor, size: int, number: int) -> Tensor:
    """The rows of one element of a folded tensor."""
    return unfold(value, size).select(-2, number)


def join(values: Sequence[Tensor]) -> Tensor:
    """The folded tensor of all elements' rows."""
    return torch.stack(list(values), -2).flatten(-3, -2)


def one_by_one(
    function: Callable[..., tuple[Tensor, ...]],
    size: int,
    in_dims: tuple[Any, ...],
    arguments: tuple[Any, ...],
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """What `torch.func.vmap` runs: a call per element, the results stacked."""
    results = [
        function(
            *(
                value.select(dim, number) if isinstance(dim, int) else value
                for value, dim in zip(arguments, in_dims, strict=True)
            )
        )
        for number in range(size)
    ]
    stacked = tuple(torch.stack(column) for column in zip(*results, strict=True))
    return stacked, (0,) * len(stacked)


def batched_by_autograd(tensors: Sequence[Tensor | None]) -> bool:
    """Whether ``autograd.grad(…, is_grads_batched=True)`` mapped some of them."""
    return any(
        value is not None and is_legacy_batchedtensor(value) for value in tensors
    )


def map_for_autograd(
    function: type[torch.autograd.Function],
    settings: tuple[Any, ...],
    tensors: Sequence[Tensor | None],
) -> tuple[Tensor, ...]:
    """What a function gives for such tensors: autograd has a mapping of its own."""
    level = torch._C._vmapmode_increment_nesting() - 1
    torch._C._vmapmode_decrement_nesting()
    mapped = [
        value
        if value is None or not is_legacy_batchedtensor(value)
        else torch._remove_batch_dim(value, level, 1, 0)
        for value in tensors
    ]
    places = [
        None if one is own else 0 for one, own in zip(mapped, tensors, strict=True)
    ]
    (size, *_) = (
        value.shape[0]
        for value, place in zip(mapped, places, strict=True)
        if value is not None and place == 0
    )
    in_dims = *(None for _ in settings), *places
    info = VmapInfo(batch_size=size, randomness="error")
    found, out_dims = function.vmap(info, in_dims, *settings, *mapped)
    return tuple(
        torch._add_batch_dim(value, dim, level)
        for value, dim in zip(found, out_dims, strict=True)
    )
