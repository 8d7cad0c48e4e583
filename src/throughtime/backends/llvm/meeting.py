"""How long two threads of this machine take to meet at a barrier."""

import ctypes
import math
import time
from array import array
from functools import cache
from threading import Lock

from llvmlite import ir

from throughtime.backends.llvm.barrier import (
    LINE,
    WORD_BYTES,
    declare_barrier,
    write_barrier,
)
from throughtime.backends.llvm.compile import Code, load, object_code
from throughtime.backends.llvm.object_cache import cached, version
from throughtime.backends.llvm.target import Target, host
from throughtime.backends.llvm.threads import give_up, openmp, run_in_pool
from throughtime.backends.llvm.writer import (
    INDEX,
    POINTER,
    VOID,
    Writer,
    index,
    numbers_of_thread,
)

THREADS = 2
MEETINGS = 2000
SAMPLES = 2
"""Of short ones the best: what disturbs makes a sample longer, nothing shorter."""
LONGEST = 5e-7
"""Seconds; who needs more has met other programs on the way, not a distant core."""
FAR = 1.5e-7
"""Seconds from which on two cores that meet have no cache in common."""
HOLDS = 2.0
"""Seconds after which it is measured again: the system, or that of a virtual machine,
may have moved a thread to a core that lies nearer to the other, or farther away."""


class _Known:
    """What was measured last, and when."""

    def __init__(self) -> None:
        self._turn = Lock()
        self._when, self._seconds = -math.inf, LONGEST

    def seconds(self) -> float:
        """Measure it again if that was long ago and nobody else is about to."""
        old = time.monotonic() - self._when >= HOLDS
        if old and self._turn.acquire(blocking=False):
            try:
                self._seconds = measured()
                self._when = time.monotonic()
            finally:
                self._turn.release()
        return self._seconds


_known = _Known()


def seconds_to_meet() -> float:
    """What it takes, as of no more than `HOLDS` seconds ago; 0.4 to 1.7 ms to measure.

    On a machine that is busy at that moment it is `LONGEST`.
    """
    return _known.seconds()


def measured() -> float:
    """Measure it."""
    flags = (ctypes.c_int64 * (LINE * (THREADS + 1)))()
    first = ctypes.addressof(flags)
    aligned = -(-first // (LINE * WORD_BYTES)) * LINE * WORD_BYTES
    shortest = math.inf
    # The first one wakes the threads.
    for sample in range(1 + SAMPLES):
        start = time.perf_counter()
        _meet_often(aligned, sample * MEETINGS)
        if sample:
            shortest = min(shortest, time.perf_counter() - start)
    del flags  # which the threads have looked at until here
    return min(shortest / MEETINGS, LONGEST)


def _meet_often(flags: int, first: int) -> None:
    """Let the threads that would share units meet, after so many meetings."""
    code, library = _compiled(), openmp()
    yields = give_up() or 0
    if library is None:
        signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5)
        often = signature(code.address("meet_often"))
        run_in_pool(
            lambda thread: often(flags, thread, THREADS, first, yields), THREADS
        )
        return
    words = array("q", [library.thread, library.team, flags, first, yields])
    numbers = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint
    parallel = ctypes.CFUNCTYPE(None, *numbers)(library.parallel)
    parallel(code.address("task"), words.buffer_info()[0], THREADS, 0)


@cache
def _compiled() -> Code:
    target = host()

    def make() -> tuple[dict[str, object], bytes]:
        return {}, object_code(str(meeting_module(target)), target)

    _, code = cached(f"meeting {target.key} {version()}", make)
    return load(code, target)


def meeting_module(target: Target) -> ir.Module:
    """`MEETINGS` barriers, for a thread of a pool and as a task of OpenMP.

    ``meet_often(flags, thread, team, first, give_up)``, and ``task(words)`` with the
    addresses of what a thread asks for its number and its team, and the others.
    """
    module = ir.Module("meeting")
    barrier = declare_barrier(module)
    own = Writer(ir.IRBuilder(barrier.append_basic_block()), ir.FloatType(), 1, 4)
    write_barrier(module, own, x86=target.x86)
    kind = ir.FunctionType(VOID, [POINTER, INDEX, INDEX, INDEX, POINTER])
    often = ir.Function(module, kind, "meet_often")
    w = Writer(ir.IRBuilder(often.append_basic_block()), ir.FloatType(), 1, 4)
    flags, thread, team, first, other = often.args
    with w.loop(index(0), index(MEETINGS)) as number:
        count = w.builder.add(w.builder.add(first, number), index(1))
        w.builder.call(barrier, [flags, thread, team, count, other])
    w.builder.ret_void()
    task = ir.Function(module, ir.FunctionType(VOID, [POINTER]), "task")
    w = Writer(ir.IRBuilder(task.append_basic_block()), ir.FloatType(), 1, 4)
    words = task.args[0]
    thread, team = numbers_of_thread(w, words, (0, 1))
    given = w.pointer(words, 2), thread, team, w.count(words, 3), w.pointer(words, 4)
    w.builder.call(often, given)
    w.builder.ret_void()
    return module
