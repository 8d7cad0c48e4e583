"""Memory that a call needs while it runs, kept by each thread for its next call."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from threading import local
from typing import NamedTuple

import torch
from torch import Tensor

from throughtime.nn.compiled.pool import POOL

ALIGNMENT = 64
"""Bytes; every piece starts on a cache line."""


class Pieces(NamedTuple):
    """Pieces of memory, which may be used as long as this is held."""

    memory: Tensor
    addresses: list[int]


class _Kept(local):
    def __init__(self) -> None:
        self.memory: dict[torch.dtype, Tensor] = {}


_kept = _Kept()


def scratch(dtype: torch.dtype, sizes: Sequence[int]) -> Pieces:
    """Pieces of this thread's scratch memory, of so many numbers each.

    Their numbers hold until the thread's next call of this function.
    """
    *starts, total = _places(ALIGNMENT // dtype.itemsize, *sizes)
    memory = _kept.memory.get(dtype)
    if memory is None or memory.numel() < total:
        # The old memory goes first: both at once may be more than there is.
        del memory
        _kept.memory.pop(dtype, None)
        memory = POOL.empty((total,), dtype)
        _kept.memory[dtype] = memory
    first = memory.data_ptr()
    return Pieces(memory, [first + start * dtype.itemsize for start in starts])


def private(dtype: torch.dtype, sizes: Sequence[int]) -> Pieces:
    """Pieces of memory of their own, of so many numbers each, all 0."""
    *starts, total = _places(ALIGNMENT // dtype.itemsize, *sizes)
    spare = ALIGNMENT // dtype.itemsize
    memory = torch.zeros(total + spare, dtype=dtype, device="cpu")
    first = -(-memory.data_ptr() // ALIGNMENT) * ALIGNMENT
    return Pieces(memory, [first + start * dtype.itemsize for start in starts])


@lru_cache(maxsize=256)
def _places(unit: int, *sizes: int) -> list[int]:
    """Where each piece starts and the last one ends, in multiples of the unit."""
    return list(accumulate((-(-size // unit) * unit for size in sizes), initial=0))


def release() -> None:
    """Give this thread's scratch memory back, and what the pool has free."""
    _kept.memory.clear()
    POOL.release()
