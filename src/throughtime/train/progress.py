"""What a person sees of a training, on standard error."""

from typing import Any, Literal, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

Row = dict[str, Any]
"""What `metrics.jsonl` says of one epoch."""

Counted = Literal["sequences", "steps", "characters"]
# A character is a step of a text.
PER_SECOND: dict[Counted, str] = {
    "sequences": "sequences_per_second",
    "steps": "steps_per_second",
    "characters": "steps_per_second",
}


class Reporter(Protocol):
    """Told of all that happens in a training."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *details: object) -> None: ...

    def say(self, text: str) -> None:
        """Show a line."""

    def batch(self, epoch: int, done: int, of: int, loss: float, rate: float) -> None:
        """After an update: how many of the epoch, its loss, how many per second."""

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

    def batch(self, epoch: int, done: int, of: int, loss: float, rate: float) -> None:
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
        self._last = ""
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]:>3}/{task.fields[epochs]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(compact=True),
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

    def batch(self, epoch: int, done: int, of: int, loss: float, rate: float) -> None:
        """Move the bar."""
        numbers = f"loss {loss:.4f}{self._last}  {rate:,.0f} {self.counted}/s"
        fields = {"epoch": epoch, "epochs": self.epochs, "numbers": numbers}
        completed, total = (epoch - 1) * of + done, self.epochs * of
        if self._task is None:
            self._task = self._bar.add_task("", total=total, **fields)
        self._bar.update(self._task, completed=completed, total=total, **fields)

    def epoch(self, row: Row) -> None:
        """Leave a line behind."""
        value = row[f"validation_{self.metric}"]
        self._last = f"  {words(self.metric)} {value:.4f}"
        self.say(
            f"epoch {row['epoch']:>3}  loss {row['loss']:.4f}  validation loss "
            f"{row['validation_loss']:.4f} {words(self.metric)} {value:.4f}  "
            f"{row[PER_SECOND[self.counted]]:,.0f} {self.counted}/s"
            + ("  best" if row["best"] else "")
        )


def words(metric: str) -> str:
    """Say a metric's name in words."""
    return metric.replace("_", " ")
