"""The functions of the lab's units, by the names that papers give them."""

from throughtime.errors import BadExperiment
from throughtime.errors.base import did_you_mean

_IN_A_CELL = {
    "linear": "identity",
    "relu": "relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
}
ACTIVATIONS = tuple(_IN_A_CELL)


def check_activation(activation: str) -> str:
    """Give the name back if there is such an activation, else raise `BadExperiment`."""
    if activation not in ACTIVATIONS:
        raise BadExperiment(
            argument="activation",
            given=activation,
            expected=f"one of {', '.join(ACTIVATIONS)}",
            advice=f"give one{did_you_mean(activation, ACTIVATIONS)}",
        )
    return activation


def in_a_cell(activation: str) -> str:
    """What the cells of this package call it."""
    return _IN_A_CELL[activation]
