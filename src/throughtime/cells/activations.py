"""Activation functions that a cell can be given by name."""

from collections.abc import Callable

from throughtime.errors import CellError
from throughtime.graph import Value
from throughtime.math import relu, sigmoid, tanh


def _identity(value: Value) -> Value:
    return value


ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "tanh": tanh,
    "relu": relu,
    "sigmoid": sigmoid,
    "identity": _identity,
}


def check_activation(cell: str, activation: str) -> str:
    """Give the name back if there is such an activation, else raise."""
    if activation not in ACTIVATIONS:
        raise CellError(
            cell=cell,
            reason=f"activation is {activation!r}; it must be one of "
            + ", ".join(ACTIVATIONS),
        )
    return activation
