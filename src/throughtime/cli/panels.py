"""Options that stand in a group of the help, and tables that are given bit by bit."""

from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

Command = TypeVar("Command", bound=Callable[..., Any])


def option(group: str, *names: str, **settings: Any) -> Callable[[Command], Command]:
    """Make an option of a group."""
    return click.option(*names, panel=group, **settings)


def table(
    context: click.Context, parameter: click.Parameter, given: Any
) -> dict[str, Any] | None:
    """Make one table of all that is given; None: nothing is."""
    return dict(given) or None
