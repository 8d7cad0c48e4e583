"""Loops over the steps in plain PyTorch: what people write for a cell of their own.

The input projection stands before the loop in all of them. Two ways differ in how a
step gets its part of it: by its index, as most people write it, where autograd fills a
tensor of all steps with zeros for every step; or from `unbind`, with the recurrent
product and the sum in one call.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from benchmarks.peers import Weights

Tensors = tuple[Tensor, ...]
# Inputs (B, n), h (B, H), matrix (H, n): what a gate is a function of.
Affine = Callable[[Tensor, Tensor, Tensor], Tensor]


class Loop(nn.Module):
    """A layer whose parameters have the names of the state dictionary."""

    bias_hh_inside = False
    """True where a gate stands between the recurrent bias and the input's part."""

    weight_ih_l0: nn.Parameter
    weight_hh_l0: nn.Parameter
    bias_ih_l0: nn.Parameter
    bias_hh_l0: nn.Parameter

    def __init__(self, weights: Weights, states: int, unbound: bool) -> None:
        super().__init__()
        for name, weight in weights.items():
            self.register_parameter(name, nn.Parameter(weight.clone()))
        self.states = states
        self.unbound = unbound
        self.affine: Affine = _in_one_call if unbound else _in_two_calls

    def forward(self, x: Tensor) -> tuple[Tensor, Tensors]:
        inputs = self.project(x)
        state = self.start(x)
        recurrent = self.recurrent()
        outputs: list[Tensor] = []
        for step in self.steps(inputs):
            state = self.step(step, state, recurrent)
            outputs.append(state[0])
        return torch.stack(outputs), state

    def project(self, x: Tensor) -> Tensor:
        """Give what all steps need of x at once, ``(T, B, n)``."""
        bias = self.bias_ih_l0
        if not self.bias_hh_inside:
            bias = bias + self.bias_hh_l0
        return nn.functional.linear(x, self.weight_ih_l0, bias)  # (T, B, G·H)

    def start(self, x: Tensor) -> Tensors:
        """Give the state before the first step."""
        hidden = self.weight_hh_l0.shape[1]
        return (x.new_zeros(x.shape[1], hidden),) * self.states

    def steps(self, inputs: Tensor) -> Iterable[Tensor]:
        if self.unbound:
            return inputs.unbind(0)
        return (inputs[t] for t in range(len(inputs)))

    def recurrent(self) -> Tensors:
        """Give the recurrent matrices, each ``(H, n)``."""
        return (self.weight_hh_l0.T,)

    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        """Give the next state, the output first."""
        raise NotImplementedError


def _in_two_calls(inputs: Tensor, h: Tensor, matrix: Tensor) -> Tensor:
    return inputs + h @ matrix


def _in_one_call(inputs: Tensor, h: Tensor, matrix: Tensor) -> Tensor:
    return torch.addmm(inputs, h, matrix)


class RNNLoop(Loop):
    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        return (torch.tanh(self.affine(inputs, state[0], recurrent[0])),)


class GRULoop(Loop):
    bias_hh_inside = True

    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        (h,) = state
        r, z, n = inputs.chunk(3, -1)
        r_h, z_h, n_h = self.affine(self.bias_hh_l0, h, recurrent[0]).chunk(3, -1)
        r, z = torch.sigmoid(r + r_h), torch.sigmoid(z + z_h)
        n = torch.tanh(n + r * n_h)
        return ((1 - z) * n + z * h,)


class GRUBeforeLoop(Loop):
    def recurrent(self) -> Tensors:
        hidden = self.weight_hh_l0.shape[1]
        return tuple(self.weight_hh_l0.T.split([2 * hidden, hidden], -1))

    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        (h,) = state
        gates, n = inputs.split([part.shape[1] for part in recurrent], -1)
        r, z = torch.sigmoid(self.affine(gates, h, recurrent[0])).chunk(2, -1)
        n = torch.tanh(self.affine(n, r * h, recurrent[1]))
        return ((1 - z) * n + z * h,)


class LSTMLoop(Loop):
    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        h, c = state
        i, f, g, o = self.affine(inputs, h, recurrent[0]).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class PeepholeLSTMLoop(Loop):
    peephole_i_l0: nn.Parameter
    peephole_f_l0: nn.Parameter
    peephole_o_l0: nn.Parameter

    def step(self, inputs: Tensor, state: Tensors, recurrent: Tensors) -> Tensors:
        h, c = state
        i, f, g, o = self.affine(inputs, h, recurrent[0]).chunk(4, -1)
        i = torch.sigmoid(i + self.peephole_i_l0 * c)
        f = torch.sigmoid(f + self.peephole_f_l0 * c)
        c = f * c + i * torch.tanh(g)
        return torch.sigmoid(o + self.peephole_o_l0 * c) * torch.tanh(c), c
