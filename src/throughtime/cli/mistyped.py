"""The sentence for a command line that cannot be read at all."""

import re
from collections.abc import Iterable

import rich_click as click

from throughtime.errors.base import did_you_mean

# What click calls a kind of number, in words.
_KINDS = {
    "integer": "a whole number",
    "float": "a number",
    "path": "a path",
}


def mistyped(
    error: click.UsageError, group: click.Group, command: click.Command
) -> str:
    """Say what was given, what is expected, and what to do, in one sentence.

    Parameters
    ----------
    error
        What click found.
    group
        All commands.
    command
        The one whose words they are, or the group.
    """
    called = "throughtime" if command is group else f"throughtime {command.name}"
    if isinstance(error, click.NoSuchOption):
        return _no_such_option(error.option_name, command, called)
    if isinstance(error, click.BadOptionUsage):
        return _half_an_option(error, command)
    if isinstance(error, click.MissingParameter):
        return _left_out(error, called)
    if isinstance(error, click.BadParameter):
        return _bad_value(error)
    words = re.fullmatch(r"Got unexpected extra arguments? \((.*)\)", error.message)
    if words is not None:
        taken = [_written(one) for one in command.params if _is_argument(one)]
        return (
            f"`{called}` is given {words[1]!r} as well, expected "
            f"{' and '.join(taken) or 'nothing'} alone: leave it out, or put a name "
            "with spaces in quotes."
        )
    missed = re.match(r"No such command '(.*?)'", error.message)
    if missed is not None:
        hint = did_you_mean(missed[1], group.commands)
        known = ", ".join(sorted(group.commands))
        return f"{missed[1]!r} is no command{hint}, expected one of {known}: give one."
    return f"{error.message.rstrip('.')}: `{called} --help` says what can be given."


def _no_such_option(given: str, command: click.Command, called: str) -> str:
    known = [name for one in command.params for name in one.opts if name[:2] == "--"]
    hint = did_you_mean(given, known)
    return (
        f"{given} is no option of `{called}`{hint}, expected one that "
        f"`{called} --help` lists: mend it, or leave it out."
    )


def _half_an_option(error: click.BadOptionUsage, command: click.Command) -> str:
    name = error.option_name
    parameter = _find(name, command.params)
    if parameter is None or getattr(parameter, "is_flag", False):
        return f"{name} is given a value, expected none: write {name} alone."
    return f"{name} has no value, expected {_kind(parameter)}: write one after it."


def _left_out(error: click.MissingParameter, called: str) -> str:
    assert error.param is not None
    name = _written(error.param)
    if _is_argument(error.param):
        return (
            f"`{called}` is given no {name}, expected one: write it after the command, "
            f"as `{called} --help` says."
        )
    says = (getattr(error.param, "help", None) or "").strip().rstrip(".")
    return f"{name} is left out, expected it ({says}): give it."


def _bad_value(error: click.BadParameter) -> str:
    message = error.message.strip().rstrip(".")
    if error.param is None:
        return f"{message}."
    name, kind = _written(error.param), _KINDS.get(error.param.type.name)
    given = re.match(r"'(.*)' is not a valid \w+$", message, re.DOTALL)
    if given is None or kind is None:
        return f"{name}: {message}."
    return f"{name} {given[1]!r}, expected {kind}: give one."


def _find(name: str, parameters: Iterable[click.Parameter]) -> click.Parameter | None:
    return next((one for one in parameters if name in one.opts), None)


def _is_argument(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)


def _written(parameter: click.Parameter) -> str:
    """Return how a parameter is written: `--out`, or `DATA`."""
    if _is_argument(parameter):
        return (parameter.metavar or str(parameter.name).upper()).strip("[]")
    return parameter.opts[0]


def _kind(parameter: click.Parameter) -> str:
    return _KINDS.get(parameter.type.name) or parameter.metavar or "a value"
