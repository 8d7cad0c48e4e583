"""What a task says of itself, and the recipe it is learned by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, NamedTuple

import torch

from throughtime.cells.built_in import BUILT_IN, built_in
from throughtime.errors import UnknownCell, UnusedSetting
from throughtime.errors.base import did_you_mean
from throughtime.graph import Cell
from throughtime.nn.starting import WAYS
from throughtime.train.asking.ranges import ABOVE_0, SHARE
from throughtime.train.asking.settings import check_choice, check_count, check_number

Follow = Callable[[int, float], None]
"""Told of every update: its number, from 1, and the loss before it."""


def unheard(update: int, loss: float) -> None:
    """Leave an update untold."""


_REALS: Final = {
    "learning_rate": ABOVE_0,
    "clip": ABOVE_0,
    "flow_penalty": ABOVE_0,
    "zoneout": SHARE,
}


@dataclass(frozen=True)
class Recipe:
    """How a task is learned. None: the task has nothing of the kind.

    Parameters
    ----------
    cell
        A cell, or the name of a built-in one.
    hidden_size, num_layers
        H, and how many layers there are.
    init
        How the weights start, as of `throughtime.nn.initialise`.
    learning_rate, clip
        The step width of the optimiser, and the largest norm of a gradient.
    flow_penalty
        The factor of `throughtime.diagnose.FlowPenalty`.
    zoneout
        The chance that a unit of a state stays as it was.
    batch_size
        B.
    updates
        How many at most, of a task whose sequences are drawn.
    epochs, patience
        Of a task on data: how many at most, and how many without a better validation.
    steps
        T, or the lag: how long the task is.
    truncation
        How many steps error flows back.
    """

    cell: str | Cell | None = None
    hidden_size: int | None = None
    num_layers: int | None = None
    init: str | None = None
    learning_rate: float | None = None
    clip: float | None = None
    flow_penalty: float | None = None
    zoneout: float | None = None
    batch_size: int | None = None
    updates: int | None = None
    epochs: int | None = None
    patience: int | None = None
    steps: int | None = None
    truncation: int | None = None

    def changed(self, task: str, changes: Mapping[str, Any]) -> "Recipe":
        """Return the recipe with some entries of a person's own.

        Raises
        ------
        UnusedSetting
            The task has nothing of the kind.
        UnknownCell, NumberOutOfRange
            An entry is not possible.
        """
        for name, given in changes.items():
            if getattr(self, name) is None:
                reason = f"the task {task}"
                raise UnusedSetting(argument=name, given=given, reason=reason)
            if name in _REALS:
                check_number(name, given, _REALS[name])
            elif name == "init":
                check_choice(name, given, WAYS)
            elif name == "cell":
                find_cell(given)
            else:
                check_count(name, given, 1)
        return replace(self, **changes)

    def entries(self) -> dict[str, Any]:
        """Return what the task has, by name; a cell by its name."""
        had = {one.name: getattr(self, one.name) for one in fields(self)}
        had = {name: one for name, one in had.items() if one is not None}
        if isinstance(self.cell, Cell):
            had["cell"] = type(self.cell).__name__
        return had

    @property
    def network(self) -> Cell:
        """The cell itself."""
        assert self.cell is not None, "the task has no cell"
        return find_cell(self.cell)


ENTRIES: Final = tuple(one.name for one in fields(Recipe))


def find_cell(name: str | Cell) -> Cell:
    """Return a built-in cell by its name, or a cell as it is.

    Raises
    ------
    UnknownCell
        There is none of this name.
    """
    if isinstance(name, Cell):
        return name
    cell = built_in(name)
    if cell is None:
        hint, known = did_you_mean(name, BUILT_IN), ", ".join(BUILT_IN)
        raise UnknownCell(given=name, hint=hint, known=known)
    return cell


@dataclass(frozen=True)
class Engine:
    """What computes, and from which seed."""

    backend: str = "auto"
    dtype: str = "float32"
    seed: int = 0
    threads: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What modules are built with."""
        return {"backend": self.backend, "dtype": getattr(torch, self.dtype)}


class Measure(NamedTuple):
    """What is measured in the end.

    Parameters
    ----------
    name
        In words, with its unit.
    goal
        From where on the task counts as solved.
    more
        Whether more is better.
    """

    name: str
    goal: float
    more: bool = False

    def solved(self, value: float) -> bool:
        """Say whether a value is as good as the goal, or better."""
        return value >= self.goal if self.more else value <= self.goal


class Known(NamedTuple):
    """What another method reaches: a floor, or a published number."""

    method: str
    value: float
    source: str = ""


class Reached(NamedTuple):
    """What a training came to, in the task's measure.

    `value` is NaN where it diverged; `seconds` are those of learning, what was looked
    at on the way in them; `parameters` how many weights there are; `floors` what was
    measured on the same data, where they are a person's own: the best of these is then
    the goal.
    """

    value: float
    updates: int
    seconds: float
    parameters: int
    floors: tuple[Known, ...] = ()


@dataclass(frozen=True)
class Task:
    """A task that is learned by a recipe.

    Parameters
    ----------
    name
        As a person asks for it.
    title
        A line on what is to be learned.
    definition
        The exact words: the docstring of its file.
    measure
        What is measured, and when it is solved.
    floors
        What trivial methods reach.
    published
        What others reached, and where that is printed.
    recipe
        How it is learned if nothing else is asked for.
    learn
        Learns it.
    data
        What has to be given as a path; None: nothing.
    drawn
        Whether anything is drawn, so that seeds differ.
    """

    name: str
    title: str
    definition: str
    measure: Measure
    floors: tuple[Known, ...]
    published: tuple[Known, ...]
    recipe: Recipe
    learn: Callable[["Asked"], Reached]
    data: str | None = None
    drawn: bool = True


class Asked(NamedTuple):
    """One training of a task.

    `path` is where its data lie, if it has some.
    """

    task: Task
    recipe: Recipe
    engine: Engine
    follow: Follow
    path: str | None = None
