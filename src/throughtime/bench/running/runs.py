"""A task, run: with seeds, each run a JSON file."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from throughtime.bench.running.agreement import KEPT, Agreement
from throughtime.bench.running.task import Asked, Engine, Follow, Reached, Recipe, Task
from throughtime.errors import DamagedResult, NoResults, TrainingDiverged
from throughtime.train.files.documents import as_json
from throughtime.train.files.folder import write
from throughtime.train.learning.checkpoints import machine


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Parameters
    ----------
    task
        Its name.
    measure
        What was measured.
    value
        What came out.
    goal
        From where on the task counts as solved.
    solved
        Whether it is.
    floors
        What trivial methods reach, by their names.
    recipe
        By what it was learned.
    seed, backend, dtype, threads
        Of what computed.
    updates, seconds, parameters
        How many, how long, and how many weights.
    losses
        Of the first `KEPT` updates.
    machine
        Processor and versions.
    """

    task: str
    measure: str
    value: float
    goal: float
    solved: bool
    floors: dict[str, float]
    recipe: dict[str, Any]
    seed: int
    backend: str
    dtype: str
    threads: int
    updates: int
    seconds: float
    parameters: int
    losses: list[float]
    machine: str

    @property
    def name(self) -> str:
        """Name the file: the task, what it was learned by, and the seed."""
        said = [self.recipe, self.backend, self.dtype, self.threads, self.floors]
        mark = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        return f"{self.task}-{mark[:8]}-seed{self.seed}.json"


def run(
    task: Task, recipe: Recipe, engine: Engine, path: str | None, follow: Follow
) -> Result:
    """Learn a task once.

    Parameters
    ----------
    task, recipe, engine
        What is learned, how, and what computes.
    path
        Where its data lie; None: it has none.
    follow
        Told of every update.
    """
    losses: list[float] = []

    def keep(update: int, loss: float) -> None:
        if len(losses) < KEPT:
            losses.append(loss)
        follow(update, loss)

    start = perf_counter()
    try:
        reached = task.learn(Asked(task, recipe, engine, keep, path))
    except TrainingDiverged:  # an outcome as others are
        reached = Reached(math.nan, len(losses), perf_counter() - start, 0)
    return _result(task, recipe, engine, reached, losses)


def _result(
    task: Task, recipe: Recipe, engine: Engine, reached: Reached, losses: list[float]
) -> Result:
    import torch

    measure, floors = task.measure, (*task.floors, *reached.floors)
    if reached.floors:  # those of the data say more than any number of others
        values = [one.value for one in reached.floors]
        best = max(values) if measure.more else min(values)
        measure = measure._replace(goal=best)
    return Result(
        task=task.name,
        measure=measure.name,
        value=reached.value,
        goal=measure.goal,
        solved=measure.solved(reached.value),
        floors={one.method: one.value for one in floors},
        recipe=recipe.entries(),
        seed=engine.seed,
        backend=engine.backend,
        dtype=engine.dtype,
        threads=engine.threads or torch.get_num_threads(),
        updates=reached.updates,
        seconds=reached.seconds,
        parameters=reached.parameters,
        losses=losses,
        machine=machine(),
    )


def save(found: Result | Agreement, folder: str | Path) -> None:
    """Write what a run came to as a JSON file; one of the same run is replaced."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    said = as_json(asdict(found))
    content = json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False)
    write(place / found.name, content.encode() + b"\n")


def _number(stored: float | None) -> float:
    """Read a number; what diverged was none."""
    return math.nan if stored is None else stored


class Saved(NamedTuple):
    """What a folder holds."""

    results: list[Result]
    agreements: list[Agreement]


def read(folder: str | Path) -> Saved:
    """Read all that `save` wrote into a folder.

    Raises
    ------
    NoResults, DamagedResult
        There is nothing, or a file is of another kind.
    """
    saved = Saved([], [])
    for path in sorted(Path(folder).glob("*.json")):
        try:
            stored = json.loads(path.read_bytes())
            if "milliseconds" in stored:
                saved.agreements.append(Agreement(**stored))
            else:
                stored["value"] = _number(stored["value"])
                stored["losses"] = [*map(_number, stored["losses"])]
                saved.results.append(Result(**stored))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DamagedResult(path=path, reason=error) from None
    if not any(saved):
        raise NoResults(path=folder)
    return saved
