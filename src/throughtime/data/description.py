"""What was read, in a short table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from throughtime.data.datasets import Dataset, SequenceDataset, TextDataset
from throughtime.data.hints import Classes, Identifiers
from throughtime.data.part import Part
from throughtime.data.pieces import FIRST, SEQUENCE, START, counted, whole
from throughtime.data.question import ABOUT_THE_FUTURE, Question
from throughtime.data.schema import Column
from throughtime.data.types import IntegerArray

# Names that a row of the table lists, and steps that are looked at together.
_MOST = 6
_STEPS = 65_536


@dataclass(frozen=True)
class Description:
    """What a data set holds and what is asked of it.

    Parameters
    ----------
    name
        What it is called.
    rows
        Pairs of a heading and a text.
    """

    name: str
    rows: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        width = max(len(heading) for heading, _ in self.rows)
        lines = [f"{heading:<{width}}  {text}" for heading, text in self.rows]
        return "\n".join([self.name, *lines])


def describe_data(dataset: Dataset) -> Description:
    """Say what was read: sequences, columns, missing values, question and parts.

    Parameters
    ----------
    dataset
        It is passed through once, a part of it in memory at a time.
    """
    if isinstance(dataset, TextDataset):
        return _describe_text(dataset)
    schema, lengths = dataset.schema, dataset.frames.lengths
    found = _look_through(dataset)
    rows = [
        ("sequences", f"{len(lengths):,} {_extent(lengths)}{_hint(found.identifier)}"),
        ("steps", f"{int(lengths.sum()):,}"),
        *_items(dataset),
        *([("features", _columns(schema.features))] if schema.features else []),
        *((f"input {name}", _columns(group)) for name, group in schema.inputs.items()),
        ("missing", _counts(found.missing, int(lengths.sum()))),
        ("target", _columns(schema.targets) if schema.targets else "the features"),
        ("task", _task(dataset.question) + _maybe_classes(found.classes)),
        ("split", _split(dataset)),
    ]
    if found.unseen:
        rows.insert(-3, ("not in training", _counts(found.unseen, int(lengths.sum()))))
    return Description(dataset.name, tuple(rows))


def _items(dataset: SequenceDataset) -> Iterator[tuple[str, str]]:
    """Say what steps name, and what of it training does not know."""
    items, columns = dataset.items, dataset.schema.items
    if items is None:
        return
    named = unknown = 0
    for start in range(0, items.rows.shape[0], _STEPS):
        rows = items.rows.read(start, start + _STEPS)
        named += int((~np.isnan(rows).any(axis=1)).sum())
        unknown += int((rows[:, 0] == -1).sum())
    steps = len(items.firsts) - 1
    text = f"{items.size:,} of {columns[0].name}, {named / steps:,.1f} a step"
    if items.with_values:
        text += f", each with its {columns[1].name}"
    yield "items", text
    missing = items.rows.shape[0] - named
    if missing:
        yield "without an item", f"{missing:,} rows, or without its value"
    if unknown:
        yield "not in training", f"items {unknown:,} ({unknown / max(named, 1):.1%})"


def _describe_text(dataset: TextDataset) -> Description:
    sizes = ", ".join(f"{part} {len(dataset.part(part)):,}" for part in dataset.splits)
    rows = (
        ("characters", f"{len(dataset.symbols):,}"),
        ("different", f"{len(dataset.vocabulary) - 1:,} in the training part"),
        ("task", "next character"),
        ("split", f"{sizes} characters"),
    )
    return Description(dataset.name, rows)


def _hint(identifier: str | None) -> str:
    """Say what to do where one column may tell sequences apart."""
    if identifier is None:
        return ""
    return (
        ": one sequence of all rows; if a column says to which sequence a row belongs, "
        f"name it with --sequence (e.g. {identifier!r})"
    )


def _maybe_classes(count: int | None) -> str:
    """Say what to do where numbers to be learned may be names of classes."""
    if count is None:
        return ""
    return (
        f"; the target has {count} whole values: if they are classes, --task classify"
    )


class _Found(NamedTuple):
    """What one look through all rows has shown.

    Counts of values that are missing, and of categories that training does not know;
    the feature, if any, that looks like the key of sequences nobody named; how many
    values the numbers of a target take, where they look like classes.
    """

    missing: Mapping[str, int]
    unseen: Mapping[str, int]
    identifier: str | None
    classes: int | None


def _look_through(dataset: SequenceDataset) -> _Found:
    frames, columns, schema = dataset.frames, dataset.schema.columns, dataset.schema
    empty, unknown = np.zeros(frames.width, int), np.zeros(frames.width, int)
    alone = len(frames.lengths) == 1 and len(schema.features) > 1
    identifiers = Identifiers(schema.features if alone else ())
    regress = dataset.question.task == "regress" and len(schema.targets) == 1
    place = schema.places(schema.targets)[0] if regress else 0
    classes = Classes() if regress else None
    everything = whole(np.arange(len(frames.lengths)), frames.lengths)
    for rows in Part(frames, everything).cut(_STEPS):
        empty += np.isnan(rows).sum(axis=0)
        unknown += (rows == -1).sum(axis=0)
        identifiers.take(rows)
        if classes is not None:
            classes.take(rows[:, place])
    missing = {c.name: int(n) for c, n in zip(columns, empty, strict=True) if n}
    unseen = {
        column.name: int(count)
        for column, count in zip(columns, unknown, strict=True)
        if count and column.kind == "category"
    }
    count = None if classes is None else classes.found
    return _Found(missing, unseen, identifiers.found, count)


def _extent(lengths: IntegerArray) -> str:
    least, most = int(lengths.min()), int(lengths.max())
    if least == most:
        return f"of {most:,} steps"
    return f"of {least:,} to {most:,} steps, {lengths.mean():,.1f} on average"


def _columns(columns: Sequence[Column]) -> str:
    """Name columns, by their kinds."""
    texts: list[str] = []
    for kind in dict.fromkeys(column.kind for column in columns):
        group = [column for column in columns if column.kind == kind]
        word = {"category": "categories"}.get(kind, f"{kind}s")
        text = f"{len(group)} {word if len(group) > 1 else kind}: "
        texts.append(text + _listed([_named(column) for column in group]))
    return "; ".join(texts)


def _named(column: Column) -> str:
    if column.kind != "category":
        return column.name
    return f"{column.name} ({len(column.categories)} values)"


def _counts(counts: Mapping[str, int], steps: int) -> str:
    if not counts:
        return "none"
    return _listed([f"{n} {k:,} ({k / steps:.1%})" for n, k in counts.items()])


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {more} more" if more > 0 else "")


def _task(question: Question) -> str:
    text = f"{question.task}, an answer per {question.per}"
    if question.task == "forecast":
        steps = "step" if question.horizon == 1 else "steps"
        text = f"forecast, {question.horizon} {steps} ahead"
        if question.difference:
            text += f", of changes since {question.difference} before"
    return text


def _steps_of(pieces: IntegerArray, question: Question) -> int:
    """Count the steps of a part; what is said of the future is said before them."""
    before = question.task in ABOUT_THE_FUTURE
    said_outside = pieces[:, FIRST] > pieces[:, START]
    return counted(pieces) - before * int(said_outside.sum())


def _split(dataset: SequenceDataset) -> str:
    """Count sequences where parts hold other ones, else the steps of each."""
    parts = {part: pieces for part, pieces in dataset.splits.items() if len(pieces)}
    held = [set(pieces[:, SEQUENCE].tolist()) for pieces in parts.values()]
    if sum(map(len, held)) == len(set().union(*held)):
        sizes = {part: len(pieces) for part, pieces in parts.items()}
        word = "sequences"
    else:
        sizes = {
            part: _steps_of(pieces, dataset.question) for part, pieces in parts.items()
        }
        word = "steps, by time"
    return ", ".join(f"{part} {size:,}" for part, size in sizes.items()) + f" {word}"
