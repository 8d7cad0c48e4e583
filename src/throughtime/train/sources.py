"""Where data come from, so that a run finds them again."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from throughtime.data import (
    Dataset,
    Reading,
    SequenceDataset,
    TextDataset,
    cards,
)
from throughtime.data import load as load_data
from throughtime.data.read import read as read_data
from throughtime.errors import UnusedSetting

_READING = {entry.name for entry in fields(Reading)}
# Rows that are looked at together: few enough for little memory.
_ROWS = 65536


def read(data: Any, reading: Reading) -> Dataset:
    """Read data as they are to be read.

    Raises
    ------
    UnusedSetting
        A data set is given, and something is said of what is read already.
    DataError
        The data cannot be used.
    """
    if isinstance(data, SequenceDataset | TextDataset):
        for entry in fields(Reading):
            said = getattr(reading, entry.name)
            # How gaps are filled is the model's to know.
            if entry.name != "missing" and said != getattr(Reading(), entry.name):
                reason = "a data set that is read already"
                raise UnusedSetting(argument=entry.name, given=said, reason=reason)
        return data
    if isinstance(data, str | os.PathLike):
        return load_data(data)
    return read_data(data, reading)


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
    text = isinstance(dataset, TextDataset)
    return {
        "kind": "text" if text else "sequences",
        "name": dataset.name,
        "source": _source(data, dataset),
        "reading": _describe_reading(reading),
        "checksum": checksum(dataset),
    }


def bundled(name: str) -> bool:
    """Whether a data set of this name comes with the package."""
    return name in {card.name for card in cards()}


def read_again(stored: Mapping[str, Any]) -> Reading:
    """Read what `describe_source` said of the reading.

    Raises
    ------
    ValueError
        It is damaged.
    """
    if stored.keys() != _READING:
        raise ValueError("`reading` is missing or damaged")
    return Reading(**{**stored, "inputs": dict(stored["inputs"])})


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
    for part, pieces in sorted(dataset.splits.items()):
        digest.update(f"{part} {len(pieces)}".encode())
        digest.update(pieces.tobytes())
    for sequence, length in enumerate(dataset.frames.lengths.tolist()):
        for start in range(0, length, _ROWS):
            stop = min(start + _ROWS, length)
            digest.update(dataset.frames.read(sequence, start, stop).tobytes())
    return digest.hexdigest()


def _source(data: Any, dataset: Dataset) -> str | None:
    """Give a name, or a whole path; None: the data were given in memory."""
    if bundled(dataset.name):
        return dataset.name
    if isinstance(data, str | os.PathLike) or isinstance(dataset, TextDataset):
        given = data if isinstance(data, str | os.PathLike) else dataset.name
        return str(Path(given).resolve())
    return None


def _describe_reading(reading: Reading) -> dict[str, Any]:
    described = asdict(reading)
    target = described["target"]
    if not isinstance(target, str | list | tuple | None):
        described["target"] = None  # given in memory, as the data are
    return described
