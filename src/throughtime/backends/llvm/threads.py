"""The threads that run compiled code: those of the OpenMP that the process has.

PyTorch brings libgomp; its ``GOMP_parallel`` starts our teams too, so that there is one
pool of threads. Where there is none, a small pool of our own serves.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

MAPS = Path("/proc/self/maps")
SYMBOLS = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")


@dataclass(frozen=True)
class OpenMP:
    """Addresses of the three functions that generated code calls."""

    parallel: int
    thread: int
    team: int


@cache
def openmp() -> OpenMP | None:
    """The OpenMP library that this process has loaded, if it has one."""
    for path in _loaded():
        try:
            library = ctypes.CDLL(path)
            addresses = [
                ctypes.cast(getattr(library, name), ctypes.c_void_p).value
                for name in SYMBOLS
            ]
        except (OSError, AttributeError):
            continue
        if all(addresses):
            return OpenMP(*(int(address or 0) for address in addresses))
    return None


@cache
def give_up() -> int | None:
    """Address of the function by which a thread lets another one run, if there is."""
    try:
        function = ctypes.CDLL(None).sched_yield
    except (OSError, AttributeError, TypeError):
        return None
    return ctypes.cast(function, ctypes.c_void_p).value


def _loaded() -> list[str]:
    """Paths of OpenMP libraries among what is mapped into the process."""
    if not MAPS.exists():
        return []
    lines = MAPS.read_text().splitlines()
    paths = {line.split(maxsplit=5)[-1] for line in lines if "/" in line}
    return sorted(p for p in paths if "libgomp" in Path(p).name)


@cache
def _pool(threads: int) -> tuple[ThreadPoolExecutor, Lock]:
    """As many threads as a call has tasks, and whose turn it is to give them some."""
    return ThreadPoolExecutor(threads, thread_name_prefix="throughtime"), Lock()


if hasattr(os, "register_at_fork"):
    # A child has none of its parent's threads: it makes a pool of its own.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def run_in_pool(task: Callable[[int], None], threads: int) -> None:
    """Run ``task(number)`` in as many threads and wait for all."""
    if threads == 1:
        task(0)
        return
    pool, turn = _pool(threads)
    with turn:
        # One call's after the other's: tasks may wait for each other, and of two calls
        # at once each would hold threads that the other waits for.
        futures = [pool.submit(task, number) for number in range(threads)]
    for future in futures:
        future.result()
