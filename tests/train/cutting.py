"""A training that is cut off, as by a lost machine, but in the same process."""

from collections.abc import Mapping
from typing import Any

from throughtime.train.files.folder import CHECKPOINT
from throughtime.train.learning import Loop
from throughtime.train.learning.checkpoints import read_checkpoint, restore
from throughtime.train.showing.progress import Moment, Silent


class CutOff(Exception):
    """The end of the process, as far as the training can tell."""


class Cutting(Silent):
    """Shows nothing, and cuts a training off behind so many batches; None: never."""

    def __init__(self, after: int | None = None) -> None:
        self.left = after

    def batch(self, now: Moment) -> None:
        """Count a batch."""
        if self.left is not None:
            if not self.left:
                raise CutOff
            self.left -= 1


def run_on(loop: Loop, after: int | None) -> Mapping[str, Any]:
    """Run a loop, from the last checkpoint in its folder if there is one.

    It may be cut off where `after` says behind how many batches. Give its last
    checkpoint.
    """
    path = loop.folder / CHECKPOINT
    if path.is_file():
        take_up(loop)
    try:
        loop.run()
    except CutOff:
        assert after is not None
    return read_checkpoint(path)["loop"]


def take_up(loop: Loop) -> None:
    """Let a new loop go on from the last checkpoint in its folder."""
    path = loop.folder / CHECKPOINT
    restore(path, read_checkpoint(path), loop)
