"""Memory that a call needs while it runs, kept by each thread for its next call."""

from collections.abc import Sequence
from threading import local

import torch
from torch import Tensor

from throughtime.nn.pool import POOL

ALIGNMENT = 16
"""Numbers; 64 bytes of float32, so that every piece starts on a cache line."""


class _Kept(local):
    def __init__(self) -> None:
        self.memory: dict[torch.dtype, Tensor] = {}


_kept = _Kept()


def scratch(dtype: torch.dtype, sizes: Sequence[int]) -> list[Tensor]:
    """Pieces of this thread's scratch memory, of so many numbers each.

    They hold until the thread's next call of this function.
    """
    starts: list[int] = []
    total = 0
    for size in sizes:
        starts.append(total)
        total += -(-size // ALIGNMENT) * ALIGNMENT
    memory = _kept.memory.get(dtype)
    if memory is None or memory.numel() < total:
        # The old memory goes first: both at once may be more than there is.
        del memory
        _kept.memory.pop(dtype, None)
        memory = POOL.empty((total,), dtype)
        _kept.memory[dtype] = memory
    return [
        memory.narrow(0, start, size) for start, size in zip(starts, sizes, strict=True)
    ]


def release() -> None:
    """Give this thread's scratch memory back, and what the pool has free."""
    _kept.memory.clear()
    POOL.release()
