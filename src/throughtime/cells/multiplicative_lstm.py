"""Long short-term memory whose recurrent weights depend on the input."""

from throughtime.cells import papers
from throughtime.cells.lstm import LSTM
from throughtime.graph import Parameter, Value


class MultiplicativeLSTM(LSTM):
    r"""LSTM with another transition for each input (Krause et al., arXiv:1609.07959).

    .. math::
        m &= (W_{im} x_t)\,(W_{hm} h_{t-1}) \\
        (i, f, g, o) &= W_{ih} x_t + b_{ih} + W_{hh} m + b_{hh} \\
        c_t &= \sigma(f)\,c_{t-1} + \sigma(i) \tanh(g) \\
        h_t &= \sigma(o) \tanh(c_t)

    Shapes: x ``(B, F)``, m, h and c ``(B, H)``.
    """

    references = (papers.MULTIPLICATIVE, *LSTM.references)

    weight_im = Parameter("hidden", "input")
    weight_hm = Parameter("hidden", "hidden")

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        m = (self.weight_im @ x) * (self.weight_hm @ h)
        return super().step(x, m, c)
