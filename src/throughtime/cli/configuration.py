"""`--config FILE`: the options of a command from a TOML file.

What is given on the command line comes before what the file says, and that before the
command's defaults.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

from throughtime.errors import UnknownOption
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
    from throughtime.train.configuration import read_toml

    known = _names(context.command)
    defaults: dict[str, Any] = {}
    for given, value in read_toml(path).items():
        if given not in known:
            hint = did_you_mean(given, known)
            raise UnknownOption(path=path, name=given, hint=hint)
        defaults[known[given]] = value
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


# They say where to go on with this call, not how to train.
_NOT_IN_A_FILE = ("config", "out", "as_json", "quiet", "help")
