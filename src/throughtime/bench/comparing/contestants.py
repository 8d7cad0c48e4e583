"""Which models can answer which question."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from throughtime.bench.comparing.blind import BLIND
from throughtime.bench.comparing.examples import asked, question_of
from throughtime.bench.comparing.learning import Baseline
from throughtime.bench.comparing.markov import MARKOV
from throughtime.bench.comparing.networks import RECURRENT
from throughtime.bench.comparing.series import SERIES
from throughtime.bench.successors import NAMES as SUCCESSORS
from throughtime.data import Dataset, SequenceDataset
from throughtime.errors import (
    ModelCannotAnswer,
    NothingToCompare,
    NothingToDecide,
    OneTargetOnly,
    UnknownChoice,
    UnusedSetting,
)
from throughtime.errors.base import did_you_mean

BASELINES: Final[Mapping[str, Baseline]] = {**BLIND, **MARKOV, **SERIES}
"""What no network is, by name."""

NETWORKS: Final = ("window", *RECURRENT, *SUCCESSORS)
"""Those that follow a gradient; successors came after recurrent ones."""


class Field(NamedTuple):
    """The baselines of a question; `blind` is the one that knows least of order.

    `sees` says what that one goes by.
    """

    name: str
    baselines: tuple[str, ...]
    blind: str
    sees: str


_SHARES = "which knows nothing of what came before"
_ORDERLESS = "which is blind to order"
_ONE_STEP = "which sees one step"
_OF_STEPS = (("marginal", "step"), "step", _ONE_STEP)
_OF_SEQUENCES = (("marginal", "summary"), "summary", _ORDERLESS)
_SYMBOLS = Field(
    "the next symbol", ("marginal", "ngram", "kneser-ney", "hmm"), "marginal", _SHARES
)
_NEXT_LABELS = Field(
    "the labels of the next step", ("marginal", "chain"), "marginal", _SHARES
)
_FORECAST = Field(
    "a forecast",
    ("persistence", "seasonal", "autoregression", "series-hmm"),
    "persistence",
    _ONE_STEP,
)
_ANSWERS: Final[Mapping[tuple[str, str], Field]] = {
    ("classify", "sequence"): Field(
        "the class of a sequence",
        ("marginal", "summary", "class-hmm"),
        "summary",
        _ORDERLESS,
    ),
    ("multilabel", "sequence"): Field("labels of a sequence", *_OF_SEQUENCES),
    ("regress", "sequence"): Field("numbers of a sequence", *_OF_SEQUENCES),
    ("classify", "step"): Field("the class of a step", *_OF_STEPS),
    ("multilabel", "step"): Field("labels of a step", *_OF_STEPS),
    ("regress", "step"): Field("numbers of a step", *_OF_STEPS),
}


def field_of(dataset: Dataset) -> Field:
    """Say which baselines there are for a question."""
    question = question_of(dataset)
    if question.task == "forecast":
        return _FORECAST
    if question.task == "next":
        symbols = asked(dataset)[0].kind == "category"
        return _SYMBOLS if symbols else _NEXT_LABELS
    field = _ANSWERS[question.task, question.per]
    if getattr(dataset, "items", None) is not None:
        # Very many things that steps name have no features to go by.
        return Field(field.name, ("marginal",), "marginal", _SHARES)
    return field


def chosen(dataset: Dataset, models: Sequence[str] | None) -> tuple[str, ...]:
    """Return the models that are compared, baselines first.

    Raises
    ------
    UnknownChoice, ModelCannotAnswer, NothingToDecide
        One of those asked for is none, or cannot answer the question; or there is
        no recurrent network among them, or nothing to compare it with.
    """
    field = field_of(dataset)
    networks = NETWORKS
    if getattr(dataset, "items", None) is not None:
        networks = tuple(RECURRENT)
    able = (*field.baselines, *networks)
    if models is None:
        return able
    known = (*BASELINES, *NETWORKS)
    for name in models:
        if name not in known:
            raise UnknownChoice(
                argument="models",
                given=name,
                hint=did_you_mean(name, known),
                known=", ".join(able),
            )
        if name not in able:
            raise ModelCannotAnswer(
                given=name, question=field.name, known=", ".join(able)
            )
    if not models:
        known_here = ", ".join(able)
        raise UnknownChoice(argument="models", given="", hint="", known=known_here)
    beside = [name for name in able if name not in (*RECURRENT, *SUCCESSORS)]
    if not all(set(side) & set(models) for side in (RECURRENT, beside)):
        raise NothingToDecide(
            given=", ".join(models),
            recurrent=", ".join(RECURRENT),
            baselines=", ".join(beside),
        )
    return tuple(name for name in able if name in models)


def check_comparable(dataset: Dataset) -> None:
    """Refuse what no comparison can be made of.

    Raises
    ------
    OneTargetOnly, UnusedSetting, NothingToCompare
        Several targets are classified, the cell would have a further input, or a part
        is empty.
    """
    for part in ("validation", "test"):
        if not len(dataset.splits[part]):
            raise NothingToCompare(data=dataset.name, part=part)
    if not isinstance(dataset, SequenceDataset):
        return
    targets = [column.name for column in dataset.schema.targets]
    if dataset.question.task == "classify" and len(targets) > 1:
        raise OneTargetOnly(given=", ".join(targets))
    if dataset.schema.inputs:
        reason = "a comparison, none of whose networks has a further Input"
        raise UnusedSetting(
            argument="inputs", given=", ".join(dataset.schema.inputs), reason=reason
        )
