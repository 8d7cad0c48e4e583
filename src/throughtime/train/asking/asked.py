"""What a call of `fit` asked for, said again."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from throughtime.data import Dataset, Reading
from throughtime.graph import Cell
from throughtime.train.asking.configuration import cell_words, to_toml
from throughtime.train.asking.settings import Settings


def reading_of(asked: Mapping[str, Any]) -> Reading:
    """Make of all arguments what is said of the data."""
    names = {entry.name for entry in fields(Reading)} - {"inputs", "seed"}
    said = {name: asked[name] for name in names}
    items = said["items"]
    if isinstance(items, Sequence) and all(isinstance(name, str) for name in items):
        said["items"] = items if isinstance(items, str) else ":".join(items)
    return Reading(**said, inputs=asked["inputs"] or {}, seed=asked["split_seed"])


def call_of(cell: Cell, dataset: Dataset, settings: Settings) -> str:
    """Say the call as Python does."""
    given = ", ".join(f"{name}={value!r}" for name, value in settings.to_json().items())
    return f"throughtime.fit({cell!r}, {dataset.name!r}, {given})"


def configuration_of(
    cell: Cell, named: str | None, source: Mapping[str, Any], settings: Settings
) -> bytes:
    """Say all that was asked, as TOML, so that it can be asked again."""
    reading = dict(source["reading"])
    asked: dict[str, Any] = {
        "data": source["source"],
        "split_seed": reading.pop("seed"),
        **reading,
        "cell": _found_anywhere(named) or cell_words(cell),
        **settings.to_json(),
    }
    asked["threads"] = torch.get_num_threads()  # other bits with another number
    return to_toml(asked)


def _found_anywhere(named: str | None) -> str | None:
    """Make the path of a user's file whole, so that it is found from other folders."""
    path, colon, name = (named or "").rpartition(".py:")
    return f"{Path(path + '.py').resolve()}:{name}" if colon else named
