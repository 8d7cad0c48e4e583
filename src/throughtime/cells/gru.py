"""Gated recurrent unit."""

from throughtime.cells import papers
from throughtime.errors import CellError
from throughtime.graph import Cell, Parameter, State, Value
from throughtime.math import sigmoid, split, tanh


class GRU(Cell):
    r"""Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078).

    .. math::
        r &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n &= \tanh(W_{in} x_t + b_{in} + r\,(W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z)\,n + z\,h_{t-1}

    Shapes: x ``(B, F)``, h ``(B, H)``. With ``reset_after=False`` the reset gate
    comes before the product, as in the paper's first version:
    ``n = tanh(W_in x + b_in + W_hn (r h) + b_hn)``.
    """

    references = (papers.GRU,)

    weight_ih = Parameter("3*hidden", "input")
    weight_hh = Parameter("3*hidden", "hidden")
    bias_ih = Parameter("3*hidden", role="bias")
    bias_hh = Parameter("3*hidden", role="bias")
    h = State("hidden")

    def __init__(self, reset_after: bool = True) -> None:
        if not isinstance(reset_after, bool):
            raise CellError(
                cell="GRU",
                reason=f"reset_after is {reset_after!r}; it must be True or False",
            )
        self.reset_after = reset_after

    def step(self, x: Value, h: Value) -> Value:
        inputs = split(self.weight_ih @ x + self.bias_ih, 3)
        weights = split(self.weight_hh, 3)
        biases = split(self.bias_hh, 3)
        r = sigmoid(inputs[0] + weights[0] @ h + biases[0])
        z = sigmoid(inputs[1] + weights[1] @ h + biases[1])
        if self.reset_after:
            n = tanh(inputs[2] + r * (weights[2] @ h + biases[2]))
        else:
            n = tanh(inputs[2] + weights[2] @ (r * h) + biases[2])
        return (1 - z) * n + z * h
