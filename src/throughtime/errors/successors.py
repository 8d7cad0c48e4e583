"""Mistakes around networks that stand in the place of a recurrent one."""

from throughtime.errors.base import ThroughtimeError


class NotRecurrent(ThroughtimeError, TypeError):
    """A convolution or attention, where equations of one time step are needed."""

    message = (
        "The model's network is {given}, expected Recurrent, whose equations of one "
        "time step are needed here: give a model that was trained from a cell."
    )


class ItemsForSuccessor(ThroughtimeError, ValueError):
    """Events whose steps name items, given to what reads vectors."""

    message = (
        "'{data}' has steps that name items, expected numbers or categories, which is "
        "all that {name} reads: train a recurrent network on it."
    )


class SuccessorDiverged(ThroughtimeError, ArithmeticError):
    """A loss or gradient that is no longer a finite number."""

    message = (
        "{what} of {name} is {given} at update {update}, expected a finite number: "
        "give a learning_rate below {rate}."
    )
