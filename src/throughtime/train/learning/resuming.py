"""A training that goes on from its last checkpoint, as if it had never stopped."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from throughtime.errors import DataChanged, ResumesNothing, ResumesOther
from throughtime.train.asking.choices import follows_epochs
from throughtime.train.asking.settings import Settings
from throughtime.train.files.describing import describe
from throughtime.train.files.folder import CHECKPOINT
from throughtime.train.files.storage import read_document
from throughtime.train.learning.checkpoints import (
    MACHINE,
    machine,
    read_checkpoint,
)
from throughtime.train.model import Model
from throughtime.train.ranks import ALONE, Ranks

# They may differ: nothing that was learned depends on them. The number of threads is
# that of the checkpoint.
_FREE = {"save_every", "patience", "time_limit", "threads"}


def find_checkpoint(
    out: str | os.PathLike[str] | None, resume: bool, ranks: Ranks = ALONE
) -> dict[str, Any] | None:
    """Read what this rank's training shall go on from; None: it starts anew.

    Raises
    ------
    ResumesNothing, DamagedCheckpoint, ResumesOther
        No folder is given, or what lies there is damaged, or of other processes.
    """
    if not resume:
        return None
    if out is None:
        raise ResumesNothing
    path = Path(out) / CHECKPOINT
    there = ranks.from_first(path.is_file)
    return read_checkpoint(path, ranks) if there else None


def with_threads_of(
    checkpoint: Mapping[str, Any] | None, settings: Settings, folder: Any
) -> Settings:
    """Take the number of threads of a training that goes on: others give other bits.

    Raises
    ------
    ResumesOther
        Another number is asked for.
    """
    if checkpoint is None:
        return settings
    was = checkpoint["threads"]
    if settings.threads not in (None, was):
        raise ResumesOther(
            argument="threads", given=settings.threads, was=was, path=folder
        )
    return replace(settings, threads=was)


def check_same(
    folder: Path,
    model: Model,
    settings: Settings,
    source: Mapping[str, Any],
    checkpoint: Mapping[str, Any],
) -> None:
    """Refuse to go on with other data, another cell or other settings.

    Where the number of epochs is free, it is still no less than are done.

    Raises
    ------
    ResumesOther, DataChanged
        Something differs; the message names it.
    """
    stored = read_document(folder)
    if stored["data"]["checksum"] != source["checksum"]:
        raise DataChanged(path=source["name"])
    was, given = stored["settings"], _as_stored(settings.to_json())
    # There may be more epochs, unless something is spread over all of them.
    free = _FREE | (set() if follows_epochs(settings) else {"epochs"})
    for argument in given:
        if argument not in free and given[argument] != was.get(argument):
            raise ResumesOther(
                argument=argument,
                given=given[argument],
                was=was.get(argument),
                path=folder,
            )
    done = checkpoint["loop"]["epoch"]["number"] - 1
    if settings.epochs < done:
        raise ResumesOther(
            argument="epochs", given=settings.epochs, was=done, path=folder
        )
    cells = [_as_stored(describe(model))["graphs"], stored["model"]["graphs"]]
    if cells[0] != cells[1]:
        names = [graphs[0]["cell"] for graphs in cells]
        if names[0] == names[1]:
            names[1] += " with other equations"
        raise ResumesOther(argument="cell", given=names[0], was=names[1], path=folder)


def words_on_resuming(
    checkpoint: Mapping[str, Any] | None, folder: Path
) -> Iterator[str]:
    """Say from where the training goes on."""
    if checkpoint is None:
        yield f"'{folder}' has no checkpoint yet: the training starts anew"
        return
    epoch = checkpoint["loop"]["epoch"]
    number, updates = epoch["number"], epoch["updates"]
    if updates:
        yield f"goes on in epoch {number} after {updates} updates of it"
    else:
        yield f"goes on after epoch {number - 1}"
    if checkpoint[MACHINE] != machine():
        yield (
            f"it began with {checkpoint[MACHINE]}, here is {machine()}: from here on "
            "bits may differ from a training in one go"
        )


def _as_stored(value: Any) -> Any:
    return json.loads(json.dumps(value))
