"""Long short-term memory."""

from throughtime.cells import papers
from throughtime.graph import Cell, Parameter, State, Value
from throughtime.math import sigmoid, split, tanh


class LSTM(Cell):
    r"""Long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    .. math::
        (i, f, g, o) &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        c_t &= \sigma(f)\,c_{t-1} + \sigma(i) \tanh(g) \\
        h_t &= \sigma(o) \tanh(c_t)

    Shapes: x ``(B, F)``, h and c ``(B, H)``. The recurrent edge of c has the fixed
    weight 1 where f is open: error is carried unchanged.
    """

    references = (papers.LSTM, papers.FORGET_GATE)

    weight_ih = Parameter("4*hidden", "input")
    weight_hh = Parameter("4*hidden", "hidden")
    bias_ih = Parameter("4*hidden", role="bias")
    bias_hh = Parameter("4*hidden", role="bias")
    h = State("hidden")
    c = State("hidden")

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        a = self.weight_ih @ x + self.bias_ih + self.weight_hh @ h + self.bias_hh
        i, f, g, o = split(a, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * tanh(c)
        return h, c
