"""What the files of a run say beside its model: data, settings, epochs."""

import json
import math
from collections.abc import Iterable, Mapping
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
    write(path / MODEL, document_bytes(document))
    return document


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """Say what JSON can hold, as a file holds it."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "surrogatepass")


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


def as_json(value: Any) -> Any:
    """Say a value as JSON can hold it: a number that is not finite is null."""
    if isinstance(value, Mapping):
        return {name: as_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def metrics_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Say a line per epoch, as `metrics.jsonl` holds them."""
    lines = [json.dumps(as_json(row), allow_nan=False) for row in rows]
    return "".join(f"{line}\n" for line in lines).encode()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read a line per epoch, null as NaN; none if not one epoch was finished."""
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
    return [{name: _number(value) for name, value in row.items()} for row in rows]


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return [_number(one) for one in value]
    return math.nan if value is None else value
