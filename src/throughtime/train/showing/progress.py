"""What a person sees of a training, on standard error."""

import math
import time
from typing import Any, Literal, NamedTuple, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

Row = dict[str, Any]
"""What `metrics.jsonl` says of one epoch."""

Counted = Literal["sequences", "steps", "characters"]
# A character is a step of a text.
PER_SECOND: dict[Counted, str] = {
    "sequences": "sequences_per_second",
    "steps": "steps_per_second",
    "characters": "steps_per_second",
}


class Moment(NamedTuple):
    """Where a training is after a batch.

    Parameters
    ----------
    epoch
        Which it is, from 1.
    done, of
        How many updates of the epoch there were, and about how many there will be.
    update
        How many there were in the whole training.
    loss
        Before the update.
    norm
        That of its gradient, before clipping; NaN where the batch made no update yet.
    step_width
        The learning rate of the update.
    rate
        Sequences, steps or characters per second.
    """

    epoch: int
    done: int
    of: int
    update: int
    loss: float
    norm: float
    step_width: float
    rate: float


class Reporter(Protocol):
    """Told of all that happens in a training."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *details: object) -> None: ...

    def say(self, text: str) -> None:
        """Show a line."""

    def batch(self, now: Moment) -> None:
        """After a batch."""

    def epoch(self, row: Row) -> None:
        """After an epoch."""


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing was opened."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def batch(self, now: Moment) -> None:
        """Show nothing."""

    def epoch(self, row: Row) -> None:
        """Show nothing."""


class Live:
    """A bar that moves on a terminal, one line per epoch anywhere else.

    Parameters
    ----------
    epochs
        How many there will be at most.
    metric
        The metric beside the loss.
    counted
        What is counted per second: `"sequences"`, `"steps"` or `"characters"`.
    """

    def __init__(self, epochs: int, metric: str, counted: Counted) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.epochs, self.metric, self.counted = epochs, metric, counted
        self._left = TimeLeft()
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]:>3}/{task.fields[epochs]}"),
            BarColumn(bar_width=16),  # all of it has to stand in 80 columns
            TextColumn("{task.fields[numbers]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Show a line above the bar."""
        self.console.print(text, markup=False, soft_wrap=True)

    def batch(self, now: Moment) -> None:
        """Move the bar."""
        completed, total = (now.epoch - 1) * now.of + now.done, self.epochs * now.of
        self._left.at(completed / total)
        numbers = f"loss {now.loss:.4f}  {now.rate:,.0f} {self.counted}/s"
        if left := str(self._left):
            numbers = f"{left}  {numbers}"
        fields = {"epoch": now.epoch, "epochs": self.epochs, "numbers": numbers}
        if self._task is None:
            self._task = self._bar.add_task("", total=total, **fields)
        self._bar.update(self._task, completed=completed, total=total, **fields)

    def epoch(self, row: Row) -> None:
        """Leave a line behind."""
        value = row[f"validation_{self.metric}"]
        self._left.at(row["epoch"] / self.epochs)
        left = str(self._left)
        self.say(
            f"epoch {row['epoch']:>3}  loss {row['loss']:.4f}  validation loss "
            f"{row['validation_loss']:.4f} {words(self.metric)} {value:.4f}  "
            f"{row[PER_SECOND[self.counted]]:,.0f} {self.counted}/s"
            + (f"  tbptt {row['tbptt']}" if "tbptt" in row else "")
            + ("  interrupted" if row["interrupted"] else "")
            + ("  best" if row["best"] else "")
            + (f"  {left} at most" if left else "")
        )


class TimeLeft:
    """How long a training can still go on, by what it took so far.

    It counts from the first update of this process, which may go on with a training
    that was interrupted, and has compiled by then.
    """

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._seconds: float | None = None

    def at(self, share: float, now: float | None = None) -> None:
        """Take in that this share of all was done at this second; None: just now."""
        now = time.perf_counter() if now is None else now
        if self._first is None:
            self._first = now, share
        since, before = self._first
        if share > before:
            pace = (now - since) / (share - before)
            self._seconds = max(0.0, 1 - share) * pace

    def __str__(self) -> str:
        if not self._seconds:
            return ""
        return f"{lasting(self._seconds)} left"


def lasting(seconds: float) -> str:
    """Say in words how long something takes.

    Examples
    --------
    >>> lasting(8.2), lasting(190), lasting(4800), lasting(200_000)
    ('9 s', '4 min', '1 h 20 min', '2 d 8 h')
    """
    if seconds <= 60:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def words(metric: str) -> str:
    """Say a metric's name in words."""
    return metric.replace("_", " ")
