"""Long short-term memory with one gate for input and forgetting."""

from throughtime.cells import papers
from throughtime.cells.lstm import LSTM
from throughtime.graph import Parameter, Value
from throughtime.math import sigmoid, split, tanh


class CoupledLSTM(LSTM):
    r"""LSTM that takes in as much as it forgets (Greff et al., arXiv:1503.04069).

    .. math::
        (f, g, o) &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        c_t &= \sigma(f)\,c_{t-1} + (1 - \sigma(f)) \tanh(g) \\
        h_t &= \sigma(o) \tanh(c_t)

    Shapes: x ``(B, F)``, h and c ``(B, H)``.
    """

    references = (papers.SEARCH_SPACE, *LSTM.references)

    weight_ih = Parameter("3*hidden", "input")
    weight_hh = Parameter("3*hidden", "hidden")
    bias_ih = Parameter("3*hidden", role="bias")
    bias_hh = Parameter("3*hidden", role="bias")

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        a = self.weight_ih @ x + self.bias_ih + self.weight_hh @ h + self.bias_hh
        f, g, o = split(a, 3)
        f, g, o = sigmoid(f), tanh(g), sigmoid(o)
        c = f * c + (1 - f) * g
        h = o * tanh(c)
        return h, c
