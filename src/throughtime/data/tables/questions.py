"""What is asked: it follows from the columns, unless it is said."""

from collections.abc import Sequence
from typing import Any, cast, get_args

from throughtime.data.question import ABOUT_THE_FUTURE, Per, Question, TaskName
from throughtime.data.reading import Reading
from throughtime.data.tables.coding import Coded
from throughtime.errors import ContradictoryQuestion, MixedColumns
from throughtime.errors.base import did_you_mean


def ask(reading: Reading, targets: Sequence[Coded], constant: bool) -> Question:
    """Say what is asked of columns that are no features.

    Parameters
    ----------
    reading
        What a person said of it.
    targets
        The columns, as they were read.
    constant
        Whether every target is constant within every sequence.

    Raises
    ------
    ContradictoryQuestion, MixedColumns
        The columns have no such answer.
    """
    _check_choices(reading)
    task = reading.task or _task_of(targets)
    _check_targets(task, targets)
    per = reading.per or ("sequence" if constant else "step")
    _refuse_steps_ahead(reading, task)
    return Question(cast(TaskName, task), cast(Per, per))


def ask_for_the_future(
    reading: Reading, features: Sequence[Coded]
) -> tuple[Question, tuple[str, ...]]:
    """Say what is asked of the features' own future.

    Parameters
    ----------
    reading
        What a person said of it.
    features
        Those that may be predicted, as they were read.

    Returns
    -------
    question : Question
        What is asked.
    predicted : tuple of str
        Of which of them: numbers, or labels, or one column of symbols.

    Raises
    ------
    ContradictoryQuestion, MixedColumns
        The columns have no such answer.
    """
    _check_choices(reading)
    task = reading.task or _future_of(features)
    if task not in ABOUT_THE_FUTURE:
        raise _contradiction("task", task, "no target is given", "the target column")
    if reading.per == "sequence":
        fact = f"task='{task}' has an answer at every step"
        raise _contradiction("per", reading.per, fact, "a target, or per='step'")
    if task == "next":
        _refuse_steps_ahead(reading, task)
        labels = tuple(one.name for one in features if one.is_label)
        return Question("next", "step"), labels or _symbols(features)
    numbers = tuple(one.name for one in features if one.kind == "number")
    if not numbers:
        fact = "no feature holds real numbers"
        raise _contradiction("task", task, fact, "task='next', or such features")
    horizon = steps_of(reading, "horizon")
    difference = steps_of(reading, "difference")
    return Question("forecast", "step", horizon, difference), numbers


def steps_of(reading: Reading, argument: str) -> int:
    """Return the horizon or the difference of a forecast, 1 where it is not said.

    Raises
    ------
    ContradictoryQuestion
        It is no such number of steps.
    """
    given = getattr(reading, argument)
    if given is None:
        return 1
    least = 1 if argument == "horizon" else 0
    if not isinstance(given, int) or isinstance(given, bool) or given < least:
        fact = f"it is a whole number of steps, at least {least}"
        raise _contradiction(argument, given, fact, "such a number")
    return given


def _symbols(features: Sequence[Coded]) -> tuple[str]:
    found = [one.name for one in features if one.kind == "category"]
    if not found:
        found = [one.name for one in features if one.whole]
    if len(found) != 1:
        fact = f"{len(found) or 'no'} features hold symbols"
        advice = "one column of symbols as target, or columns of 0 and 1"
        raise _contradiction("task", "next", fact, advice)
    return (found[0],)


def _refuse_steps_ahead(reading: Reading, task: str) -> None:
    for argument in ("horizon", "difference"):
        given = getattr(reading, argument)
        if given is not None:
            fact = f"task='{task}' is no forecast"
            advice = f"no {argument}, or task='forecast' without another target"
            raise _contradiction(argument, given, fact, advice)


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


def _check_choices(reading: Reading) -> None:
    for argument, known in (("task", get_args(TaskName)), ("per", get_args(Per))):
        given = getattr(reading, argument)
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
