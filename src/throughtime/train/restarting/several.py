"""Several trainings for one: each seed learns, and the best on validation is kept."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from throughtime.errors import (
    NotShared,
    NumberOutOfRange,
    TrainingDiverged,
    UnusedSetting,
)
from throughtime.train.asking.ranges import LARGEST_SEED
from throughtime.train.asking.settings import check_count
from throughtime.train.conducting import Made, introduction
from throughtime.train.files.folder import held, make_folder
from throughtime.train.interruption import Interruption, interruptible
from throughtime.train.opening import open_run
from throughtime.train.ranks import Ranks
from throughtime.train.restarting.crossing import CannotCross, packed
from throughtime.train.restarting.outcomes import (
    ROOMS,
    Outcome,
    keep_best,
    spread_in_words,
)
from throughtime.train.restarting.processes import Ended, train_beside
from throughtime.train.runs import Run

Train = Callable[..., Run]


def check_restarts(asked: Mapping[str, Any], ranks: Ranks) -> bool:
    """Say whether several seeds are to be trained.

    Raises
    ------
    NumberOutOfRange
        `restarts` is no number of them, or there are not so many seeds.
    UnusedSetting, NotShared
        They cannot go together with what else is asked for.
    """
    count = asked["restarts"]
    check_count("restarts", count, at_least=1)
    if count == 1:
        return False
    if asked["resume"]:
        reason = "resume=True, which goes on with one training"
        raise UnusedSetting(argument="restarts", given=count, reason=reason)
    if not ranks.alone:
        raise NotShared(
            argument="restarts",
            given=count,
            world=ranks.world,
            expected="1, as they share one training",
        )
    check_count("seed", asked["seed"], 0, LARGEST_SEED)
    if asked["seed"] + count - 1 > LARGEST_SEED:
        expected = f"at most {LARGEST_SEED - count + 1} with restarts={count}"
        raise NumberOutOfRange(argument="seed", given=asked["seed"], expected=expected)
    return True


def restarted(asked: Mapping[str, Any], made: Made, train: Train) -> Run:
    """Train the seeds `seed`, `seed + 1`, …, and keep the best as the run.

    Parameters
    ----------
    asked
        All arguments of `fit`.
    made
        What the first seed begins with; the others have other weights.
    train
        `fit`.

    Raises
    ------
    TrainingDiverged
        All of them did; it is that of the first.
    RestartEnded
        A process was ended from outside.
    """
    settings, dataset = made.settings, made.dataset
    folder = make_folder(asked["out"], dataset.name, type(asked["cell"]).__name__)
    say = _silent if asked["quiet"] else _aloud
    errors: dict[int, TrainingDiverged] = {}
    outcomes: list[Outcome] = []
    with held(folder), interruptible() as interruption:
        try:
            trained = _train_all(asked, made, folder, train, interruption, say)
            with closing(trained):  # before the folders of what goes on are gone
                for seed, raised in trained:
                    if isinstance(raised, TrainingDiverged):
                        errors[seed] = raised
                    elif not isinstance(raised, KeyboardInterrupt | None):
                        raise raised
                    room = folder / ROOMS / str(seed)
                    outcomes.append(Outcome.of(seed, room, errors.get(seed)))
                    say(str(outcomes[-1]))
        finally:
            outcomes.sort(key=lambda one: one.seed)
            kept = keep_best(folder, outcomes)
    if kept is None:
        raise KeyboardInterrupt  # before any of them had begun
    if len(errors) == len(outcomes):
        raise TrainingDiverged(**{**errors[kept].facts, "path": folder})
    place = {"backend": settings.backend, "device": settings.device}
    run = open_run(folder, data=dataset, **place)
    say(spread_in_words(run))
    return run


def _train_all(
    asked: Mapping[str, Any],
    made: Made,
    folder: Path,
    train: Train,
    interruption: Interruption,
    say: Callable[[str], None],
) -> Generator[Ended, None, None]:
    """Train all seeds, as many at a time as there are threads for."""
    count, first = asked["restarts"], made.settings.seed
    threads = torch.get_num_threads()
    at_a_time = min(count, threads) if made.settings.device == "cpu" else 1
    rooms = {seed: folder / ROOMS / str(seed) for seed in range(first, first + count)}
    same = {**asked, "restarts": 1, "quiet": True}
    content = b""
    if at_a_time > 1:
        try:
            content = packed(same)
        except CannotCross as error:
            say(f"one seed after the other: they cannot be sent elsewhere ({error})")
            at_a_time = 1
    each = threads // at_a_time
    own = {
        seed: {"seed": seed, "out": str(room), "threads": each}
        for seed, room in rooms.items()
    }
    say(f"{count} seeds, {at_a_time} at a time, threads of each: {each}")
    if at_a_time > 1:
        for line in introduction(made.model, made.task, made.dataset):
            say(line)
        yield from train_beside(content, own, at_a_time, interruption, say)
    else:
        same["quiet"] = asked["quiet"]
        yield from _train_here(same, own, train, interruption)


def _train_here(
    same: Mapping[str, Any],
    own: Mapping[int, dict[str, Any]],
    train: Train,
    interruption: Interruption,
) -> Iterator[Ended]:
    """Train one seed after the other in this process, until Ctrl-C."""
    for seed, asked in own.items():
        if interruption.wanted:
            return
        raised = None
        try:
            train(**{**same, **asked})
        except TrainingDiverged as error:
            raised = error
        yield seed, raised


def _silent(_: str) -> None:
    """Show nothing."""


def _aloud(line: str) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(line, markup=False, soft_wrap=True)
