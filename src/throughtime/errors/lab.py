"""Mistakes in what the lab is asked for, and in bounds where there are none."""

from throughtime.errors.base import ThroughtimeError


class UnknownExperiment(ThroughtimeError, ValueError):
    """A name that is no experiment."""

    message = "{given!r} is no experiment{hint}, expected one of {known}: give one."


class BadExperiment(ThroughtimeError, ValueError):
    """An experiment is set up with a value that it cannot have."""

    message = "{argument}={given!r}, expected {expected}: {advice}."


class NoGradientBounds(ThroughtimeError, ValueError):
    """A matrix, a function or a cell that no bound of the gradient is known for."""

    message = "{what}: {given}, expected {expected}: {advice}."
