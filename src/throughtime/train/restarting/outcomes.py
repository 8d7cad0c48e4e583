"""What came of the training of each seed, and which one is kept."""

import json
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from throughtime.errors import TrainingDiverged
from throughtime.train.files.folder import MODEL, RESTARTS, WEIGHTS, cannot_write, write
from throughtime.train.opening import open_run
from throughtime.train.runs import Run

ROOMS: Final = "restarts"
"""The folder, in that of the run, where all seeds train."""


@dataclass(frozen=True)
class Outcome:
    """What came of one seed.

    Parameters
    ----------
    seed
        It.
    validation_loss
        The lowest of its epochs; None: it diverged, or came to the end of none.
    best_epoch, epochs
        The epoch of that, and how many there were.
    stopped
        Why it ended, as `Run.stopped` says, or `"diverged"`.
    seconds
        How long its epochs took.
    trouble
        What diverged and where; None: nothing.
    """

    seed: int
    validation_loss: float | None = None
    best_epoch: int = 0
    epochs: int = 0
    stopped: str | None = None
    seconds: float = 0.0
    trouble: str | None = None

    @classmethod
    def of(cls, seed: int, room: Path, trouble: TrainingDiverged | None) -> Self:
        """Read from its folder what came of a seed."""
        if not (room / MODEL).is_file() or not (room / WEIGHTS).is_file():
            return cls(seed, stopped="interrupted")
        run = open_run(room)
        rows = {row["epoch"]: row for row in run.metrics}
        best = rows.get(run.best_epoch)
        seconds = sum(row["seconds"] for row in run.metrics)
        if trouble is not None:
            said = _trouble(trouble)
            return cls(seed, None, 0, len(rows), "diverged", seconds, said)
        loss = None if best is None else best["validation_loss"]
        stopped = run.stopped or "interrupted"
        return cls(seed, loss, run.best_epoch, len(rows), stopped, seconds)

    def __str__(self) -> str:
        if self.trouble is not None:
            return f"seed {self.seed}: diverged, {self.trouble}"
        if self.validation_loss is None:
            return f"seed {self.seed}: {self.stopped} before the end of an epoch"
        return (
            f"seed {self.seed}: validation loss {self.validation_loss:.4f}, epoch "
            f"{self.best_epoch} of {self.epochs}"
            + (" (interrupted)" if self.stopped == "interrupted" else "")
        )


def keep_best(folder: Path, outcomes: Sequence[Outcome]) -> int | None:
    """Make the folder that of the best seed, and write what came of all.

    The best has the lowest validation loss. Where no seed has one, the first that wrote
    anything is kept.

    Returns
    -------
    int or None
        The seed that is kept; None: none has written anything.
    """
    rooms = {one.seed: folder / ROOMS / str(one.seed) for one in outcomes}
    judged = [one for one in outcomes if one.validation_loss is not None]
    begun = [one for one in outcomes if (rooms[one.seed] / WEIGHTS).is_file()]
    best = min(judged, key=lambda one: (_loss(one), one.seed), default=None)
    kept = best or next(iter(begun), None)
    try:
        if kept is not None:
            for entry in sorted(rooms[kept.seed].iterdir()):
                entry.replace(folder / entry.name)
        shutil.rmtree(folder / ROOMS, ignore_errors=True)
    except OSError as error:
        raise cannot_write(folder, error) from None
    if kept is None:
        return None
    document = as_document(outcomes, kept.seed)
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write(folder / RESTARTS, text.encode())
    return kept.seed


def as_document(outcomes: Sequence[Outcome], kept: int) -> dict[str, Any]:
    """Say what came of all, as `restarts.json` holds it."""
    losses = [_loss(one) for one in outcomes if one.validation_loss is not None]
    spread = {
        "min": min(losses, default=None),
        "median": statistics.median(losses) if losses else None,
        "max": max(losses, default=None),
    }
    return {
        "version": 1,
        "kept": kept,
        "validation_loss": spread,
        "seeds": [asdict(one) for one in outcomes],
    }


def spread_in_words(run: Run) -> str:
    """Say how far apart the seeds of a run ended."""
    document = run.restarts or {}
    seeds, spread = document["seeds"], document["validation_loss"]
    judged = [one for one in seeds if one["validation_loss"] is not None]
    diverged = sum(one["trouble"] is not None for one in seeds)
    left = len(seeds) - len(judged) - diverged
    more = f"; {diverged} diverged" if diverged else ""
    more += f"; {left} did not come to the end of an epoch" if left else ""
    if not judged:
        return f"{len(seeds)} seeds, of which none was validated{more}"
    return (
        f"{len(seeds)} seeds: validation loss from {spread['min']:.4f} (seed "
        f"{document['kept']}, kept) to {spread['max']:.4f}, median "
        f"{spread['median']:.4f}{more}"
    )


def _loss(one: Outcome) -> float:
    assert one.validation_loss is not None
    return one.validation_loss


def _trouble(error: TrainingDiverged) -> str:
    facts = error.facts
    return (
        f"{facts['what']} is {facts['given']} at update {facts['update']} of epoch "
        f"{facts['epoch']} ({facts['where']})"
    )
