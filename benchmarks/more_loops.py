"""More cells as loops over the steps in plain PyTorch, as `loops` has them."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from benchmarks.loops import Loop, LSTMLoop, Tensors

ALPHA = 0.2
"""Of LeakyElman as it is built without arguments: 20 ms of 100 ms."""


class LayerNormLSTMLoop(Loop):
    gain_ih_l0: nn.Parameter
    gain_hh_l0: nn.Parameter
    gain_c_l0: nn.Parameter
    bias_c_l0: nn.Parameter

    def project(self, x: Tensor) -> Tensor:
        return _normed(linear(x, self.weight_ih_l0), self.gain_ih_l0, self.bias_ih_l0)

    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        h, c = state
        sums = _normed(h @ recurrent[0], self.gain_hh_l0, self.bias_hh_l0)
        i, f, g, o = (inputs + sums).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        normed = _normed(c, self.gain_c_l0, self.bias_c_l0)
        return torch.sigmoid(o) * torch.tanh(normed), c


def _normed(value: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    return nn.functional.layer_norm(value, value.shape[-1:], gain, bias)


class CoupledLSTMLoop(Loop):
    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        h, c = state
        f, g, o = self.affine(inputs, h, recurrent[0]).chunk(3, -1)
        f = torch.sigmoid(f)
        c = f * c + (1 - f) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class ProjectedLSTMLoop(LSTMLoop):
    weight_hr_l0: nn.Parameter

    def start(self, x: Tensor) -> Tensors:
        sizes = self.weight_hr_l0.shape
        h, c = (x.new_zeros(x.shape[1], size) for size in sizes)
        return h, c

    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        h, c = super().step(inputs, state, recurrent)
        return h @ self.weight_hr_l0.T, c


class MultiplicativeLSTMLoop(LSTMLoop):
    weight_im_l0: nn.Parameter
    weight_hm_l0: nn.Parameter

    def project(self, x: Tensor) -> Tensor:
        return torch.cat([linear(x, self.weight_im_l0), super().project(x)], -1)

    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        h, c = state
        factor, gates = inputs.tensor_split([h.shape[-1]], -1)
        m = factor * (h @ self.weight_hm_l0.T)
        return super().step(gates, (m, c), recurrent)


class MGULoop(Loop):
    def recurrent(self) -> Tensors:
        return self.weight_hh_l0.T.chunk(2, -1)

    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        (h,) = state
        f, n = inputs.chunk(2, -1)
        f = torch.sigmoid(self.affine(f, h, recurrent[0]))
        n = torch.tanh(self.affine(n, f * h, recurrent[1]))
        return ((1 - f) * h + f * n,)


class UGRNNLoop(Loop):
    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        (h,) = state
        g, n = self.affine(inputs, h, recurrent[0]).chunk(2, -1)
        g = torch.sigmoid(g)
        return (g * h + (1 - g) * torch.tanh(n),)


class JANETLoop(Loop):
    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        (h,) = state
        f, n = self.affine(inputs, h, recurrent[0]).chunk(2, -1)
        return (torch.sigmoid(f) * h + (1 - torch.sigmoid(f - 1)) * torch.tanh(n),)


class IndRNNLoop(Loop):
    def start(self, x: Tensor) -> Tensors:
        return (x.new_zeros(x.shape[1], *self.weight_hh_l0.shape),)

    def recurrent(self) -> Tensors:
        return (self.weight_hh_l0,)

    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        return (torch.relu(inputs + recurrent[0] * state[0]),)


class LeakyElmanLoop(Loop):
    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        r, v = state
        v = (1 - ALPHA) * v + ALPHA * self.affine(inputs, r, recurrent[0])
        return torch.relu(v), v


class JordanElmanLoop(Loop):
    weight_yh_l0: nn.Parameter
    weight_hy_l0: nn.Parameter
    bias_hy_l0: nn.Parameter

    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        y, h = state
        a = self.affine(inputs, h, recurrent[0])
        h = torch.tanh(self.affine(a, y, self.weight_yh_l0.T))
        return linear(h, self.weight_hy_l0, self.bias_hy_l0), h
