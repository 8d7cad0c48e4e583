"""From a cell and data to a model: all that is fitted before the first step."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from throughtime.data import (
    Column,
    Dataset,
    Question,
    Schema,
    SequenceDataset,
    TextDataset,
)
from throughtime.data.types import FloatArray
from throughtime.errors import CellInputMismatch, CellNeedsInput, InputWithoutCell
from throughtime.graph import Cell
from throughtime.nn import Recurrent, initialise
from throughtime.nn.heads import Head, Pooling
from throughtime.train.asking.defaults import unused
from throughtime.train.asking.settings import Settings
from throughtime.train.model import Model
from throughtime.train.network import Network
from throughtime.train.preparing.item_readers import ReadItems
from throughtime.train.preparing.outputs import Forecast, Output, make_output
from throughtime.train.preparing.readers import Read, since
from throughtime.train.preparing.scales import Moments, Scale, chosen, measure_columns
from throughtime.train.preparing.truth import truth_of

SYMBOL = "symbol"
# What a category has no use for.
_NO_SCALE = Scale((0.0,), (1.0,))


class Prepared(NamedTuple):
    """What stands before and behind the network, as data and settings ask for it."""

    schema: Schema
    question: Question
    reader: Read | ReadItems
    inputs: Mapping[str, Read]
    output: Output


def make_model(cell: Cell, dataset: Dataset, settings: Settings) -> Model:
    """Build preprocessing, network and output; torch's generator draws the weights."""
    prepared = prepare(dataset, settings)
    network = Recurrent(
        cell,
        prepared.reader.size,
        settings.hidden_size,
        settings.num_layers,
        bidirectional=settings.bidirectional,
        heads=settings.heads,
        residual=settings.residual,
        dropout=settings.dropout,
        backend=settings.backend,
        checkpoint=settings.checkpoint,
        sparse_input=isinstance(prepared.reader, ReadItems),
        **_options(settings),
    )
    _check_inputs(network, prepared.inputs)
    if settings.tbptt is not None and not network.state_names:
        reason = f"{network.graphs[0].cell}, which has no state to carry on"
        raise unused("tbptt", settings.tbptt, reason)
    initialise(
        network,
        settings.init,
        forget_bias=settings.forget_bias,
        steps=settings.chrono_steps,
        cell=cell,
    )
    return model_around(network, prepared, settings)


def prepare(dataset: Dataset, settings: Settings) -> Prepared:
    """Measure the training part, and make what reads it and what answers."""
    options = _options(settings)
    if isinstance(dataset, TextDataset):
        schema, question = text_schema(dataset), Question("next", "step")
        reader = _read_symbols(schema, settings, options)
        output = make_output(schema, question, None)
        return Prepared(schema, question, reader, {}, output)
    found = _fit(dataset, settings, options)
    return Prepared(dataset.schema, dataset.question, *found)


def model_around(network: Network, prepared: Prepared, settings: Settings) -> Model:
    """Build the head of a network, and put all together."""
    schema, question, reader, inputs, output = prepared
    backend = "auto" if settings.backend == "cudnn" else settings.backend
    head = head_for(network, output, backend=backend, **_options(settings))
    pooling = _pooling(network, question, settings)
    return Model(schema, question, reader, inputs, network, head, output, pooling)


def _options(settings: Settings) -> dict[str, Any]:
    return {"device": settings.device, "dtype": settings.torch_dtype}


def _read_symbols(schema: Schema, settings: Settings, options: dict[str, Any]) -> Read:
    own = settings.embedding
    return Read(schema.features, _NO_SCALE, embedding=own, **options)


def head_for(network: Network, output: Output, **options: Any) -> Head:
    """Build the head of an output that reads what a network gives."""
    units = network.output_size * network.directions
    return output.head(units, zeros=network.leaves_zeros, **options)


