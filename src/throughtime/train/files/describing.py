"""A model as what JSON can hold, both ways.

What is read trusts nothing: a file may have been edited, or belong to another model.
"""

import json
from dataclasses import asdict
from typing import Any

import torch

from throughtime.data import Column, Question, Schema
from throughtime.graph.serialize import from_json, to_json
from throughtime.nn import Recurrent
from throughtime.train.asking.ranges import DTYPES
from throughtime.train.model import Model
from throughtime.train.preparing.building import head_for
from throughtime.train.preparing.item_readers import ReadItems
from throughtime.train.preparing.outputs import Forecast, Numbers, Output, make_output
from throughtime.train.preparing.readers import Read, of_kind
from throughtime.train.preparing.scales import Scale

_POOLINGS = (None, "last", "mean", "max")
_MISSING = ("error", "forward", "mean", "zero")
_TASKS = ("classify", "multilabel", "regress", "next", "forecast")
_KINDS = ("number", "boolean", "category")
_TABLE_OR_NONE = (dict, type(None))
# No answer is of so many numbers; a damaged file may say so.
_FARTHEST = 10**6


def describe(model: Model) -> dict[str, Any]:
    """Return all that `build` needs beside the weights, as JSON can hold it."""
    network, output = model.recurrent, model.output
    return {
        "schema": model.schema.to_json(),
        "question": asdict(model.question),
        "reader": _describe_reader(model.reader),
        "inputs": {name: _describe_reader(one) for name, one in model.inputs.items()},
        "output": output.scale.to_json() if isinstance(output, Numbers) else None,
        "graphs": [json.loads(to_json(graph)) for graph in network.graphs],
        "bidirectional": network.bidirectional,
        "residual": network.residual,
        "dropout": network.dropout,
        "sparse_input": network.sparse_input,
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
    schema = _read_schema(field(described, "schema", dict))
    question = _read_question(field(described, "question", dict))
    output = _build_output(described, schema, question)
    pooling = _choice(described, "pooling", _POOLINGS)
    if (pooling is None) != (question.per == "step"):
        raise ValueError(f"`pooling` {pooling!r} does not fit the question")
    options: Any = {"device": device, "dtype": dtype}
    # The first weights are about to be replaced: no draw of the caller's is used up.
    with torch.random.fork_rng(devices=[]):
        network = _build_network(described, backend, options)
        size = network.graphs[0].input_size
        stored = field(described, "reader", dict)
        reader: Read | ReadItems
        if network.sparse_input:
            reader = _build_item_reader(stored, schema.items, size)
        else:
            reader = _build_reader(stored, schema.features, size, options)
        head = head_for(network, output, backend=_head_backend(backend), **options)
    inputs = _build_inputs(described, schema, network)
    model = Model(schema, question, reader, inputs, network, head, output, pooling)
    return model.eval()


def _describe_reader(reader: Read | ReadItems) -> dict[str, Any]:
    if isinstance(reader, ReadItems):
        return {"missing": reader.missing}
    return {
        "scale": reader.scale.to_json(),
        "gaps": list(reader.gaps),
        "missing": reader.missing,
        "embedding": reader.embedding,
        "difference": reader.difference,
        "changing": list(reader.changing),
        "changes": reader.changes and reader.changes.to_json(),
    }


def _build_reader(
    stored: dict[str, Any], columns: tuple[Column, ...], size: int, options: Any
) -> Read:
    """Make what gives `size` numbers to the network; checked before memory is used."""
    embedding = _count(stored, "embedding", 1, size, optional=True)
    gaps = field(stored, "gaps", list)
    if len(gaps) != len(columns) or not all(isinstance(gap, bool) for gap in gaps):
        raise ValueError(f"`gaps` is no list of {len(columns)} flags")
    changing = field(stored, "changing", list)
    if any(place not in of_kind(columns, "number") for place in changing) or (
        len(set(changing)) != len(changing)
    ):
        raise ValueError(f"`changing` is {changing!r}")
    difference = _count(stored, "difference", 0, _FARTHEST)
    changes = field(stored, "changes", _TABLE_OR_NONE)
    if (changes is None) != (difference == 0):
        raise ValueError("`changes` does not fit `difference`")
    widths = [embedding or len(c.categories) for c in columns if c.kind == "category"]
    given = len(columns) - len(widths) + sum(widths) + sum(gaps)
    if given != size:
        raise ValueError(f"the reader gives {given} numbers, not {size}, to the cell")
    return Read(
        columns,
        Scale.from_json(stored.get("scale"), len(columns)),
        gaps=gaps,
        missing=_choice(stored, "missing", _MISSING),
        embedding=embedding,
        difference=difference,
        changing=changing,
        changes=None if changes is None else Scale.from_json(changes, len(changing)),
        **options,
    )


def _build_item_reader(
    stored: dict[str, Any], columns: tuple[Column, ...], size: int
) -> ReadItems:
    if not columns or len(columns[0].categories) != size:
        raise ValueError("`items` of the schema are not those of the cell")
    return ReadItems(columns, _choice(stored, "missing", ("error", "zero")))


def _build_inputs(
    described: dict[str, Any], schema: Schema, network: Recurrent
) -> dict[str, Read]:
    stored = field(described, "inputs", dict)
    sizes = {one.name: one.size for one in network.graphs[0].inputs if one.name != "x"}
    if not stored.keys() == sizes.keys() == schema.inputs.keys():
        raise ValueError("`inputs` are not those of the cell and the schema")
    return {
        name: _build_reader(field(stored, name, dict), schema.inputs[name], size, {})
        for name, size in sizes.items()
    }


def _build_output(
    described: dict[str, Any], schema: Schema, question: Question
) -> Output:
    output = make_output(schema, question, None)
    stored = field(described, "output", _TABLE_OR_NONE)
    if not isinstance(output, Numbers):
        if stored is not None:
            raise ValueError("`output` does not fit the question")
        return output
    size = len(output.columns)
    if isinstance(output, Forecast):
        size *= question.horizon
    if size < 1:
        raise ValueError("nothing is asked for")
    return make_output(schema, question, Scale.from_json(stored, size))


def _build_network(described: dict[str, Any], backend: str, options: Any) -> Recurrent:
    graphs = [from_json(json.dumps(g)) for g in field(described, "graphs", list)]
    if not graphs:
        raise ValueError("`graphs` is empty")
    return Recurrent.from_graphs(
        graphs,
        bidirectional=field(described, "bidirectional", bool),
        residual=field(described, "residual", bool),
        dropout=field(described, "dropout", float),
        # Models of before there were sparse inputs do not say it.
        sparse_input=field({"sparse_input": False, **described}, "sparse_input", bool),
        backend=backend,
        **options,
    )


def _read_schema(stored: dict[str, Any]) -> Schema:
    items = field({"items": [], **stored}, "items", list)
    groups = [field(stored, "features", list), field(stored, "targets", list), items]
    inputs = field(stored, "inputs", dict)
    for group in [*groups, *(field(inputs, name, list) for name in inputs)]:
        for column in group:
            _check_column(column)
    for name in ("sequence", "time"):
        field(stored, name, str | None)
    if bool(groups[0]) == bool(items):
        raise ValueError("`features` is empty")
    return Schema.from_json(stored)


def _check_column(column: object) -> None:
    field(column, "name", str)
    kind = _choice(column, "kind", _KINDS)
    categories = field(column, "categories", list)
    texts = all(isinstance(category, str) for category in categories)
    if not texts or len(set(categories)) != len(categories):
        raise ValueError("`categories` is no list of different texts")
    if (kind == "category") != bool(categories):
        raise ValueError(f"`categories` does not fit the kind {kind!r}")


def _read_question(stored: dict[str, Any]) -> Question:
    return Question(
        _choice(stored, "task", _TASKS),
        _choice(stored, "per", ("step", "sequence")),
        _count(stored, "horizon", 1, _FARTHEST) or 1,
        _count(stored, "difference", 0, _FARTHEST) or 0,
    )


def _count(
    stored: dict[str, Any], name: str, low: int, high: int, optional: bool = False
) -> Any:
    value = field(stored, name, int | None if optional else int)
    wrong = isinstance(value, bool) or (value is not None and not low <= value <= high)
    if wrong:
        raise ValueError(f"`{name}` is {value!r}")
    return value


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


def _choice(document: Any, name: str, known: Any) -> Any:
    # Compared one by one: what is stored may be of any type, hashable or not.
    value = field(document, name, str | None)
    if value not in tuple(known):
        raise ValueError(f"`{name}` is {value!r}")
    return value
