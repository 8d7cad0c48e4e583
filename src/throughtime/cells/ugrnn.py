"""Update gate network."""

from throughtime.cells import papers
from throughtime.cells.activations import ACTIVATIONS, check_activation
from throughtime.graph import Cell, Parameter, State, Value
from throughtime.math import sigmoid, split


class UGRNN(Cell):
    r"""Update gate network (Collins, Sohl-Dickstein, Sussillo, arXiv:1611.09913).

    .. math::
        (g, n) &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        h_t &= \sigma(g)\,h_{t-1} + (1 - \sigma(g))\,l(n)

    Shapes: x ``(B, F)``, h ``(B, H)``. ``activation`` is the function ``l``:
    ``"tanh"``, ``"relu"``, ``"sigmoid"`` or ``"identity"``.
    """

    references = (papers.UGRNN,)

    weight_ih = Parameter("2*hidden", "input")
    weight_hh = Parameter("2*hidden", "hidden")
    bias_ih = Parameter("2*hidden", role="bias")
    bias_hh = Parameter("2*hidden", role="bias")
    h = State("hidden")

    def __init__(self, activation: str = "tanh") -> None:
        self.activation = check_activation("UGRNN", activation)

    def step(self, x: Value, h: Value) -> Value:
        a = self.weight_ih @ x + self.bias_ih + self.weight_hh @ h + self.bias_hh
        g, n = split(a, 2)
        g, n = sigmoid(g), ACTIVATIONS[self.activation](n)
        return g * h + (1 - g) * n
