"""Mistakes in what is carried along a stream, and in how it is cut."""

from throughtime.errors.base import ThroughtimeError


class CarriedStateMismatch(ThroughtimeError, ValueError):
    """A carried state of another cell, or of other rows."""

    message = (
        "A carried state was given {given}, expected {expected}: give the states of "
        "the same rows of the same module."
    )


class BadTruncation(ThroughtimeError, ValueError):
    """Numbers that say of no step how far its error flows back."""

    message = "{argument}={given!r}, expected {expected}: {advice}."


class BadChunk(ThroughtimeError, ValueError):
    """A piece of a stream that does not go on where the last one ended."""

    message = "A chunk has {given}, expected {expected}: {advice}."


class WindowNotRun(ThroughtimeError, RuntimeError):
    """The next window is wanted before this one was run, or its losses were seen."""

    message = (
        "The window was left without {missing}, expected before the next one: {advice}."
    )


class BadSequences(ThroughtimeError, ValueError):
    """Sequences that cannot stand side by side."""

    message = "{argument} is {given}, expected {expected}: {advice}."
