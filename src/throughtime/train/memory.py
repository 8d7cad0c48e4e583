"""Too little memory as one sentence that names what to make smaller."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from throughtime.errors import TooLargeForMemory

# PyTorch's allocators tell it by words alone: of Linux, of Windows and macOS, and of
# sizes beyond what can be counted.
_WORDS = ("allocate memory", "not enough memory", "Storage size calculation overflowed")


@contextmanager
def enough_memory(what: str, advice: str) -> Iterator[None]:
    """Turn every kind of "no memory" into `TooLargeForMemory`.

    Parameters
    ----------
    what
        What needs the memory.
    advice
        What to do about it.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if isinstance(error, TooLargeForMemory) or not (
            told or any(words in str(error) for words in _WORDS)
        ):
            raise
        lines = str(error).splitlines() or ["no memory is left"]
        reason = lines[0].rstrip(".").replace(". ", ", ")
        raise TooLargeForMemory(what=what, reason=reason, advice=advice) from error
