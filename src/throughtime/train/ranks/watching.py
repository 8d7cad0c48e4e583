"""Signs of life: whether whoever is waited for is slow, or gone.

A process that ends closes its connections, which all who wait for it notice at once. A
machine that vanishes from the network closes none, so each process gives a sign of life
now and then. Who waits in a meeting cannot be called out of it: when another one is
silent for too long, the process says so and ends.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from throughtime.errors import RankLost

# Seconds between two signs, and of how many in a row none may be missing. They are
# counted, not timed: while all are stopped together, nobody is silent.
_EVERY: Final = 10.0
_MISSED: Final = 60
# Far above what signs come to: whoever says so will give none any more.
_LEFT: Final = 2**40


def end(lost: RankLost) -> None:
    """End this process, whatever it waits for, as a command ends by a mistake."""
    sys.stderr.write(f"Error: {lost}\n")
    sys.stderr.flush()
    os._exit(2)


class Watch:
    """Gives signs of life, and looks for those of the others.

    Parameters
    ----------
    store
        Where they are left: a `torch.distributed.Store`, for these processes alone.
    rank, world
        Which process this is, and how many there are.
    lost
        Called when another one is silent for too long.
    every, missed
        Seconds between two signs, and how many in a row may be missing.
    """

    def __init__(
        self,
        store: Any,
        rank: int,
        world: int,
        lost: Callable[[RankLost], None] = end,
        every: float = _EVERY,
        missed: int = _MISSED,
    ) -> None:
        self.store, self.rank, self.world, self.lost = store, rank, world, lost
        self.every, self.missed = every, missed
        self._ended = threading.Event()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep watch for a while.

        Who leaves it by an error is missed by the others, if they still wait for it.
        """
        thread = threading.Thread(target=self._keep, daemon=True)
        thread.start()
        try:
            yield
            self._sign(_LEFT)
        finally:
            self._ended.set()

    def _keep(self) -> None:
        heard, silent = [0] * self.world, [0] * self.world
        while not self._ended.wait(self.every):
            self._sign(1)
            found = self._heard() or heard
            silent = _looks(silent, heard, found)
            heard = found
            if max(silent) > self.missed and not self._ended.is_set():
                seconds = self.missed * self.every
                who = silent.index(max(silent))
                reason = f"process {who} has given no sign of life for {seconds:g} s"
                self.lost(RankLost(world=self.world, reason=reason))
                return

    def _sign(self, count: int) -> None:
        try:
            self.store.add(str(self.rank), count)
        except RuntimeError:  # whoever holds the store is gone, or has ended before us
            return

    def _heard(self) -> list[int] | None:
        """Count the signs of all; None: nobody can be heard."""
        try:
            return [self.store.add(str(rank), 0) for rank in range(self.world)]
        except RuntimeError:
            return None


def _looks(
    silent: Sequence[int], before: Sequence[int], now: Sequence[int]
) -> list[int]:
    """Count for how many looks each has been silent; who has left is not missed."""
    return [
        0 if new != old or new >= _LEFT else looks + 1
        for looks, old, new in zip(silent, before, now, strict=True)
    ]
