"""From a name or a path to a data set."""

import gzip
import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from os import PathLike, fspath, sep
from pathlib import Path

import numpy as np

from throughtime.data.card import Card
from throughtime.data.datasets import Dataset, SequenceDataset, classified
from throughtime.data.frames import FramesInMemory
from throughtime.data.question import Question
from throughtime.data.schema import Schema
from throughtime.data.text import read_text, text_dataset
from throughtime.data.types import Split
from throughtime.errors import NotADataSource, UnknownDataSet
from throughtime.errors.base import did_you_mean

_BUNDLED = files("throughtime.data") / "bundled"
_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def load(data: str | PathLike[str], *, split: str | None = None) -> Dataset:
    """Load a bundled data set by its name, or a text file by its path.

    Parameters
    ----------
    data
        The name of a bundled data set (`cards()` lists them), or the path of any
        UTF-8 text file. A bundled name comes before a file of the same name:
        write `./shakespeare` for the file.
    split
        Of a text file, how it is split, as `text_dataset` says.

    Returns
    -------
    SequenceDataset or TextDataset
        The data with their split and card.

    Raises
    ------
    DataError
        The data cannot be used; the message says why and what to do.
    """
    if isinstance(data, str):
        if data in _names():
            return _load_bundled(data)
        looks_like_a_path = sep in data or "/" in data or bool(Path(data).suffix)
        if not data or not (looks_like_a_path or _exists(data)):
            raise _unknown(data)
    elif not isinstance(data, PathLike) or not isinstance(fspath(data), str):
        raise NotADataSource(kind=type(data).__name__)
    return text_dataset(read_text(data), name=fspath(data), split=split)


def cards() -> tuple[Card, ...]:
    """Return the cards of the bundled data sets, by name."""
    return tuple(_card(name) for name in _names())


def is_bundled(data: object) -> bool:
    """Whether data are given by the name of a bundled data set."""
    return isinstance(data, str) and data in _names()


def bundled_text(name: str) -> str | None:
    """Return the characters of a bundled data set; None if it has columns."""
    packed = _BUNDLED / _known(name) / "text.txt.gz"
    if not packed.is_file():
        return None
    return gzip.decompress(packed.read_bytes()).decode("utf-8")


def describe(name: str) -> str:
    """Return the card of a bundled data set as text to read."""
    return str(_card(_known(name)))


def licence(name: str) -> str:
    """Return the licence of a bundled data set, word for word."""
    return (_BUNDLED / _known(name) / "LICENSE").read_text(encoding="utf-8")


def _names() -> list[str]:
    return sorted(folder.name for folder in _BUNDLED.iterdir() if folder.is_dir())


def _known(name: str) -> str:
    if name not in _names():
        raise _unknown(name)
    return name


def _unknown(name: str) -> UnknownDataSet:
    hint = did_you_mean(name, _names())
    return UnknownDataSet(name=name, hint=hint, bundled=", ".join(_names()))


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # a name longer than the system allows
        return False


def _card(name: str) -> Card:
    return Card.from_json((_BUNDLED / name / "card.json").read_text(encoding="utf-8"))


def _load_bundled(name: str) -> Dataset:
    folder, text = _BUNDLED / name, bundled_text(name)
    if text is not None:
        return text_dataset(text, name, _card(name))
    if (folder / "schema.json").is_file():
        return _load_sequences(name, folder)
    return _load_classified(name, folder)


def _load_sequences(name: str, folder: Traversable) -> SequenceDataset:
    described = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    schema = Schema.from_json(described["schema"])
    with (folder / "sequences.npz").open("rb") as file, np.load(file) as stored:
        if "bits" in stored:  # of matrices that hold booleans alone
            width = len(schema.columns)
            bits = np.unpackbits(stored["bits"], axis=1, count=width)
            frames = bits.astype(np.float32)
        else:
            frames = stored["frames"]
        edges = np.cumsum(stored["lengths"], dtype=np.int64)[:-1]
        keys = [str(key) for key in stored["keys"]]
        splits = {part: stored[part] for part in _SPLITS}
    return SequenceDataset(
        name=name,
        schema=schema,
        question=Question(**described["question"]),
        frames=FramesInMemory(np.split(frames, edges)),
        keys=keys,
        splits=splits,
        card=_card(name),
        missing=described["missing"],
    )


def _load_classified(name: str, folder: Traversable) -> SequenceDataset:
    with (folder / "sequences.npz").open("rb") as file, np.load(file) as stored:
        frames, lengths = stored["frames"], stored["lengths"].astype(np.int64)
        split, targets = stored["split"], stored["targets"].astype(np.int64)
        classes = tuple(str(label) for label in stored["classes"])
    return classified(
        name=name,
        sequences=np.split(frames, np.cumsum(lengths)[:-1]),
        targets=targets,
        classes=classes,
        splits={part: np.flatnonzero(split == k) for k, part in enumerate(_SPLITS)},
        card=_card(name),
    )
