"""A table of any source into a data set."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from throughtime.data.datasets import SequenceDataset
from throughtime.data.frames import StoredFrames
from throughtime.data.question import Question
from throughtime.data.reading import Reading
from throughtime.data.schema import Column, Kind, Schema
from throughtime.data.sources.source import Source
from throughtime.data.store import read_memory
from throughtime.data.tables.classes import Category, fit_categories, text_of
from throughtime.data.tables.coding import Coded, Coder, coded_columns
from throughtime.data.tables.constancy import first_change, first_values
from throughtime.data.tables.gathering import fit_items, gather
from throughtime.data.tables.laying import Laid, lay
from throughtime.data.tables.parts import draw
from throughtime.data.tables.questions import ask, ask_for_the_future
from throughtime.data.tables.roles import Roles, assign
from throughtime.data.tables.stretches import sequence_of
from throughtime.errors import (
    ColumnGivenTwice,
    ContradictoryQuestion,
    TargetNotConstant,
)

#: The feature that `Reading.time_difference` adds.
TIME_DIFFERENCE: Final = "time difference"


def assemble(source: Source, reading: Reading) -> SequenceDataset:
    """Read a table into a data set.

    Parameters
    ----------
    source
        The table.
    reading
        What a person said of it; the target by the names of its columns.

    Raises
    ------
    DataError
        The table cannot be read so; the message says why and what to do.
    """
    roles = assign(source, reading)
    difference = place_of_difference(reading, roles)
    coder = Coder(coded_columns(source, roles, reading.missing), difference)
    memory = read_memory(reading.memory)
    rows = laid = lay(source, roles, coder, memory, several=bool(roles.items))
    items, of_items = None, coder.columns[: len(roles.items)]
    if roles.items:
        laid, items = gather(rows, roles.coded, len(roles.items))
        coder = Coder(coder.columns[len(roles.items) :])
    question, predicted = _question(reading, roles, coder, laid)
    strata = _strata(question, roles, coder, laid)
    if laid.parts is None:
        splits = draw(source.name, laid.keys, question, reading, strata)
    else:
        splits = laid.parts.split(strata, reading.seed)
    kinds = {one.name: _kind(one, question, predicted) for one in coder.columns}
    categories = [
        Category(
            place=_place(coder, one.name),
            column=one,
            is_predicted=one.name in predicted,
            is_target=one.name in roles.targets,
        )
        for one in coder.columns
        if kinds[one.name] == "category"
    ]
    known = fit_categories(laid.frames, laid.keys, splits["train"], categories)
    if items is not None:
        train, name = splits["train"], of_items[0].name
        items, known[name] = fit_items(items, rows.keys, train, of_items[0])
    return SequenceDataset(
        name=source.name,
        schema=_schema(roles, kinds, known, predicted, difference is not None),
        question=question,
        frames=StoredFrames(laid.frames, laid.keys.lengths),
        keys=laid.keys.names,
        splits=splits,
        missing=reading.missing,
        items=items,
    )


def place_of_difference(reading: Reading, roles: Roles) -> int | None:
    """Return where the time since the step before stands: after the features.

    Raises
    ------
    ContradictoryQuestion, ColumnGivenTwice
        There is no time, or a column of that name.
    """
    if not reading.time_difference:
        return None
    if roles.time is None:
        raise ContradictoryQuestion(
            argument="time_difference",
            given=True,
            fact="no column is given as time",
            advice="time",
        )
    if TIME_DIFFERENCE in roles.coded:
        raise ColumnGivenTwice(
            column=TIME_DIFFERENCE, first="a column", second="time_difference"
        )
    return len(roles.features)


def _question(
    reading: Reading, roles: Roles, coder: Coder, laid: Laid
) -> tuple[Question, tuple[str, ...]]:
    """Return the question, and the columns that are predicted."""
    if not roles.targets:
        names = roles.predicted or roles.features
        features = [one for one in coder.columns if one.name in names]
        return ask_for_the_future(reading, features)
    targets = [one for one in coder.columns if one.name in roles.targets]
    places = [_place(coder, one.name) for one in targets]
    change = first_change(laid.frames, laid.starts, places)
    question = ask(reading, targets, constant=change is None)
    if question.per == "sequence" and change is not None:
        row, place = change
        sequence = sequence_of(row, laid.starts)
        raise TargetNotConstant(
            column=next(n for n in roles.targets if _place(coder, n) == place),
            key=laid.keys.names[sequence],
            step=row - int(laid.starts[sequence]),
        )
    return question, roles.targets


def _strata(
    question: Question, roles: Roles, coder: Coder, laid: Laid
) -> npt.NDArray[Any] | None:
    """Return the class of each sequence as text, where it has one."""
    if question.task != "classify" or question.per != "sequence":
        return None
    if len(roles.targets) > 1:
        return None
    place = _place(coder, roles.targets[0])
    [target] = [one for one in coder.columns if one.name in roles.targets]
    values, places = np.unique(
        first_values(laid.frames, laid.starts, place), return_inverse=True
    )
    return np.array([text_of(target, value) for value in values.tolist()])[places]


def _kind(one: Coded, question: Question, predicted: tuple[str, ...]) -> Kind:
    """Return what a column is for the question, whatever type it was stored in."""
    if one.name not in predicted:
        return one.kind
    if question.task == "next":
        return "boolean" if one.is_label else "category"
    if question.task == "classify":
        return "category"
    return "boolean" if question.task == "multilabel" else "number"


def _place(coder: Coder, name: str) -> int:
    place = [one.name for one in coder.columns].index(name)
    inserted = coder.difference is not None and place >= coder.difference
    return place + inserted


def _schema(
    roles: Roles,
    kinds: Mapping[str, Kind],
    known: Mapping[str, tuple[str, ...]],
    predicted: tuple[str, ...],
    with_difference: bool,
) -> Schema:
    def columns(names: tuple[str, ...]) -> tuple[Column, ...]:
        return tuple(Column(n, kinds[n], known.get(n, ())) for n in names)

    features, targets = columns(roles.features), columns(predicted)
    if with_difference:
        features = (*features, Column(TIME_DIFFERENCE))
    return Schema(
        features=features,
        targets=() if targets == features else targets,
        inputs={name: columns(group) for name, group in roles.inputs.items()},
        sequence=roles.sequence,
        time=roles.time,
        items=tuple(
            Column(name, "number" if place else "category", known.get(name, ()))
            for place, name in enumerate(roles.items)
        ),
    )
