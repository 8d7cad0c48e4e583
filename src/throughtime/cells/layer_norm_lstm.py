"""Long short-term memory with layer normalisation."""

from throughtime.cells import papers
from throughtime.cells.arguments import check_number
from throughtime.cells.lstm import LSTM
from throughtime.cells.normalisation import layer_norm
from throughtime.graph import Parameter, Value
from throughtime.math import sigmoid, split, tanh


class LayerNormLSTM(LSTM):
    r"""LSTM whose sums and cell state are normalised (Ba et al., arXiv:1607.06450).

    .. math::
        (i, f, g, o) &= \mathrm{N}(W_{ih} x_t; \gamma_{ih}, b_{ih})
            + \mathrm{N}(W_{hh} h_{t-1}; \gamma_{hh}, b_{hh}) \\
        c_t &= \sigma(f)\,c_{t-1} + \sigma(i) \tanh(g) \\
        h_t &= \sigma(o) \tanh(\mathrm{N}(c_t; \gamma_c, b_c))

    ``N(a; γ, b) = γ (a - μ) / √(v + ε) + b`` with mean μ and variance v over all
    entries of the vector a, of all four gates together. Biases start at 0, gains at 1
    but for γ_hh, which starts at ``recurrent_gain``: at 1 the network is chaotic and
    its gradients explode (Cooijmans et al., arXiv:1603.09025, take 0.1 as well).
    Shapes: x ``(B, F)``, h and c ``(B, H)``.
    """

    references = (papers.LAYER_NORM, *LSTM.references)

    bias_ih = Parameter("4*hidden", init="zeros", role="bias")
    bias_hh = Parameter("4*hidden", init="zeros", role="bias")
    gain_ih = Parameter("4*hidden", init=1.0)
    gain_c = Parameter("hidden", init=1.0)
    bias_c = Parameter("hidden", init="zeros", role="bias")

    def __init__(self, recurrent_gain: float = 0.1) -> None:
        self.recurrent_gain = check_number(
            "LayerNormLSTM", "recurrent_gain", recurrent_gain
        )
        self.gain_hh = Parameter("4*hidden", init=self.recurrent_gain)

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        inputs = layer_norm(self.weight_ih @ x, self.gain_ih, self.bias_ih)
        recurrent = layer_norm(self.weight_hh @ h, self.gain_hh, self.bias_hh)
        i, f, g, o = split(inputs + recurrent, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * tanh(layer_norm(c, self.gain_c, self.bias_c))
        return h, c