def text_schema(dataset: TextDataset) -> Schema:
    """Return the columns of a text: one category, its symbols."""
    return Schema((Column(SYMBOL, "category", dataset.vocabulary),))


def _pooling(
    network: Network, question: Question, settings: Settings
) -> Pooling | None:
    if question.per == "step":
        return None
    # Without a state the last step knows nothing of the others.
    pooling = settings.pool or ("last" if network.state_names else "mean")
    replication = settings.target_replication
    if replication is not None and pooling != "last":
        reason = f"the {pooling} over all steps, where none is the last"
        raise unused("target_replication", replication, reason)
    return pooling


def _fit(
    dataset: SequenceDataset, settings: Settings, options: dict[str, Any]
) -> tuple[Read | ReadItems, dict[str, Read], Output]:
    """Measure the training part, and make of it what reads and what answers.

    A cell declares the size of a further input: no channel says what is missing there.
    """
    schema, question = dataset.schema, dataset.question
    measured = measure_columns(dataset)
    scale = measured.steps.scale()
    places = schema.places(schema.features)
    levels = chosen(scale, places)
    missing = dataset.missing
    inputs = {
        name: Read(columns, chosen(scale, schema.places(columns)), missing=missing)
        for name, columns in schema.inputs.items()
    }
    output, changes = make_output(schema, question, None), None
    if isinstance(output, Forecast):
        filler = Read(schema.features, levels, missing=missing)
        changes, moves = _measure_future(dataset, filler, output)
        output = make_output(schema, question, moves)
    elif question.task == "regress":
        per_sequence = question.per == "sequence"
        of_targets = measured.sequences.scale() if per_sequence else scale
        targets = chosen(of_targets, schema.places(schema.targets))
        output = make_output(schema, question, targets)
    if schema.items:
        return ReadItems(schema.items, missing), inputs, output
    reader = Read(
        schema.features,
        levels,
        gaps=[bool(measured.steps.gaps[place]) for place in places],
        missing=missing,
        embedding=settings.embedding,
        difference=question.difference if changes else 0,
        changing=output.places if isinstance(output, Forecast) and changes else (),
        changes=changes,
        **options,
    )
    return reader, inputs, output


def _measure_future(
    dataset: SequenceDataset, filler: Read, output: Forecast
) -> tuple[Scale | None, Scale]:
    """Measure the changes that are read, and what is predicted."""
    schema, question = dataset.schema, dataset.question
    if not output.difference:
        levels = chosen(filler.scale, output.places)
        return None, Scale(levels.mean * output.horizon, levels.std * output.horizon)
    places = schema.places(schema.features)
    asked = list(output.places)
    read, predicted = Moments(len(asked)), Moments(len(output.labels))
    for frame in _training(dataset):
        values = torch.from_numpy(frame[:, None, places])
        filled = filler.fill(values)
        read.add(since(filled[:, 0, asked], output.difference).numpy())
        future = truth_of(values[..., asked], question)
        predicted.add((future - output.base(filled))[:, 0].numpy())
    return read.scale(), predicted.scale()


def _training(dataset: SequenceDataset) -> Iterator[FloatArray]:
    """Give the pieces of the training part that have steps, one at a time."""
    for sequence, start, stop, _ in dataset.splits["train"].tolist():
        if stop > start:
            yield dataset.frames.read(sequence, start, stop)


def _check_inputs(network: Recurrent, inputs: Mapping[str, Read]) -> None:
    """Refuse a cell whose further inputs are not those that the data feed."""
    cell = network.graphs[0].cell
    sizes = {one.name: one.size for one in network.graphs[0].inputs if one.name != "x"}
    for name, needed in sizes.items():
        if name not in inputs:
            raise CellNeedsInput(cell=cell, name=name)
        if inputs[name].size != needed:
            given = inputs[name].size
            raise CellInputMismatch(cell=cell, name=name, given=given, needed=needed)
    for name in inputs:
        if name not in sizes:
            raise InputWithoutCell(cell=cell, name=name)
