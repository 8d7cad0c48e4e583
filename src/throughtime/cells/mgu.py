"""Minimal gated unit."""

from throughtime.cells import papers
from throughtime.graph import Cell, Parameter, State, Value
from throughtime.math import sigmoid, split, tanh


class MGU(Cell):
    r"""Minimal gated unit: one gate forgets and resets (Zhou et al., arXiv:1603.09420).

    .. math::
        f &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        n &= \tanh(W_{in} x_t + b_{in} + W_{hn} (f\,h_{t-1}) + b_{hn}) \\
        h_t &= (1 - f)\,h_{t-1} + f\,n

    Shapes: x ``(B, F)``, h ``(B, H)``.
    """

    references = (papers.MGU,)

    weight_ih = Parameter("2*hidden", "input")
    weight_hh = Parameter("2*hidden", "hidden")
    bias_ih = Parameter("2*hidden", role="bias")
    bias_hh = Parameter("2*hidden", role="bias")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        a_f, a_n = split(self.weight_ih @ x + self.bias_ih + self.bias_hh, 2)
        weight_f, weight_n = split(self.weight_hh, 2)
        f = sigmoid(a_f + weight_f @ h)
        n = tanh(a_n + weight_n @ (f * h))
        return (1 - f) * h + f * n
