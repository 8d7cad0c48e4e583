"""Results as a table: a row for each task and recipe, over its seeds."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import median
from typing import Any, NamedTuple

from throughtime.bench.running.agreement import Agreement
from throughtime.bench.running.runs import Result
from throughtime.bench.running.task import Task
from throughtime.bench.tasks import TASKS

HEADERS = (
    "task",
    "learned by",
    "measure",
    "seeds",
    "median",
    "from … to",
    "solved",
    "goal",
    "trivial",
    "published",
    "updates",
    "seconds",
)
_KINDS = ("task", "recipe", "backend", "dtype", "threads", "floors")


class Row(NamedTuple):
    """Runs that differ in their seed alone."""

    results: Sequence[Result]

    @property
    def first(self) -> Result:
        """One of them, that says what all have."""
        return self.results[0]

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the row, as `HEADERS` name them."""
        worst = -math.inf if task_of(self.first).measure.more else math.inf
        # What diverged is the worst.
        values = sorted(
            worst if math.isnan(one.value) else one.value for one in self.results
        )
        solved = sum(one.solved for one in self.results)
        first = self.first
        task = task_of(first)
        return (
            first.task,
            learned_by(first),
            first.measure,
            str(len(values)),
            number(median(values)),
            f"{number(values[0])} … {number(values[-1])}",
            f"{solved} of {len(values)}",
            number(first.goal),
            "; ".join(f"{name} {number(one)}" for name, one in first.floors.items()),
            "; ".join(f"{one.method} {number(one.value)}" for one in task.published),
            span([one.updates for one in self.results]),
            span([round(one.seconds) for one in self.results]),
        )


def task_of(result: Result) -> Task:
    """Return the task of a result."""
    return TASKS[result.task]


def rows(results: Iterable[Result]) -> list[Row]:
    """Put runs together that differ in their seed alone, in the order of the tasks."""
    order = {name: place for place, name in enumerate(TASKS)}

    def kind(one: Result) -> str:
        return repr([getattr(one, name) for name in _KINDS])

    known = [one for one in results if one.task in order]
    known.sort(key=lambda one: (order[one.task], kind(one), one.seed))
    return [Row(list(group)) for _, group in groupby(known, kind)]


def learned_by(result: Result) -> str:
    """Say in a few words by what a task was learned: what differs from its recipe."""
    usual = TASKS[result.task].recipe.entries()
    said = [
        str(result.recipe[name]).upper() if name == "cell" else f"{name} {given}"
        for name, given in result.recipe.items()
        if name == "cell" or usual.get(name) != given
    ]
    units = result.recipe.get("hidden_size")
    if units is not None and "hidden_size" not in " ".join(said):
        said.insert(1, f"{units} units")
    init = result.recipe.get("init", "default")
    if init != "default" and usual.get("init") == init:
        said.append(f"{init} start")
    computed = [] if result.backend == "auto" else [result.backend]
    computed += [] if result.dtype == "float32" else [result.dtype]
    return ", ".join([*said, *computed]) or "its recipe"


def number(value: float) -> str:
    """Write a number with three digits; one that is none tells that it diverged."""
    if not math.isfinite(value):
        return "diverged"
    if value == 0 or 0.001 <= abs(value) < 10_000:
        return f"{value:.4g}" if abs(value) >= 1 else f"{value:.3g}"
    return f"{value:.1e}"


def span(values: Sequence[int]) -> str:
    """Write the least and the largest of some whole numbers."""
    least, most = (format(one, ",d") for one in (min(values), max(values)))
    return least if least == most else f"{least} to {most}"


def markdown(headers: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Lay rows out as a table of Markdown."""
    ruled = [list(headers), ["---"] * len(headers), *map(list, lines)]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in ruled)


def of_agreements(
    found: Iterable[Agreement],
) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return headers and rows of backends beside each other."""
    headers = ("task", "updates", "largest difference of a loss", "ms, reference")
    lines = [
        [
            one.task,
            str(one.updates),
            f"{one.difference:.1e}",
            number(one.milliseconds["reference"]),
            number(one.milliseconds["llvm"]),
            f"{one.ratio:.1f}",
        ]
        for one in found
    ]
    return (*headers, "ms, llvm", "times as quick"), lines
