"""A layer without recurrent edges."""

from throughtime.cells import papers
from throughtime.cells.activations import ACTIVATIONS, check_activation
from throughtime.graph import Cell, Parameter, Value


class Feedforward(Cell):
    r"""Feedforward layer: every step on its own (Rumelhart, Hinton, Williams 1986).

    .. math:: v_t = l(W x_t + b)

    Shapes: x ``(B, F)`` -> v ``(B, H)``. ``activation`` is the function ``l``:
    ``"tanh"``, ``"relu"``, ``"sigmoid"`` or ``"identity"``.
    """

    references = (papers.BACKPROPAGATION,)

    weight = Parameter("hidden", "input")
    bias = Parameter("hidden", role="bias")

    def __init__(self, activation: str = "relu") -> None:
        self.activation = check_activation("Feedforward", activation)

    def step(self, x: Value) -> Value:
        a = self.weight @ x + self.bias
        return ACTIVATIONS[self.activation](a)
