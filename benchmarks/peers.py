"""Who takes part: each peer runs the same layer with the same weights.

A new peer is a class here and an entry of `PEERS`: `name`, the `cells` and the `works`
that it has, and two methods. It is built from a state dictionary, so its numbers can
be compared before its times are.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

import throughtime as tt
from benchmarks.shapes import GATES, WORKS, Shape, Work

Weights = Mapping[str, Tensor]


class Peer(ABC):
    """One way to run one layer of a cell in float32.

    Parameters
    ----------
    cell
        A name in `cells`.
    shape
        The extent.
    weights
        Of the layer, under `torch.nn`'s names.
    """

    name: ClassVar[str]
    cells: ClassVar[frozenset[str]]
    works: ClassVar[frozenset[Work]] = frozenset(WORKS)

    @abstractmethod
    def __init__(self, cell: str, shape: Shape, weights: Weights) -> None: ...

    @abstractmethod
    def infer(self, x: Tensor) -> Tensor:
        """Give the outputs ``(T, B, H)`` for x ``(T, B, I)``, without a gradient."""

    @abstractmethod
    def train(self, x: Tensor, error: Tensor) -> list[Tensor]:
        """Give the gradients of all weights, and of x if it wants one, in order.

        ``error`` is ∂L/∂output, ``(T, B, H)``.
        """


class TorchPeer(Peer):
    """What runs through PyTorch's autograd: a peer with a `forward`."""

    def __init__(self, cell: str, shape: Shape, weights: Weights) -> None:
        self.module = self.build(cell, shape)
        self.module.load_state_dict(weights)
        self.parameters = [self.module.get_parameter(name) for name in weights]

    @abstractmethod
    def build(self, cell: str, shape: Shape) -> nn.Module:
        """Make a module that gives the outputs, or a tuple that begins with them."""

    def infer(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.module(x)[0]

    def train(self, x: Tensor, error: Tensor) -> list[Tensor]:
        output = self.module(x)[0]
        leaves = [*self.parameters, x] if x.requires_grad else self.parameters
        return list(torch.autograd.grad(output, leaves, error))


def layer_of(cell: str, shape: Shape) -> tt.nn.Recurrent:
    """Build our layer of a cell."""
    made = tt.cells.Elman() if cell == "RNN" else getattr(tt.cells, cell)()
    return tt.nn.Recurrent(made, shape.inputs, shape.hidden, backend="llvm")


class Ours(TorchPeer):
    """The compiled layers."""

    name = "throughtime"
    cells = frozenset(GATES)

    def build(self, cell: str, shape: Shape) -> nn.Module:
        return layer_of(cell, shape)


class TorchNN(TorchPeer):
    """PyTorch's own layers; its LSTM runs through oneDNN."""

    name = "torch.nn"
    cells = frozenset({"RNN", "GRU", "LSTM"})

    def build(self, cell: str, shape: Shape) -> nn.Module:
        return getattr(nn, cell)(shape.inputs, shape.hidden)


class EagerLoop(TorchPeer):
    """What people write for a cell that `torch.nn` has not."""

    name = "eager loop"
    cells = frozenset({"PeepholeLSTM"})

    def build(self, cell: str, shape: Shape) -> nn.Module:
        return PeepholeLoop(shape.inputs, shape.hidden)


class PeepholeLoop(nn.Module):
    """A peephole LSTM in plain PyTorch, its input projection before the loop."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.weight_ih_l0 = nn.Parameter(torch.empty(4 * hidden, inputs))
        self.weight_hh_l0 = nn.Parameter(torch.empty(4 * hidden, hidden))
        self.bias_ih_l0 = nn.Parameter(torch.empty(4 * hidden))
        self.bias_hh_l0 = nn.Parameter(torch.empty(4 * hidden))
        self.peephole_i_l0 = nn.Parameter(torch.empty(hidden))
        self.peephole_f_l0 = nn.Parameter(torch.empty(hidden))
        self.peephole_o_l0 = nn.Parameter(torch.empty(hidden))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        bias = self.bias_ih_l0 + self.bias_hh_l0
        inputs = nn.functional.linear(x, self.weight_ih_l0, bias)  # (T, B, 4·H)
        recurrent = self.weight_hh_l0.T
        h = x.new_zeros(x.shape[1], self.hidden)
        c = h
        outputs: list[Tensor] = []
        for step in inputs.unbind(0):
            i, f, g, o = torch.addmm(step, h, recurrent).chunk(4, -1)
            i = torch.sigmoid(i + self.peephole_i_l0 * c)
            f = torch.sigmoid(f + self.peephole_f_l0 * c)
            c = f * c + i * torch.tanh(g)
            h = torch.sigmoid(o + self.peephole_o_l0 * c) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs), (h, c)


PEERS: tuple[type[Peer], ...] = (TorchNN, EagerLoop)


def peers_of(cell: str) -> list[type[Peer]]:
    """Give the peers that have a cell."""
    return [peer for peer in PEERS if cell in peer.cells]


def weights_of(cell: str, shape: Shape) -> dict[str, Tensor]:
    """Draw the weights that all peers share."""
    torch.manual_seed(0)
    return dict(layer_of(cell, shape).state_dict())
