"""`--config FILE`: the options of a command from a TOML file.

What is given on the command line comes before what the file says, and that before the
command's defaults.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

from throughtime.errors import OptionOfOtherKind, UnknownOption
from throughtime.errors.base import did_you_mean

Command = TypeVar("Command", bound=Callable[..., Any])


def configurable(command: Command) -> Command:
    """Add `--config`."""
    return click.option(
        "--config",
        is_eager=True,
        expose_value=False,
        callback=_take_in,
        metavar="FILE",
        help="Options from a TOML file, such as config.toml of a run; options given "
        "here come before them.",
    )(command)


def _take_in(context: click.Context, _: click.Parameter, path: str | None) -> None:
    """Make the options of the file the defaults of this call."""
    if path is None:
        return
    from throughtime.train.asking.configuration import read_toml

    known = _names(context.command)
    options = {str(one.name): one for one in context.command.params}
    defaults: dict[str, Any] = {}
    for given, value in read_toml(path).items():
        if given not in known:
            hint = did_you_mean(given, known)
            raise UnknownOption(path=path, name=given, hint=hint)
        called = known[given]
        expected = _expected(options[called], value)
        if expected is not None:
            raise OptionOfOtherKind(
                path=path, name=given, given=value, expected=expected
            )
        # What may be given several times is a table here.
        several = options[called].multiple
        defaults[called] = list(value.items()) if several else value
    context.default_map = {**(context.default_map or {}), **defaults}


def _names(command: click.Command) -> dict[str, str]:
    """Say for each way to write an option how Python calls it."""
    names: dict[str, str] = {}
    for parameter in command.params:
        called = str(parameter.name)
        for written in (called, *(one.lstrip("-") for one in parameter.opts)):
            names[written] = names[written.replace("-", "_")] = called
    return {
        name: called for name, called in names.items() if called not in _NOT_IN_A_FILE
    }


def _expected(parameter: click.Parameter, value: Any) -> str | None:
    """Say what a value must be of which kind, if it is of another one.

    The command line has texts alone; without this a fraction would be cut to a whole
    number, and a list read as its letters.
    """
    if getattr(parameter, "is_flag", False):
        fits, expected = isinstance(value, bool), "true or false"
    elif parameter.multiple:
        metavar = str(parameter.metavar).replace("=", " = ")
        fits, expected = isinstance(value, dict), f"a table of {metavar}"
    else:
        kinds, expected = _KINDS[parameter.type.name]
        fits = isinstance(value, kinds) and not isinstance(value, bool)
    if fits and isinstance(value, list):
        fits = all(isinstance(one, str) for one in value)
    return None if fits else expected


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "integer": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "text": ((str,), "a text"),
    "path": ((str,), "a text"),
    "names": ((str, list), "a text or a list of texts"),
    "weights": ((str, dict), "a text or a table of numbers"),
    "chances": ((int, float, str, dict), "a number or a table of numbers"),
    "winners": ((int, float), "a number"),
    "spacing": ((int, str), "a whole number or a text"),
    "steps": ((int, str), "a whole number or a text"),
}

# They say where to go on with this call, not how to train.
_NOT_IN_A_FILE = ("config", "out", "resume", "as_json", "quiet", "help")
