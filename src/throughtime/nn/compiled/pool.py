"""Large memory that calls use in turn, so that only the first one pays for its pages.

Fresh memory costs a page fault for every four kilobytes when it is first written, and
again when it is given back; a training step would spend a fifth of its time in them.
"""

import mmap
from collections import deque
from math import prod
from threading import Lock
from typing import Any
from weakref import ref

import torch
from torch import Tensor

SMALLEST = 1 << 20
"""Bytes; what is smaller the C library hands out again without a page fault."""
UNIT = 1 << 21
"""Bytes; sizes are multiples of a huge page."""
PATIENCE = 64
"""A block goes back to the system when so many others were taken in its place, or up
to twice as many."""

# Anonymous memory is shared with child processes unless it is asked not to be.
PRIVATE: dict[str, Any] = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
    if hasattr(mmap, "MAP_ANONYMOUS")
    else {}
)


class Pool:
    """Blocks of memory, each lent to one tensor at a time."""

    def __init__(self) -> None:
        # Free blocks by their number of units, each with the number of the take that
        # it waits for.
        self._free: dict[int, list[tuple[mmap.mmap, int]]] = {}
        # A tensor may die in the middle of anything, a `take` of its thread included:
        # giving back only appends, which needs no lock.
        self._returned: deque[mmap.mmap] = deque()
        self._lent: dict[int, tuple[ref[memoryview], mmap.mmap]] = {}
        self._lock = Lock()
        self._takes = 0

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A tensor whose numbers are not set; its memory comes back when it dies."""
        size = prod(shape) * dtype.itemsize
        if size < SMALLEST or dtype.is_complex:
            return torch.empty(shape, dtype=dtype, device="cpu")
        with self._lock:
            block = self._block(-(-size // UNIT))
        if block is None:
            return torch.empty(shape, dtype=dtype, device="cpu")
        # The tensor's memory keeps this view alive, and nothing else does.
        view = memoryview(block)[:size]
        lent = ref(view, self._give_back)
        self._lent[id(lent)] = lent, block
        # A view of a tensor could not be changed in place by who gets it.
        found = torch.frombuffer(view, dtype=dtype).resize_(shape)
        return found.fill_(torch.nan) if _filled() else found

    def _give_back(self, lent: "ref[memoryview]") -> None:
        self._returned.append(self._lent.pop(id(lent))[1])

    def release(self) -> None:
        """Give every free block back to the system."""
        with self._lock:
            self._collect()
            self._free.clear()

    def _collect(self) -> None:
        while self._returned:
            block = self._returned.popleft()
            free = self._free.setdefault(len(block) // UNIT, [])
            free.append((block, self._takes + PATIENCE))

    def _block(self, units: int) -> mmap.mmap | None:
        """The smallest free block that is not far too large, or a new one."""
        self._collect()
        self._takes += 1
        if not self._takes % PATIENCE:
            self._forget()
        if self._free.get(units):
            return self._free[units].pop()[0]
        larger = [
            n for n, free in self._free.items() if units < n <= 2 * units and free
        ]
        if larger:
            return self._free[min(larger)].pop()[0]
        return self._fresh(units * UNIT)

    def _forget(self) -> None:
        """Give blocks back to the system that have waited too long."""
        for units, free in list(self._free.items()):
            self._free[units] = [kept for kept in free if kept[1] > self._takes]
            if not self._free[units]:
                del self._free[units]

    def _fresh(self, size: int) -> mmap.mmap | None:
        """A new block; None where the system has none, and torch shall say so."""
        try:
            block = mmap.mmap(-1, size, **PRIVATE)
        except OSError:
            self._free.clear()
            return None
        if hasattr(mmap, "MADV_HUGEPAGE"):
            try:
                block.madvise(mmap.MADV_HUGEPAGE)
            except OSError:
                return block  # a kernel without huge pages: slower, no less right
        return block


def _filled() -> bool:
    """Whether torch is asked to leave no number unset."""
    filled: bool = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[missing-attribute]
    return filled and torch.are_deterministic_algorithms_enabled()


POOL = Pool()
