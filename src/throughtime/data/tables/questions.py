"""What is asked: it follows from the columns, unless it is said."""

from collections.abc import Sequence
from typing import Any, cast, get_args

from throughtime.data.question import Per, Question, TaskName
from throughtime.data.reading import Reading
from throughtime.data.tables.coding import Coded
from throughtime.errors import ContradictoryQuestion, MixedColumns
from throughtime.errors.base import did_you_mean

_ABOUT_THE_FUTURE = ("next", "forecast")


def ask(
    reading: Reading,
    features: Sequence[Coded],
    targets: Sequence[Coded],
    constant: bool,
) -> Question:
    """Say what is asked of data.

    Parameters
    ----------
    reading
        What a person said of it.
    features, targets
        The columns, as they were read.
    constant
        Whether every target is constant within every sequence.

    Raises
    ------
    ContradictoryQuestion, MixedColumns
        The columns have no such answer.
    """
    _check_choice("task", reading.task, get_args(TaskName))
    _check_choice("per", reading.per, get_args(Per))
    if targets:
        task = reading.task or _task_of(targets)
        if task in _ABOUT_THE_FUTURE:
            fact = "a target is given, and this task predicts the features themselves"
            raise _contradiction("task", task, fact, "no target, or another task")
        _check_targets(task, targets)
        per = reading.per or ("sequence" if constant else "step")
    else:
        task = reading.task or _future_of(features)
        if task not in _ABOUT_THE_FUTURE:
            fact = "no target is given"
            raise _contradiction("task", task, fact, "the target column")
        _check_features(task, features)
        per = reading.per or "step"
        if per == "sequence":
            fact = f"task='{task}' has an answer at every step"
            raise _contradiction("per", per, fact, "a target, or per='step'")
    horizon, difference = _ahead(reading, task)
    return Question(cast(TaskName, task), cast(Per, per), horizon, difference)


def _ahead(reading: Reading, task: str) -> tuple[int, int]:
    for argument, least in (("horizon", 1), ("difference", 0)):
        given = getattr(reading, argument)
        if given is None:
            continue
        if task != "forecast":
            fact = f"task='{task}' is no forecast"
            advice = f"no {argument}, or real-valued features without a target"
            raise _contradiction(argument, given, fact, advice)
        if not isinstance(given, int) or isinstance(given, bool) or given < least:
            fact = f"it is a whole number of steps, at least {least}"
            raise _contradiction(argument, given, fact, "such a number")
    if task != "forecast":
        return 1, 0
    difference = 1 if reading.difference is None else reading.difference
    return reading.horizon or 1, difference


def _task_of(targets: Sequence[Coded]) -> str:
    if all(one.is_label for one in targets):
        return "classify" if len(targets) == 1 else "multilabel"
    if all(one.kind == "number" for one in targets):
        return "regress"
    if any(one.kind == "number" and not one.binary for one in targets):
        raise _mixed("targets", targets, "targets of one kind")
    return "classify"


def _future_of(features: Sequence[Coded]) -> str:
    if [one.kind for one in features] == ["category"]:
        return "next"
    if all(one.is_label for one in features):
        return "next"
    if all(one.kind == "number" for one in features):
        return "forecast"
    raise _mixed("features", features, "a target, or features of one kind")


def _check_targets(task: str, targets: Sequence[Coded]) -> None:
    for one in targets:
        if task == "multilabel" and not one.is_label:
            fact = f"column {one.name!r} has other values than 0 and 1"
            raise _contradiction("task", task, fact, "task='classify', or such columns")
        if task == "regress" and one.kind == "category":
            fact = f"column {one.name!r} holds text"
            raise _contradiction("task", task, fact, "task='classify', or numbers")
        if task == "classify" and one.kind == "number" and not one.whole:
            fact = f"column {one.name!r} has values that are no whole numbers"
            raise _contradiction("task", task, fact, "task='regress', or classes")


def _check_features(task: str, features: Sequence[Coded]) -> None:
    for one in features:
        if task == "forecast" and one.kind != "number":
            fact = f"column {one.name!r} holds no real numbers"
            raise _contradiction("task", task, fact, "features without it")
        if task == "next" and len(features) > 1 and not one.is_label:
            fact = f"column {one.name!r} has other values than 0 and 1"
            advice = "one column of symbols, or columns of 0 and 1 alone"
            raise _contradiction("task", task, fact, advice)
        if task == "next" and one.kind == "number" and not one.whole:
            fact = f"column {one.name!r} has values that are no whole numbers"
            raise _contradiction("task", task, fact, "task='forecast', or symbols")


def _check_choice(argument: str, given: Any, known: Sequence[str]) -> None:
    if given is not None and given not in known:
        fact = f"it is one of {', '.join(known)}{did_you_mean(str(given), known)}"
        raise _contradiction(argument, given, fact, "one of these")


def _contradiction(
    argument: str, given: Any, fact: str, advice: str
) -> ContradictoryQuestion:
    return ContradictoryQuestion(
        argument=argument, given=given, fact=fact, advice=advice
    )


def _mixed(what: str, columns: Sequence[Coded], advice: str) -> MixedColumns:
    kinds = ", ".join(f"{one.name!r} {one.kind}" for one in columns[:20])
    return MixedColumns(what=what, kinds=kinds, advice=advice)
