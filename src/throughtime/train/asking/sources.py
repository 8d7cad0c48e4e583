"""Where data come from, so that a run finds them again."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, get_args

from throughtime.data import (
    Dataset,
    Missing,
    Reading,
    TextDataset,
)
from throughtime.data import read as read_data
from throughtime.data.loading import is_bundled
from throughtime.errors import UnusedSetting
from throughtime.train.asking.settings import check_choice, check_count

_READING = {entry.name for entry in fields(Reading)}
_PATHS = (str, os.PathLike)
# Rows that are looked at together: few enough for little memory.
_ROWS = 65536


def read(data: Any, reading: Reading) -> Dataset:
    """Read data as they are to be read; how gaps are filled goes with them.

    Raises
    ------
    UnknownChoice, NumberOutOfRange
        `missing` or the seed of the split is none.
    UnusedSetting
        Gaps of a text are to be filled.
    DataError
        The data cannot be used.
    """
    missing = reading.missing
    check_choice("missing", missing, get_args(Missing))
    check_count("split_seed", reading.seed, at_least=0)
    dataset = read_data(data, reading)
    if missing == "error":
        return dataset
    if isinstance(dataset, TextDataset):
        reason = f"'{dataset.name}', a text"
        raise UnusedSetting(argument="missing", given=missing, reason=reason)
    return replace(dataset, missing=missing)


def describe_source(data: Any, dataset: Dataset, reading: Reading) -> dict[str, Any]:
    """Say how data are found and read again, as JSON can hold it.

    Parameters
    ----------
    data
        What was given.
    dataset
        What was read of it.
    reading
        How.
    """
    return {
        "kind": "text" if isinstance(dataset, TextDataset) else "sequences",
        "name": dataset.name,
        "source": _source(data, dataset),
        "reading": _describe_reading(reading),
        "checksum": checksum(dataset),
    }


def read_again(stored: Mapping[str, Any]) -> Reading:
    """Read what `describe_source` said of the reading.

    Raises
    ------
    ValueError
        It is damaged.
    """
    # Runs of before there were items say nothing of them.
    said: dict[str, Any] = {"items": None, **stored}
    if said.keys() != _READING:
        raise ValueError("`reading` is missing or damaged")
    said["inputs"] = dict(stored["inputs"])
    return Reading(**said)


def checksum(dataset: Dataset) -> str:
    """Return a fingerprint of what is to be learned, split included.

    Under another split the test part was seen.
    """
    digest = hashlib.sha256()
    if isinstance(dataset, TextDataset):
        digest.update("\0".join(dataset.vocabulary).encode("utf-8", "surrogatepass"))
        digest.update(dataset.symbols.tobytes())
        digest.update(repr(sorted(dataset.splits.items())).encode("utf-8"))
        return digest.hexdigest()
    asked = [dataset.schema.to_json(), asdict(dataset.question)]
    digest.update(json.dumps(asked).encode("utf-8", "surrogatepass"))
    if dataset.weights is not None:
        digest.update(dataset.weights.tobytes())
    for part, pieces in sorted(dataset.splits.items()):
        digest.update(f"{part} {len(pieces)}".encode())
        digest.update(pieces.tobytes())
    for sequence, length in enumerate(dataset.frames.lengths.tolist()):
        for start in range(0, length, _ROWS):
            stop = min(start + _ROWS, length)
            digest.update(dataset.frames.read(sequence, start, stop).tobytes())
            if dataset.items is not None:
                digest.update(dataset.items.bounds(sequence, start, stop).tobytes())
                digest.update(dataset.items.raw(sequence, start, stop).tobytes())
    return digest.hexdigest()


def _source(data: Any, dataset: Dataset) -> str | None:
    """Give a name, or a whole path; None: the data were given in memory."""
    if is_bundled(dataset.name):
        return dataset.name
    if isinstance(data, _PATHS):
        return str(Path(data).resolve())
    # The name of a text is its path, if it was read from a file.
    if isinstance(dataset, TextDataset) and Path(dataset.name).exists():
        return str(Path(dataset.name).resolve())
    return None


def _describe_reading(reading: Reading) -> dict[str, Any]:
    target = reading.target
    named = isinstance(target, str) or (
        isinstance(target, Sequence) and all(isinstance(name, str) for name in target)
    )
    # Targets that are no names were given in memory, as the data were.
    return asdict(replace(reading, target=target if named else None))
