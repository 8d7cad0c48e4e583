"""Just another network: an LSTM that has the forget gate alone."""

from throughtime.cells import papers
from throughtime.cells.arguments import check_number
from throughtime.graph import Cell, Parameter, State, Value
from throughtime.math import sigmoid, split, tanh


class JANET(Cell):
    r"""LSTM with the forget gate alone (van der Westhuizen, Lasenby, arXiv:1804.04849).

    .. math::
        (f, n) &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        h_t &= \sigma(f)\,h_{t-1} + (1 - \sigma(f - \beta)) \tanh(n)

    Shapes: x ``(B, F)``, h ``(B, H)``. With ``beta`` above 0 more is taken in than
    forgotten.
    """

    references = (papers.JANET,)

    weight_ih = Parameter("2*hidden", "input")
    weight_hh = Parameter("2*hidden", "hidden")
    bias_ih = Parameter("2*hidden", role="bias")
    bias_hh = Parameter("2*hidden", role="bias")
    h = State("hidden")

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = check_number("JANET", "beta", beta)

    def step(self, x: Value, h: Value) -> Value:
        a = self.weight_ih @ x + self.bias_ih + self.weight_hh @ h + self.bias_hh
        f, n = split(a, 2)
        n = tanh(n)
        return sigmoid(f) * h + (1 - sigmoid(f - self.beta)) * n
