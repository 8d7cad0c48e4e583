"""What each column of a table is for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from throughtime.data.question import ABOUT_THE_FUTURE
from throughtime.data.reading import Missing, Reading
from throughtime.data.schema import Kind
from throughtime.data.sources.source import Source
from throughtime.errors import (
    BadColumnNames,
    ColumnGivenTwice,
    ColumnWithoutValues,
    ContradictoryQuestion,
    NoFeatures,
    NotAFeature,
    UnknownColumn,
    UnsuitableColumn,
)
from throughtime.errors.base import did_you_mean

#: What `Reading.split` may say that is no column.
BY_SEQUENCE: Final = "sequence"
BY_TIME: Final = "time"


@dataclass(frozen=True)
class Roles:
    """The columns that are read, by what they are for.

    `predicted` are the features that were named as targets, for a question about their
    own future.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    inputs: Mapping[str, tuple[str, ...]]
    sequence: str | None
    time: str | None
    split: str | None
    predicted: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    @property
    def coded(self) -> tuple[str, ...]:
        """The columns that become numbers, each once, items and features first."""
        groups = (self.items, self.features, *self.inputs.values(), self.targets)
        return tuple(dict.fromkeys(name for group in groups for name in group))

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        others = (self.sequence, self.time, self.split)
        return tuple(dict.fromkeys((*self.coded, *(n for n in others if n))))


def assign(source: Source, reading: Reading) -> Roles:
    """Say what each column is for; features are what nothing else names.

    Raises
    ------
    UnknownColumn, ColumnGivenTwice, BadColumnNames, NoFeatures, UnsuitableColumn
        The names do not fit the table.
    """
    split = None if reading.split in (None, BY_SEQUENCE, BY_TIME) else reading.split
    single = {"sequence": reading.sequence, "time": reading.time, "split": split}
    inputs = {n: _names(f"inputs[{n!r}]", one) for n, one in reading.inputs.items()}
    predicted: tuple[str, ...] = ()
    targets = () if reading.target is None else _names("target", reading.target)
    if reading.task in ABOUT_THE_FUTURE:
        targets, predicted = predicted, targets
    named = {argument: (name,) for argument, name in single.items() if name is not None}
    named |= {f"inputs[{name!r}]": group for name, group in inputs.items()}
    items = _items(source, reading)
    named["items"] = items
    named["target"] = targets
    asked = (*targets, *predicted)
    given = () if reading.features is None else _names("features", reading.features)
    for argument, names in {**named, "features": given, "target": asked}.items():
        _check(source, argument, names)
    taken = {name for group in named.values() for name in group}
    features = given or tuple(name for name in source.dtypes if name not in taken)
    fed = tuple(name for one in inputs.values() for name in one)
    _check_apart(single, targets, {"items": items, "features": (*given, *fed)})
    if items:
        _check_items(reading, targets)
        features = ()
    elif not features:
        raise NoFeatures(source=source.name, columns=shown(source.dtypes))
    for name in predicted:
        if name not in features:
            raise NotAFeature(column=name, task=reading.task)
    return Roles(
        features,
        targets,
        inputs,
        reading.sequence,
        reading.time,
        split,
        predicted,
        items,
    )


def kind_of(source: Source, name: str) -> Kind:
    """Return what kind of values a column holds, by its type alone.

    Raises
    ------
    UnsuitableColumn
        They can be neither of the kinds.
    """
    dtype = source.dtypes[name]
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "category"
    if dtype == pl.Null:
        raise ColumnWithoutValues(source=source.name, column=name)
    advice = "features without it"
    if dtype.is_temporal():
        advice = "it as time, or features without it"
    raise UnsuitableColumn(source=source.name, column=name, dtype=dtype, advice=advice)


def shown(names: Iterable[str], most: int = 20) -> str:
    """Return names as a message lists them."""
    quoted = [repr(name) for name in names]
    more = f" and {len(quoted) - most} more" if len(quoted) > most else ""
    return ", ".join(quoted[:most]) + more


def _items(source: Source, reading: Reading) -> tuple[str, ...]:
    """Return the columns of items and, if there is one, of their values."""
    given = reading.items
    if given is None:
        return ()
    if isinstance(given, str) and given not in source.dtypes and ":" in given:
        given = given.rsplit(":", 1)
    names = _names("items", given)
    if len(names) > 2:
        raise BadColumnNames(argument="items", given=repr(given)[:60])
    return names


def _check_items(reading: Reading, targets: Sequence[str]) -> None:
    """Refuse what does not go with items.

    Raises
    ------
    ContradictoryQuestion
        It was asked for.
    """
    given = reading.items
    if not targets:
        fact = "which items come next is not learned"
        advice = "another column as target, and no task about the future"
        raise ContradictoryQuestion(
            argument="items", given=given, fact=fact, advice=advice
        )
    refused = {
        "features": "no features: a column as an item with a value, in rows of its own",
        "time_difference": "none: the difference as an item with a value",
    }
    for argument, advice in refused.items():
        if getattr(reading, argument):
            fact = f"items={given!r} are all that the network reads"
            raise ContradictoryQuestion(
                argument=argument,
                given=getattr(reading, argument),
                fact=fact,
                advice=advice,
            )
    check_missing_items(given, reading.missing)


def check_missing_items(items: object, missing: Missing) -> None:
    """Refuse to fill what no item has: one before it, or a mean.

    Raises
    ------
    ContradictoryQuestion
        It was asked for.
    """
    if missing not in ("error", "zero"):
        raise ContradictoryQuestion(
            argument="missing",
            given=missing,
            fact=f"a row of items={items!r} has nothing before it, nor a mean",
            advice="missing='zero', so that a row without an item names nothing",
        )


def _names(argument: str, given: Any) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    fits = isinstance(names, Sequence) and len(names)
    if not fits or not all(isinstance(name, str) for name in names):
        raise BadColumnNames(argument=argument, given=repr(given)[:60])
    for name in names:
        if names.count(name) > 1:
            raise ColumnGivenTwice(column=name, first=argument, second=argument)
    return tuple(names)


def _check(source: Source, argument: str, names: Iterable[str]) -> None:
    for name in names:
        if name not in source.dtypes:
            raise UnknownColumn(
                argument=argument,
                name=name,
                source=source.name,
                hint=did_you_mean(str(name), source.dtypes),
                columns=shown(source.dtypes),
            )


def _check_apart(
    single: Mapping[str, str | None],
    targets: Sequence[str],
    read: Mapping[str, Sequence[str]],
) -> None:
    # A column may be a feature and the time as well, but what is read is no answer,
    # what tells a sequence or its part neither, and nothing tells two things.
    seen = dict.fromkeys(targets, "target")
    for argument, names in read.items():
        for name in names:
            if name in seen:
                raise ColumnGivenTwice(column=name, first=seen[name], second=argument)
        if argument == "items":
            seen |= dict.fromkeys(names, argument)
    for argument, name in single.items():
        if name is not None and seen.setdefault(name, argument) != argument:
            raise ColumnGivenTwice(column=name, first=seen[name], second=argument)
