"""Who is told of all that happens in a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from throughtime.train.asking.settings import Settings
from throughtime.train.ranks import Ranks
from throughtime.train.showing.board import Board
from throughtime.train.showing.progress import Live, Reporter, Silent
from throughtime.train.tasks import Task


def reporter_of(
    asked: Mapping[str, Any],
    ranks: Ranks,
    settings: Settings,
    task: Task,
    folder: Path,
    earlier: Mapping[str, Any] | None,
) -> Reporter:
    """Give what tells the person; only the first rank speaks."""
    if not ranks.first:
        return Silent()
    reporter: Reporter = Silent()
    if not asked["quiet"]:
        reporter = Live(settings.epochs, task.metric, task.counted)
    if asked["tensorboard"]:
        reporter = Board(reporter, folder, task.metric, earlier)
    if asked["reporter"] is not None:
        reporter = asked["reporter"](reporter, folder)
    return reporter
