"""Three cells as their papers print them, written with the README alone."""
# ruff: noqa: ANN001, ANN201

from throughtime import Cell, Parameter, State
from throughtime.math import concat, relu, sigmoid, split, tanh


class MinimalGatedUnit(Cell):
    """Zhou et al. 2016, Minimal gated unit for recurrent neural networks."""

    W_f = Parameter("hidden", "hidden + input")
    b_f = Parameter("hidden", role="bias")
    W_h = Parameter("hidden", "hidden + input")
    b_h = Parameter("hidden", role="bias")
    h = State("hidden")

    def step(self, x, h):
        f = sigmoid(self.W_f @ concat(h, x) + self.b_f)
        candidate = tanh(self.W_h @ concat(f * h, x) + self.b_h)
        return (1 - f) * h + f * candidate


class CoupledLSTM(Cell):
    """Greff et al. 2017, LSTM: a search space odyssey; the variant CIFG: f = 1 − i."""

    W = Parameter("3*hidden", "input")
    R = Parameter("3*hidden", "hidden")
    b = Parameter("3*hidden", role="bias")
    p_i = Parameter("hidden")
    p_o = Parameter("hidden")
    y = State("hidden")
    c = State("hidden")

    def step(self, x, y, c):
        z, i, o = split(self.W @ x + self.R @ y + self.b, 3)
        i = sigmoid(i + self.p_i * c)
        f = 1 - i
        c = tanh(z) * i + c * f
        o = sigmoid(o + self.p_o * c)
        return tanh(c) * o, c


class IndRNN(Cell):
    """Li et al. 2018, Independently recurrent neural network: a weight per unit."""

    W = Parameter("hidden", "input")
    u = Parameter("hidden", init=0.9)
    b = Parameter("hidden", role="bias")
    h = State("hidden")

    def step(self, x, h):
        return relu(self.W @ x + self.u * h + self.b)
