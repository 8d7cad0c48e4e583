"""Mistakes in asking why a network does not learn."""

from throughtime.errors.base import ThroughtimeError


class LossNotPerAnswer(ThroughtimeError, ValueError):
    """A loss that says nothing of single answers."""

    message = (
        "The loss gave {given}, expected the loss of each answer, {steps} for answers "
        "per step or {sequences} for one per sequence: give a loss that is not "
        "reduced, such as with reduction='none'."
    )


class BadLags(ThroughtimeError, ValueError):
    """Steps or lags that are not there."""

    message = "{argument}={given!r}, expected {expected}: give such numbers."


class NothingFlows(ThroughtimeError, ValueError):
    """A penalty on the flow of error through time, of a cell that has no state."""

    message = (
        "The module's cell {cell} has no state, expected one that carries something "
        "from step to step: give a recurrent cell, such as LSTM()."
    )


class NoErrorFlowed(ThroughtimeError, RuntimeError):
    """A penalty on error that has not flowed yet."""

    message = "FlowPenalty has seen {given}, expected {expected}: {advice}."
