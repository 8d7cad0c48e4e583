"""What the options of a training are read as."""

import json
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


class Weights(_Type):
    """`balanced`, or a weight for some classes: `a=2,b=0.5`."""

    name = "weights"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Read a weight for each class, or leave the word."""
        if not isinstance(value, str) or "=" not in value:
            return value
        weights: dict[str, float] = {}
        for entry in value.split(","):
            name, _, weight = entry.rpartition("=")
            try:
                weights[name.strip()] = float(weight)
            except ValueError:
                self.fail(f"{weight!r} is no weight: write CLASS=WEIGHT.", param, ctx)
        return weights


class Chances(_Type):
    """A probability, or one for each of some names: `h=0.05,c=0.5`."""

    name = "chances"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Read a number, or one for each name; of a file they are that already."""
        if not isinstance(value, str):
            return value
        try:
            if "=" not in value:
                return float(value)
            pairs = [entry.rpartition("=") for entry in value.split(",")]
            return {name.strip(): float(chance) for name, _, chance in pairs}
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


class Setting(_Type):
    """`NAME=VALUE`: a number, several with commas between them, true or false."""

    name = "setting"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        """Return the name and its value; of a file they are that already."""
        if not isinstance(value, str):
            return (value[0], value[1])
        name, equals, text = value.partition("=")
        if not equals or not name or not text:
            self.fail(f"{value!r} is not NAME=VALUE.", param, ctx)
        try:
            return name.strip(), json.loads(f"[{text}]" if "," in text else text)
        except ValueError:
            return name.strip(), text


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


class Feed(_Type):
    """`NAME=COLUMN`, or several columns with commas between them."""

    name = "feed"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        """Return the name and its columns; of a file they are that already."""
        if not isinstance(value, str):
            return (value[0], value[1])
        name, equals, columns = value.partition("=")
        if not equals or not name or not columns:
            self.fail(f"{value!r} is not NAME=COLUMN.", param, ctx)
        several = [column.strip() for column in columns.split(",")]
        return name.strip(), several if len(several) > 1 else several[0]
