"""A limit on the time of something that has none of its own, such as compiling."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


# No `Exception`, so that no handler of all mistakes holds it up.
class TimeIsUp(BaseException):
    """Raised within `time_limit` when its seconds are over."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeIsUp` in the body when it lasts longer; only in the main thread.

    What runs in another language is left to finish its call first.
    """

    def raise_it(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, raise_it)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
