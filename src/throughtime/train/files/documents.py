"""What the files of a run say beside its model: data, settings, epochs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from throughtime.errors import DamagedModel
from throughtime.train.asking.settings import Settings
from throughtime.train.asking.sources import read_again
from throughtime.train.files.describing import describe, field
from throughtime.train.files.folder import MODEL, write
from throughtime.train.files.storage import FORMAT, VERSION, one_line
from throughtime.train.model import Model
from throughtime.train.tasks import Task


def write_document(
    path: Path,
    model: Model,
    task: Task,
    settings: Settings,
    data: Mapping[str, Any],
    training: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the `model.json` of a run, and give back what it says."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "task": task.name,
        "data": dict(data),
        "model": describe(model),
        "settings": settings.to_json(),
        "training": dict(training),
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    write(path / MODEL, text.encode("utf-8", "surrogatepass"))
    return document


def read_settings(document: dict[str, Any]) -> Settings:
    """Read the settings, and look whether all that `Run` reads is there."""
    data, training = field(document, "data", dict), field(document, "training", dict)
    for part, name, kind in [
        (document, "task", str),
        (data, "kind", str),
        (data, "name", str),
        (data, "source", str | None),
        (data, "checksum", str),
        (training, "stopped", str | None),
    ]:
        field(part, name, kind)
    reading = field(data, "reading", dict)
    field(reading, "inputs", dict)
    read_again(reading)
    settings = Settings.from_json(field(document, "settings", dict))
    if data["kind"] not in {"text", "sequences"}:
        raise ValueError(f"`kind` is {data['kind']!r}")
    stretched = settings.steps is not None or settings.tbptt is not None
    if data["kind"] == "text" and not (document["task"] == "next" and stretched):
        raise ValueError("`task` and `steps` are not those of a text")
    return settings


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read a line per epoch; none if not one epoch was finished."""
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        for row in rows:
            field(row, "epoch", int)
            field(row, "best", bool)
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedModel(path=path, reason=one_line(error)) from None
    return rows
