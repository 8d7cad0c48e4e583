"""Independently recurrent network."""

from throughtime.cells import papers
from throughtime.cells.activations import ACTIVATIONS, check_activation
from throughtime.graph import Cell, Parameter, State, Value


class IndRNN(Cell):
    r"""Recurrent network of units that see only themselves (Li et al. 2018).

    Independently recurrent neural network, arXiv:1803.04831.

    .. math:: h_t = l(W_{ih} x_t + b_{ih} + w_{hh}\,h_{t-1} + b_{hh})

    Shapes: x ``(B, F)``, h ``(B, H)``. ``w_hh`` is a vector, a weight per unit, and
    starts at 1: what a unit holds, it keeps. ``activation`` is the function ``l``:
    ``"relu"``, ``"tanh"``, ``"sigmoid"`` or ``"identity"``.
    """

    references = (papers.INDRNN,)

    weight_ih = Parameter("hidden", "input")
    weight_hh = Parameter("hidden", init=1.0)
    bias_ih = Parameter("hidden", role="bias")
    bias_hh = Parameter("hidden", role="bias")
    h = State("hidden")

    def __init__(self, activation: str = "relu") -> None:
        self.activation = check_activation("IndRNN", activation)

    def step(self, x: Value, h: Value) -> Value:
        a = self.weight_ih @ x + self.bias_ih + self.weight_hh * h + self.bias_hh
        return ACTIVATIONS[self.activation](a)
