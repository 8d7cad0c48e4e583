"""Mistakes in looking at what happens inside a network."""

from throughtime.errors.base import ThroughtimeError


class NothingFlows(ThroughtimeError, ValueError):
    """A penalty on the flow of error through time, of a cell that has no state."""

    message = (
        "The module's cell {cell} has no state, expected one that carries something "
        "from step to step: give a recurrent cell, such as LSTM()."
    )


class NoErrorFlowed(ThroughtimeError, RuntimeError):
    """A penalty on error that has not flowed yet."""

    message = "FlowPenalty has seen {given}, expected {expected}: {advice}."
