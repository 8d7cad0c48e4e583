"""A model as data: what `model.json` and the files of weights hold, both ways.

Reading trusts nothing: a file may have been cut off, edited, or belong to another
model.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import nn

from throughtime.data import UNKNOWN, Standardiser
from throughtime.errors import (
    BackendCannotServe,
    DamagedModel,
    DamagedWeights,
    ThroughtimeError,
    TooLargeForMemory,
    UnknownBackend,
)
from throughtime.graph.serialize import from_json, to_json
from throughtime.nn import Recurrent
from throughtime.nn.heads import Softmax
from throughtime.train.folder import MODEL, WEIGHTS, check_run, write
from throughtime.train.memory import enough_memory
from throughtime.train.model import Model
from throughtime.train.readers import Embed, Standardise
from throughtime.train.settings import DTYPES, check_device

FORMAT: Final = "throughtime model"
VERSION: Final = 1
_POOLINGS = (None, "last", "mean", "max")
_TASKS = {"standardise": "classify", "embed": "next"}


def describe(model: Model) -> dict[str, Any]:
    """Return all that `build` needs beside the weights, as JSON can hold it."""
    network = model.network
    return {
        "reader": _describe_reader(model.reader),
        "graphs": [json.loads(to_json(graph)) for graph in network.graphs],
        "bidirectional": network.bidirectional,
        "residual": network.residual,
        "output": "softmax",
        "labels": list(model.labels),
        "pooling": model.pooling,
        "dtype": str(model.head.weight.dtype).removeprefix("torch."),
    }


def build(described: dict[str, Any], backend: str, device: str) -> Model:
    """Make the model that was described; its weights are not yet those of training.

    Raises
    ------
    ThroughtimeError, ValueError
        The description is damaged.
    """
    dtype = DTYPES[_choice(described, "dtype", DTYPES)]
    _choice(described, "output", ("softmax",))
    labels = field(described, "labels", list)
    if not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError("`labels` is no list of texts")
    graphs = [from_json(json.dumps(g)) for g in field(described, "graphs", list)]
    if not graphs:
        raise ValueError("`graphs` is empty")
    # The first weights are about to be replaced: no draw of the caller's is used up.
    with torch.random.fork_rng(devices=[]):
        network = Recurrent.from_graphs(
            graphs,
            bidirectional=field(described, "bidirectional", bool),
            # What was written before layers could be residual does not say so.
            residual=described.get("residual", False),
            backend=backend,
            device=device,
            dtype=dtype,
        )
        units = graphs[-1].output_size * network.directions
        head = Softmax(
            units,
            len(labels),
            backend=_head_backend(backend),
            device=device,
            dtype=dtype,
        )
        stored = field(described, "reader", dict)
        reader = _build_reader(stored, labels, graphs[0].input_size, dtype, device)
    pooling = _choice(described, "pooling", _POOLINGS)
    if (pooling is None) != isinstance(reader, Embed):
        raise ValueError(f"`pooling` {pooling!r} does not fit the reader")
    return Model(reader, network, head, labels, pooling).eval()


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
    """Look whether task, reader and cell are named, and agree."""
    model = field(document, "model", dict)
    kind = _choice(field(model, "reader", dict), "kind", tuple(_TASKS))
    if document.get("task") != _TASKS[kind]:
        raise ValueError(f"`task` {document.get('task')!r} does not fit the reader")
    for graph in field(model, "graphs", list):
        field(graph, "cell", str)


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


def write_weights(path: Path, model: nn.Module, epoch: int) -> None:
    """Write all weights, and after which epoch, to a file, whole or not at all."""
    weights = {name: w.detach().cpu().contiguous() for name, w in _named(model)}
    write(path, save(weights, metadata={"epoch": str(epoch)}))


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


def _named(model: nn.Module) -> list[tuple[str, torch.Tensor]]:
    return list(model.state_dict().items())


def _describe_reader(reader: Standardise | Embed) -> dict[str, Any]:
    if isinstance(reader, Standardise):
        return {"kind": "standardise", **reader.standardiser.to_json()}
    return {"kind": "embed", "symbols": reader.symbols, "size": reader.size}


def _build_reader(
    stored: dict[str, Any],
    labels: list[str],
    size: int,
    dtype: torch.dtype,
    device: str,
) -> Standardise | Embed:
    """Make what gives `size` numbers to the network; checked before memory is used."""
    if _choice(stored, "kind", tuple(_TASKS)) == "standardise":
        standardiser = Standardiser.from_json(stored)
        if len(standardiser.mean) != size:
            given = len(standardiser.mean)
            raise ValueError(f"the reader gives {given} numbers to the network")
        return Standardise(standardiser)
    if field(stored, "size", int) != size:
        raise ValueError(f"the reader gives {stored['size']} numbers to the network")
    _check_vocabulary(labels)
    if field(stored, "symbols", int) != len(labels):
        raise ValueError(f"`symbols` is {stored['symbols']} for {len(labels)} labels")
    return Embed(len(labels), size, dtype=dtype, device=device)


def _check_vocabulary(labels: list[str]) -> None:
    """Refuse what no text gave: it is `UNKNOWN`, then different characters."""
    characters = labels[1:]
    single = all(len(character) == 1 for character in characters)
    alike = len(set(characters)) != len(characters)
    if labels[0] != UNKNOWN or not characters or not single or alike:
        raise ValueError("`labels` is no vocabulary")


def _head_backend(backend: str) -> str:
    """Leave the output to the others where the layers are cuDNN's: it has no other."""
    return "auto" if backend == "cudnn" else backend


def field(document: object, name: str, kind: Any) -> Any:
    """Return an entry that must be of some kind.

    Raises
    ------
    ValueError
        It is missing or of another kind, or there are no entries at all.
    """
    known = isinstance(document, dict) and name in document
    if not known or not isinstance(document[name], kind):
        raise ValueError(f"`{name}` is missing or damaged")
    return document[name]


def _choice(document: dict[str, Any], name: str, known: Any) -> Any:
    if name not in document or document[name] not in known:
        raise ValueError(f"`{name}` is {document.get(name)!r}")
    return document[name]


def one_line(error: Exception) -> str:
    """Say an error as part of a sentence."""
    return " ".join(str(error).split()).rstrip(".")
