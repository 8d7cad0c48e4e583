"""Ctrl-C as a wish to stop soon rather than an explosion somewhere."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(Exception):
    """What is going on was given up, because the person has asked to stop."""


class Interruption:
    """Whether the person has asked to stop."""

    def __init__(self) -> None:
        self.wanted = False


# Those of the main thread, which alone has any, the outermost first.
_GOING_ON: list[Interruption] = []


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Turn the first SIGINT into a flag; the second one raises KeyboardInterrupt.

    Within another one, as where several trainings make one, that one's flag is set in
    the end, too.

    Only the main thread can watch for signals: in any other one nothing changes, and
    Ctrl-C is the main thread's business.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(signum: int, frame: FrameType | None) -> None:
        interruption.wanted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    _GOING_ON.append(interruption)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)
        _GOING_ON.pop()
        if _GOING_ON and interruption.wanted:
            _GOING_ON[-1].wanted = True
