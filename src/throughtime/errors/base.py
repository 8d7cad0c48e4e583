"""The root of every error, and the help that messages share."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar


class ThroughtimeError(Exception):
    """Any mistake that the package reports; catch it to catch them all.

    A subclass stands for one kind of mistake. Its `message` is a template that the
    facts fill in: which argument, what was given, what was expected, what to do.

    Parameters
    ----------
    **facts
        The values of the template's fields; kept as `facts`.
    """

    message: ClassVar[str] = "{reason}"

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.message.format(**facts))

    def __reduce__(self) -> tuple[Any, ...]:
        # An error crosses processes by pickle, which would call the constructor with
        # the finished message instead of the facts.
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(
    kind: type[ThroughtimeError], message: tuple[str, ...], state: dict[str, Any]
) -> ThroughtimeError:
    error = kind.__new__(kind, *message)
    error.__dict__.update(state)
    return error


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return `" (did you mean 'x'?)"`, or nothing when no known name is near."""
    near = get_close_matches(given.lower(), sorted(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
