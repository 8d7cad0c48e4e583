"""The simple recurrent network."""

from throughtime.cells import papers
from throughtime.cells.activations import ACTIVATIONS, check_activation
from throughtime.graph import Cell, Parameter, State, Value


class Elman(Cell):
    r"""Simple recurrent network (Elman, Finding structure in time, 1990).

    .. math:: h_t = l(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    Shapes: x ``(B, F)``, h ``(B, H)``. ``activation`` is the function ``l``:
    ``"tanh"``, ``"relu"``, ``"sigmoid"`` or ``"identity"``.
    """

    references = (papers.ELMAN,)

    weight_ih = Parameter("hidden", "input")
    weight_hh = Parameter("hidden", "hidden")
    bias_ih = Parameter("hidden", role="bias")
    bias_hh = Parameter("hidden", role="bias")
    h = State("hidden")

    def __init__(self, activation: str = "tanh") -> None:
        self.activation = check_activation("Elman", activation)

    def step(self, x: Value, h: Value) -> Value:
        a = self.weight_ih @ x + self.bias_ih + self.weight_hh @ h + self.bias_hh
        return ACTIVATIONS[self.activation](a)
