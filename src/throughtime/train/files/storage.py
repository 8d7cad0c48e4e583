"""The files of a model, both ways: what `model.json` and those of weights hold.

Reading trusts nothing: a file may have been cut off, edited, or belong to another
model.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

from throughtime.data import UNKNOWN
from throughtime.errors import (
    BackendCannotServe,
    DamagedModel,
    DamagedWeights,
    ThroughtimeError,
    TooLargeForMemory,
    UnknownBackend,
)
from throughtime.train.asking.settings import check_device
from throughtime.train.files.describing import build, field
from throughtime.train.files.folder import MODEL, WEIGHTS, check_run, write
from throughtime.train.memory import enough_memory
from throughtime.train.model import Model

FORMAT: Final = "throughtime model"
VERSION: Final = 3


def read_document(path: Path) -> dict[str, Any]:
    """Read the `model.json` of a run.

    Raises
    ------
    NotARun, DamagedModel
        It is missing or damaged.
    """
    file = check_run(path) / MODEL
    try:
        document = json.loads(file.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedModel(path=file, reason=one_line(error)) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DamagedModel(path=file, reason=f"its format is not '{FORMAT}'")
    if document.get("version") != VERSION:
        version = document.get("version")
        reason = f"its version is {version!r}, this package reads {VERSION}"
        raise DamagedModel(path=file, reason=reason)
    try:
        _check_parts(document)
    except ValueError as error:
        raise DamagedModel(path=file, reason=one_line(error)) from None
    return document


def _check_parts(document: dict[str, Any]) -> None:
    """Look whether task and cell are named, and agree with the question."""
    model = field(document, "model", dict)
    if document.get("task") != field(field(model, "question", dict), "task", str):
        raise ValueError(f"`task` {document.get('task')!r} does not fit the question")
    graphs = field(model, "graphs", list)
    if not graphs:
        raise ValueError("`graphs` is empty")
    for graph in graphs:
        field(graph, "cell", str)
    if field(field(document, "data", dict), "kind", str) == "text":
        features = field(field(model, "schema", dict), "features", list)
        _check_vocabulary(field(features[0] if features else {}, "categories", list))


def _check_vocabulary(labels: list[Any]) -> None:
    """Refuse what no text gave: it is `UNKNOWN`, then different characters."""
    characters = labels[1:]
    texts = all(isinstance(label, str) for label in labels)
    single = texts and all(len(character) == 1 for character in characters)
    if not single or not characters or labels[0] != UNKNOWN:
        raise ValueError("`categories` is no vocabulary")


def load_model(
    path: Path, *, weights: str = WEIGHTS, backend: str = "auto", device: str = "cpu"
) -> Model:
    """Make the model of a run with its weights.

    Raises
    ------
    NotARun, DamagedModel, DamagedWeights
        The folder is no run, or a file of it is damaged.
    """
    check_device(device)
    document = read_document(path)
    try:
        with enough_memory(f"the model of '{path}'", "use a larger machine"):
            model = build(field(document, "model", dict), backend, device)
    except (UnknownBackend, BackendCannotServe, TooLargeForMemory):
        raise  # no fault of the file
    except (ThroughtimeError, ValueError, TypeError, OverflowError) as error:
        raise DamagedModel(path=path / MODEL, reason=one_line(error)) from None
    read_weights(path / weights, model)
    return model


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Copy all weights, which change no more then."""
    copied = torch.contiguous_format
    return {
        name: weight.detach().cpu().clone(memory_format=copied)
        for name, weight in _named(model)
    }


def write_weights(path: Path, weights: Mapping[str, Tensor], epoch: int) -> None:
    """Write weights, and after which epoch, to a file, whole or not at all."""
    write(path, save(dict(weights), metadata={"epoch": str(epoch)}))


def read_epoch(path: Path) -> int:
    """Read after which epoch the weights of a file were kept; 0: before the first.

    Raises
    ------
    DamagedWeights
        The file cannot be read, or does not say.
    """
    try:
        with safe_open(path, "pt") as file:
            told = (file.metadata() or {}).get("epoch", "")
    except (OSError, SafetensorError) as error:
        raise DamagedWeights(path=path, reason=one_line(error)) from None
    if not re.fullmatch("[0-9]{1,9}", told):
        raise DamagedWeights(path=path, reason="it does not say which epoch it is of")
    return int(told)


def read_weights(path: Path, model: nn.Module) -> None:
    """Give a model the weights of a file.

    Raises
    ------
    DamagedWeights
        They cannot be read, or are not those of this model.
    """
    try:
        stored = load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise DamagedWeights(path=path, reason=one_line(error)) from None
    expected = {name: (w.shape, w.dtype) for name, w in _named(model)}
    found = {name: (weight.shape, weight.dtype) for name, weight in stored.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise DamagedWeights(path=path, reason=f"'{name}' is missing or differs")
    model.load_state_dict(stored)


def _named(model: nn.Module) -> list[tuple[str, Tensor]]:
    return list(model.state_dict().items())


def one_line(error: Exception) -> str:
    """Say an error as part of a sentence."""
    return " ".join(str(error).split()).rstrip(".")
