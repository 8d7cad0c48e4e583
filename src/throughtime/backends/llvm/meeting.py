"""How long two threads of this machine take to meet at a barrier."""

import ctypes
import math
import os
import time
from array import array
from functools import cache
from threading import Lock

from llvmlite import ir

from throughtime.backends.llvm.barrier import LINE, WORD_BYTES, typed, wait
from throughtime.backends.llvm.compile import Code, load, object_code
from throughtime.backends.llvm.object_cache import cached, version
from throughtime.backends.llvm.target import Target, host
from throughtime.backends.llvm.threads import openmp, run_in_pool
from throughtime.backends.llvm.writer import (
    INDEX,
    POINTER,
    VOID,
    Writer,
    index,
    numbers_of_thread,
)

THREADS = 2
"""Of a team, so many meet."""
MEETINGS = 500
SAMPLES = 6
"""Of short ones the best: what disturbs makes a sample longer, nothing shorter."""
MISSED = 4
"""Samples without a meeting say that the machine is busy; a thread that has just been
woken may stand behind the other one, on the same core, for two or three of them."""
PATIENCE = 4000
"""Looks at a flag, some 0.1 ms, before a thread leaves: the other one does not run."""
GONE = 2**63 - 1
"""What its flag then says, so that the other need not wait for it."""
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
        self._when = -math.inf
        self._last = self._seconds = math.inf

    def seconds(self) -> float:
        """Measure it again if that was long ago and nobody else is about to.

        The better of the last two counts: a moment's disturbance changes nothing.
        """
        never = self._seconds == math.inf
        old = time.monotonic() - self._when >= HOLDS
        if old and self._turn.acquire(blocking=never):
            try:
                found = measured()
                self._seconds = min(found, self._last)
                self._last, self._when = found, time.monotonic()
            finally:
                self._turn.release()
        return self._seconds

    def stop(self) -> None:
        """Keep what is known: a child of a fork has none of OpenMP's threads."""
        self._turn = Lock()
        self._when = math.inf
        self._seconds = min(self._seconds, LONGEST)


_known = _Known()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_known.stop)


def seconds_to_meet() -> float:
    """What it took when it was last measured, every `HOLDS` seconds if somebody asks.

    That takes 0.2 to 0.6 ms, or 10 to 30 where threads sleep or the machine is busy. If
    it is busy, or there is one thread only, it is `LONGEST`.
    """
    return _known.seconds()


def measured() -> float:
    """Measure it."""
    found, missed = LONGEST, 0
    for _ in range(SAMPLES):
        if missed == MISSED:
            break
        flags = (ctypes.c_int64 * (LINE * (THREADS + 1)))()
        first = ctypes.addressof(flags)
        aligned = -(-first // (LINE * WORD_BYTES)) * LINE * WORD_BYTES
        start = time.perf_counter()
        met = _meet_often(aligned)
        if not met or GONE in flags:
            missed += 1
            continue
        found = min(found, (time.perf_counter() - start) / MEETINGS)
    return found


def _meet_often(flags: int) -> bool:
    """Let two threads meet `MEETINGS` times; whether there were two."""
    code, library = _compiled(), openmp()
    if library is None:
        signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
        often = signature(code.address("meet_often"))
        run_in_pool(lambda thread: often(flags, thread), THREADS)
        return True
    words = array("q", [library.thread, library.team, flags, 0])
    numbers = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint
    parallel = ctypes.CFUNCTYPE(None, *numbers)(library.parallel)
    # A team as large as always: a smaller one would end the threads of the others.
    parallel(code.address("task"), words.buffer_info()[0], 0, 0)
    return words[-1] >= THREADS


@cache
def _compiled() -> Code:
    target = host()

    def make() -> tuple[dict[str, object], bytes]:
        return {}, object_code(str(meeting_module(target)), target)

    _, code = cached(f"meeting {target.key} {version()}", make)
    return load(code, target)


def meeting_module(target: Target) -> ir.Module:
    """Meetings, for a thread of a pool and as a task of OpenMP.

    ``meet_often(flags, thread)``, and ``task(words)``, which has the addresses of what
    a thread asks for its number and its team, the flags, and room for the team's size.
    """
    module = ir.Module("meeting")
    often = ir.Function(module, ir.FunctionType(VOID, [POINTER, INDEX]), "meet_often")
    w = Writer(ir.IRBuilder(often.append_basic_block()), ir.FloatType(), 1, 4)
    _write_meetings(w, *often.args, x86=target.x86)
    task = ir.Function(module, ir.FunctionType(VOID, [POINTER]), "task")
    w = Writer(ir.IRBuilder(task.append_basic_block()), ir.FloatType(), 1, 4)
    _write_task(w, task.args[0], often)
    return module


def _write_meetings(w: Writer, flags: ir.Value, thread: ir.Value, *, x86: bool) -> None:
    """Say how often one has come, and look until the other has come as often."""
    builder = w.builder
    other = builder.sub(index(1), thread)
    own_flag, other_flag = (
        w.word(flags, w.times(number, LINE)) for number in (thread, other)
    )

    def say(number: ir.Value) -> None:
        builder.store_atomic(number, typed(own_flag), "release", WORD_BYTES)

    def leave() -> None:
        say(index(GONE))
        builder.ret_void()

    with w.loop(index(1), index(MEETINGS + 1)) as count:
        say(count)
        wait(w, other_flag, count, PATIENCE, leave, x86=x86)
    builder.ret_void()


def _write_task(w: Writer, words: ir.Value, often: ir.Function) -> None:
    """Let the first threads of a team meet, if it has so many."""
    builder = w.builder
    thread, team = numbers_of_thread(w, words, (0, 1))
    with builder.if_then(builder.icmp_signed("==", thread, index(0))):
        builder.store(team, w.word(words, index(3)))
    enough = builder.icmp_signed(">=", team, index(THREADS))
    among = builder.icmp_signed("<", thread, index(THREADS))
    with builder.if_then(builder.and_(enough, among)):
        builder.call(often, [w.pointer(words, 2), thread])
    builder.ret_void()
