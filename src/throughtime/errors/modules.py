"""Mistakes in how a torch module is built or called."""

from throughtime.errors.base import ThroughtimeError


class BadSetting(ThroughtimeError, ValueError):
    """A module is built with a setting that it cannot have."""

    message = "{argument} is {given}, expected {expected}: {advice}."


class UnsuitableInitialisation(ThroughtimeError, ValueError):
    """A vector shall start like a matrix."""

    message = (
        "{cell}: init={init!r} of parameter {name} needs a matrix, but its shape is "
        "{shape}: give a number, 'uniform' or 'zeros'."
    )
