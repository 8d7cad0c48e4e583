"""The same updates on two backends: how far the losses differ, and the time of each."""

from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any, Final

import numpy as np

from throughtime.bench.running.task import Asked, Engine, Recipe, Task
from throughtime.errors import NumberOutOfRange

KEPT: Final = 50
"""So many updates, the first ones, are looked at."""

#: By so much the losses of both may differ in float64.
TOLERANCE: Final = 1e-9
_BACKENDS: Final = ("reference", "llvm")


class _Enough(Exception):
    """As many updates were seen as are looked at."""


@dataclass(frozen=True)
class Agreement:
    """Two backends beside each other.

    `updates` are those that were compared; `difference` is the largest of two losses of
    one update; `milliseconds` those of an update, the median, by backend.
    """

    task: str
    updates: int
    difference: float
    milliseconds: dict[str, float]
    seed: int

    @property
    def name(self) -> str:
        """Name the file."""
        return f"backends-{self.task}-seed{self.seed}.json"

    @property
    def agree(self) -> bool:
        """Whether no two losses differ by more than `TOLERANCE`."""
        return self.difference <= TOLERANCE

    @property
    def ratio(self) -> float:
        """How many times as long the reference takes."""
        return self.milliseconds["reference"] / self.milliseconds["llvm"]

    def to_json(self) -> dict[str, Any]:
        """Return everything by name."""
        return {**vars(self), "agree": self.agree, "ratio": self.ratio}


def agreement(
    task: Task,
    recipe: Recipe,
    *,
    path: str | None = None,
    seed: int = 0,
    threads: int | None = None,
    updates: int = KEPT,
) -> Agreement:
    """Learn a task with both backends, in float64, for so many updates.

    Parameters
    ----------
    task, recipe, path
        What is learned, how, and where its data lie.
    seed, threads
        Of both.
    updates
        After so many it is over; fewer if learning ends before.
    """
    losses: dict[str, list[float]] = {}
    times: dict[str, float] = {}
    for backend in _BACKENDS:
        engine = Engine(backend, "float64", seed, threads)
        losses[backend], times[backend] = _first(task, recipe, engine, path, updates)
    first, second = (np.array(losses[backend]) for backend in _BACKENDS)
    difference = float(np.abs(first - second).max())
    return Agreement(task.name, len(first), difference, times, seed)


def _first(
    task: Task, recipe: Recipe, engine: Engine, path: str | None, updates: int
) -> tuple[list[float], float]:
    """Give the losses of the first updates, and the milliseconds of one."""
    losses: list[float] = []
    ends: list[float] = []

    def keep(update: int, loss: float) -> None:
        losses.append(loss)
        ends.append(perf_counter())
        if update == updates:
            raise _Enough

    with suppress(_Enough):
        task.learn(Asked(task, recipe, engine, keep, path))
    if len(losses) < 2:
        expected = "a whole number of at least 2"
        raise NumberOutOfRange(argument="updates", given=len(losses), expected=expected)
    took = [1000 * (end - begin) for begin, end in pairwise(ends)]
    return losses, float(np.median(took))
