"""Long short-term memory whose gates see the cell state."""

from throughtime.cells import papers
from throughtime.cells.lstm import LSTM
from throughtime.graph import Parameter, Value
from throughtime.math import sigmoid, split, tanh


class PeepholeLSTM(LSTM):
    r"""LSTM with peepholes.

    After Gers & Schmidhuber, Recurrent nets that time and count (2000).

    .. math::
        i &= \sigma(a_i + p_i\,c_{t-1}), \quad f = \sigma(a_f + p_f\,c_{t-1}) \\
        c_t &= f\,c_{t-1} + i \tanh(a_g) \\
        o &= \sigma(a_o + p_o\,c_t), \quad h_t = o \tanh(c_t)

    with ``a = W_ih x + b_ih + W_hh h + b_hh`` as in `LSTM`.
    Shapes: x ``(B, F)``, h and c ``(B, H)``.
    """

    references = (papers.PEEPHOLES, *LSTM.references)

    peephole_i = Parameter("hidden")
    peephole_f = Parameter("hidden")
    peephole_o = Parameter("hidden")

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        a = self.weight_ih @ x + self.bias_ih + self.weight_hh @ h + self.bias_hh
        i, f, g, o = split(a, 4)
        i = sigmoid(i + self.peephole_i * c)
        f = sigmoid(f + self.peephole_f * c)
        g = tanh(g)
        c = f * c + i * g
        o = sigmoid(o + self.peephole_o * c)
        h = o * tanh(c)
        return h, c
