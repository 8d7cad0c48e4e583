"""What a training does if nothing is asked, by the kind of its data."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch

from throughtime.data import Dataset, SequenceDataset, TextDataset
from throughtime.data.pieces import START, STOP
from throughtime.errors import LooksAhead, UnusedSetting
from throughtime.train.asking.choices import check_choices, suited
from throughtime.train.asking.reach import check_reach
from throughtime.train.asking.settings import Settings
from throughtime.train.descent.optimizers import find_optimizer, first_rate
from throughtime.train.descent.torch_schedules import find_schedule
from throughtime.train.truncation import Rule, read_rule

# Found by experiments with LSTM and GRU on the bundled data.
_TEXT: Mapping[str, Any] = {
    "hidden_size": 256,
    "epochs": 12,
    "batch_size": 32,
    "steps": 32,
    "patience": 3,
    "learning_rate": {"adam": 4e-3, "sgd": 2.0},
    "embedding": 64,
}
_PER_SEQUENCE: Mapping[str, Any] = {
    "hidden_size": 128,
    "epochs": 20,
    "batch_size": 64,
    "steps": None,
    "patience": 10,
    "learning_rate": {"adam": 5e-3, "sgd": 0.5},
    "embedding": None,
}
_PER_STEP: Mapping[str, Any] = {
    "hidden_size": 128,
    "epochs": 40,
    "batch_size": 32,
    "steps": None,
    "patience": 10,
    "learning_rate": {"adam": 5e-3, "sgd": 0.5},
    "embedding": None,
}
# An epoch of fewer updates learns little.
_UPDATES = 16
# Sequences of more steps are cut into pieces of so many.
_LONGEST_WHOLE = 400
_STEPS = 100
# What has a default for every kind of data, so that None stands for it.
_SETTLED = {*_TEXT, *suited({}), "tbptt", "threads"}


def settle(dataset: Dataset, given: Mapping[str, Any]) -> Settings:
    """Pick the settings among what was given; None becomes what suits the data.

    Raises
    ------
    SettingError
        A value is not possible, or has nothing to act on; the message names it.
    """
    # None stands for a default only where there is one; elsewhere it is refused.
    names = {setting.name for setting in fields(Settings)}
    asked: dict[str, Any] = {
        name: value
        for name, value in given.items()
        if name in names and not (value is None and name in _SETTLED)
    }
    if isinstance(asked.get("device"), torch.device):
        asked["device"] = str(asked["device"])
    if type(asked.get("tbptt")) is int:
        asked["tbptt"] = str(asked["tbptt"])
    asked["optimizer"] = find_optimizer(asked["optimizer"])
    if "schedule" in asked:
        asked["schedule"] = find_schedule(asked["schedule"])
    defaults: dict[str, Any] = {"tbptt": None, "threads": None, **suited(asked)}
    defaults |= _defaults(dataset, asked)
    if asked.get("init") == "chrono":
        steps = asked.get("steps", defaults["steps"])
        defaults["chrono_steps"] = _longest(dataset, steps, _rule(asked))
    rates = defaults["learning_rate"]
    defaults["learning_rate"] = first_rate(asked["optimizer"], rates)
    settings = Settings(**(defaults | asked))
    _check_use(dataset, settings)
    check_choices(settings)
    return settings


def usual_rate(optimizer: str, *, of_text: bool, per_step: bool) -> float:
    """Return the step width that a training has if nothing is asked."""
    table = _TEXT if of_text else _PER_STEP if per_step else _PER_SEQUENCE
    return first_rate(optimizer, table["learning_rate"])


def _defaults(dataset: Dataset, asked: Mapping[str, Any]) -> dict[str, Any]:
    rule = _rule(asked)
    if isinstance(dataset, TextDataset):
        # Fewer streams for a short text, so that each still has something to follow.
        streams = len(dataset.part("train")) // 1000
        defaults = {**_TEXT, "batch_size": max(1, min(_TEXT["batch_size"], streams))}
        return defaults if rule is None else {**defaults, "steps": None}
    pieces = dataset.splits["train"]
    lengths = pieces[:, STOP] - pieces[:, START]
    defaults, rows = dict(_PER_SEQUENCE), len(pieces)
    if dataset.question.per == "step":
        defaults = dict(_PER_STEP)
        if rule is None and lengths.max(initial=0) > _LONGEST_WHOLE:
            defaults["steps"] = _STEPS
        steps = asked.get("steps", defaults["steps"])
        if rule is not None:
            steps = rule.steps
            # Every row is to have a sequence.
            defaults["batch_size"] = min(defaults["batch_size"], len(pieces))
        if isinstance(steps, int) and steps > 0:
            rows = int(-(-lengths // steps).sum())
    defaults["batch_size"] = max(1, min(defaults["batch_size"], rows // _UPDATES))
    return defaults


def _rule(asked: Mapping[str, Any]) -> Rule | None:
    tbptt = asked.get("tbptt")
    return None if tbptt is None else read_rule(tbptt, "tbptt")


def _longest(dataset: Dataset, steps: Any, rule: Rule | None) -> int | None:
    """Give the longest stretch of steps that error flows through; None: there is none.

    That is of a text without end whose truncation is of random length.
    """
    if rule is not None:
        steps = rule.credit
    if isinstance(dataset, TextDataset):
        return steps
    pieces = dataset.splits["train"]
    longest = int((pieces[:, STOP] - pieces[:, START]).max(initial=0))
    # What is no number of steps is refused with all other settings.
    return min(longest, steps) if isinstance(steps, int) else longest


def _check_use(dataset: Dataset, settings: Settings) -> None:
    """Refuse what has nothing to act on."""
    if settings.dropout and settings.num_layers == 1:
        raise unused("dropout", settings.dropout, "a single layer")
    if isinstance(dataset, TextDataset):
        per_step, weighty, embedded = True, False, True
    else:
        task = dataset.question.task
        per_step = dataset.question.per == "step"
        weighty = task in {"classify", "multilabel"}
        kinds = {column.kind for column in dataset.schema.features}
        embedded = "category" in kinds
    _check_answers(dataset, settings, per_step)
    if settings.tbptt is not None and getattr(dataset, "items", None) is not None:
        reason = f"'{dataset.name}', whose steps name items; give steps"
        raise unused("tbptt", settings.tbptt, reason)
    if isinstance(dataset, SequenceDataset) and dataset.question.task == "forecast":
        check_reach(dataset, settings.steps)
    if settings.class_weights is not None and not weighty:
        reason = f"'{dataset.name}', which has no classes to weigh"
        raise unused("class_weights", settings.class_weights, reason)
    if settings.embedding is not None and not embedded:
        reason = f"'{dataset.name}', which has no category among its features"
        raise unused("embedding", settings.embedding, reason)


def _check_answers(dataset: Dataset, settings: Settings, per_step: bool) -> None:
    ahead = isinstance(dataset, TextDataset) or _looks_ahead(dataset)
    if ahead and settings.bidirectional:
        raise LooksAhead(data=dataset.name)
    if per_step:
        reason = f"'{dataset.name}', which has one answer per step"
        for argument in ("pool", "target_replication"):
            if getattr(settings, argument) is not None:
                raise unused(argument, getattr(settings, argument), reason)
        return
    reason = f"'{dataset.name}', which has one answer per sequence, read whole"
    for argument in ("steps", "tbptt"):
        if getattr(settings, argument) is not None:
            raise unused(argument, getattr(settings, argument), reason)


def _looks_ahead(dataset: SequenceDataset) -> bool:
    return dataset.question.task in {"next", "forecast"}


def unused(argument: str, given: object, reason: str) -> UnusedSetting:
    """Say that a setting has nothing to act on."""
    return UnusedSetting(argument=argument, given=given, reason=reason)
