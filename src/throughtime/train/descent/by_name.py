"""What PyTorch has, by its name in lower case: found, or refused with the reason."""

import inspect
import sys
from collections.abc import Collection, Mapping
from types import ModuleType
from typing import Any, TypeVar

import torch

from throughtime.errors import UnfitChoice, UnfitOption, UnknownChoice
from throughtime.errors.base import did_you_mean

Kind = TypeVar("Kind")


def classes(
    module: ModuleType, root: type[Kind], refused: Collection[str]
) -> dict[str, type[Kind]]:
    """Give the classes of a module by their names, sorted; not those refused."""
    kinds = [one for one in vars(module).values() if isinstance(one, type)]
    found = {
        kind.__name__.lower(): kind
        for kind in kinds
        if issubclass(kind, root) and kind is not root and kind.__name__[0] != "_"
    }
    return {name: found[name] for name in sorted(found.keys() - set(refused))}


def find(
    argument: str, given: object, known: Collection[str], refused: Mapping[str, str]
) -> str:
    """Return a name as it is kept, in lower case; hyphens may be left out.

    Parameters
    ----------
    argument
        What errors call it.
    given
        What was given for it.
    known, refused
        Names that serve, and the reasons of those that do not.

    Raises
    ------
    UnfitChoice, UnknownChoice
        It is none, or none that can be used.
    """
    name = given.lower() if isinstance(given, str) else ""
    spelled = {one.replace("-", ""): one for one in known} | {one: one for one in known}
    if name in spelled:
        return spelled[name]
    words = ", ".join(map(repr, known))
    if name in refused:
        reason = refused[name]
        raise UnfitChoice(argument=argument, given=given, reason=reason, known=words)
    hint = did_you_mean(str(given), known)
    raise UnknownChoice(argument=argument, given=given, hint=hint, known=words)


def options_of(kind: type, elsewhere: Collection[str]) -> dict[str, Any]:
    """Give the arguments of a class that are options, and their defaults."""
    return {
        name: argument.default
        for name, argument in inspect.signature(kind).parameters.items()
        if name not in elsewhere
    }


def unknown_option(
    argument: str, given: Mapping[str, Any], of: str, known: Collection[str]
) -> UnfitOption:
    """Say of an option that there is none of its name."""
    reason = f"it takes none of that name{did_you_mean(str(*given), known)}"
    expected = "some of " + ", ".join(known) if known else "none"
    return UnfitOption(
        argument=argument, given=given, of=of, reason=reason, expected=expected
    )


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    real = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared, not converted: a whole number may be too large for a float.
    return real and abs(value) <= sys.float_info.max


def largest(dtype: torch.dtype) -> tuple[float, str]:
    """Give the largest number of a dtype, and say it."""
    most = torch.finfo(dtype).max
    return most, f"{most:.2g}, the largest {str(dtype).removeprefix('torch.')}"
