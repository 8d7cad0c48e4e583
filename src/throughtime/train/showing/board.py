"""What TensorBoard shows of a training."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from throughtime.errors import ExtraMissing
from throughtime.train.files.folder import TENSORBOARD, cannot_write
from throughtime.train.showing.progress import Moment, Reporter, Row

_EPOCH = ("sequences_per_second", "steps_per_second", "clip_rate")


def check_tensorboard() -> None:
    """Refuse to write what nothing here can write.

    Raises
    ------
    ExtraMissing
        The package is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise ExtraMissing(
            argument="tensorboard",
            given=True,
            package="tensorboard",
            extra="tensorboard",
        ) from None


class Board:
    """Writes all that happens, and tells another reporter.

    Everything stands at the number of updates so far. Of a training that goes on,
    what was written after its checkpoint is left out by TensorBoard.

    Parameters
    ----------
    other
        Told of all that happens, too.
    folder
        The run.
    metric
        The metric beside the loss.
    earlier
        The checkpoint that the training goes on from; None: it begins.
    """

    def __init__(
        self,
        other: Reporter,
        folder: Path,
        metric: str,
        earlier: Mapping[str, Any] | None,
    ) -> None:
        self.other, self.metric = other, metric
        self.folder = folder / TENSORBOARD
        self._update: int = (
            0 if earlier is None else earlier["loop"]["updates"]["count"]
        )

    def __enter__(self) -> Self:
        from torch.utils.tensorboard import SummaryWriter

        try:
            self._writer = SummaryWriter(self.folder, purge_step=self._update + 1)
        except OSError as error:
            raise cannot_write(self.folder, error) from None
        self.other.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self.other.__exit__(*details)
        try:
            self._writer.close()
        except OSError as error:
            raise cannot_write(self.folder, error) from None

    def say(self, text: str) -> None:
        """Tell the other."""
        self.other.say(text)

    def batch(self, now: Moment) -> None:
        """Write loss, gradient and step width of an update."""
        self._update = now.update
        if not math.isnan(now.norm):
            self._write(
                {
                    "update/loss": now.loss,
                    "update/gradient_norm": now.norm,
                    "update/step_width": now.step_width,
                }
            )
        self.other.batch(now)

    def epoch(self, row: Row) -> None:
        """Write what `metrics.jsonl` says of an epoch."""
        numbers = {f"epoch/{name}": row[name] for name in ("epoch", *_EPOCH)}
        for name in ("loss", self.metric):
            numbers[f"{name}/training"] = row[name]
            numbers[f"{name}/validation"] = row[f"validation_{name}"]
        for layer, fraction in enumerate(row["zero_fraction"]):
            numbers[f"zero_fraction/layer_{layer}"] = fraction
        self._write(numbers)
        self.other.epoch(row)

    def _write(self, numbers: Mapping[str, float]) -> None:
        try:
            for name, value in numbers.items():
                self._writer.add_scalar(name, value, self._update)
        except OSError as error:
            raise cannot_write(self.folder, error) from None
