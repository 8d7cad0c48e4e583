"""What the options of a training are read as."""

import json
from collections.abc import Callable
from typing import Any

import rich_click as click

# Generic in some versions of click.
_Type: Any = click.ParamType


class Names(_Type):
    """Names with commas between them."""

    name = "names"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Split at the commas; spaces around a name are none of it."""
        if not isinstance(value, str):
            return tuple(value)
        return tuple(name.strip() for name in value.split(",") if name.strip())


class Table(_Type):
    """A number for each of some names, `a=2,b=0.5`, or what stands for all of them.

    Parameters
    ----------
    name
        What this kind of option is called.
    alone
        Reads what has no names: `float`, or `str` for a word.
    """

    def __init__(self, name: str, alone: type[float | str]) -> None:
        self.name, self._alone = name, alone

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Read a number for each name, or for all; of a file they are that already."""
        if not isinstance(value, str):
            return value
        try:
            if "=" not in value:
                return self._alone(value)
            pairs = [entry.rpartition("=") for entry in value.split(",")]
            return {name.strip(): float(number) for name, _, number in pairs}
        except ValueError:
            self.fail(f"{value!r} is no number, nor NAME=NUMBER,….", param, ctx)


class Winners(_Type):
    """A number of units, or a share of them: `16`, `0.1`."""

    name = "winners"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Read a whole number or a share; of a file they are that already."""
        if not isinstance(value, str):
            return value
        try:
            return int(value) if value.lstrip("+-").isdigit() else float(value)
        except ValueError:
            self.fail(f"{value!r} is no number of units, nor a share.", param, ctx)


class Named(_Type):
    """A name, `=`, and what is given for it.

    Parameters
    ----------
    given
        What stands behind the `=`, in capitals.
    read
        Reads it.
    """

    name = "named"

    def __init__(self, given: str, read: Callable[[str], Any]) -> None:
        self._given, self._read = given, read

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        """Return the name and what is given; of a file they are that already."""
        if not isinstance(value, str):
            return (value[0], value[1])
        name, equals, text = value.partition("=")
        if not equals or not name or not text:
            self.fail(f"{value!r} is not NAME={self._given}.", param, ctx)
        return name.strip(), self._read(text)


def setting(text: str) -> Any:
    """Read a number, several with commas between them, true or false, or a word."""
    try:
        return json.loads(f"[{text}]" if "," in text else text)
    except ValueError:
        return text


def columns(text: str) -> list[str] | str:
    """Read the name of a column, or several with commas between them."""
    several = [column.strip() for column in text.split(",")]
    return several if len(several) > 1 else several[0]


class Spacing(_Type):
    """Steps, or a word that says how many."""

    name = "spacing"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        """Read a whole number, or leave the word."""
        return int(value) if isinstance(value, str) and value.isdigit() else value


class Season(_Type):
    """A number of steps, or `none`."""

    name = "steps"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Read a whole number; `none` is 0."""
        try:
            return 0 if value == "none" else int(value)
        except (ValueError, TypeError):
            words = f"{value!r} is no number of steps, nor none."
            raise click.BadParameter(words, ctx, param) from None
