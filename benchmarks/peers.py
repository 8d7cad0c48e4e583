"""Who takes part: each peer runs the same layer with the same weights.

A new peer is a class with a `name`, the `cells` and the `works` that it has, and one
method, and an entry of `contestants.SOURCES`. It is built from a state dictionary, so
its numbers can be compared before its times are.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import throughtime as tt
from benchmarks.shapes import PRODUCTS, WORKS, Shape, Work
from throughtime.graph import Cell, trace

Weights = Mapping[str, Tensor]

CELLS: dict[str, Callable[[], Cell]] = {
    "RNN": tt.cells.Elman,
    "GRU": tt.cells.GRU,
    "GRUBefore": partial(tt.cells.GRU, reset_after=False),
    "LSTM": tt.cells.LSTM,
    "PeepholeLSTM": tt.cells.PeepholeLSTM,
    "LayerNormLSTM": tt.cells.LayerNormLSTM,
    "CoupledLSTM": tt.cells.CoupledLSTM,
    "ProjectedLSTM": tt.cells.ProjectedLSTM,
    "MultiplicativeLSTM": tt.cells.MultiplicativeLSTM,
    "MGU": tt.cells.MGU,
    "UGRNN": tt.cells.UGRNN,
    "JANET": tt.cells.JANET,
    "IndRNN": tt.cells.IndRNN,
    "LeakyElman": tt.cells.LeakyElman,
    "JordanElman": tt.cells.JordanElman,
}


@dataclass(frozen=True)
class Run:
    """Work that is ready to be done again and again.

    ``once`` does it and waits until it is done: this is timed. ``tensors`` turns what
    ``once`` gave into the outputs ``(T, B, H)``, or into the gradients of all weights,
    and of x where it has one, in our order and layout: this is not timed. ``way`` says
    which of several ways was chosen, where a peer has some.
    """

    once: Callable[[], Any]
    tensors: Callable[[Any], list[Tensor]]
    way: str | None = None


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
    def run(self, work: Work, x: Tensor, error: Tensor) -> Run:
        """Prepare work on x ``(T, B, I)``, in the peer's own layout of arrays.

        ``error`` is ∂L/∂output, ``(T, B, H)``.
        """


class TorchPeer(Peer):
    """What runs through PyTorch's autograd: a peer that builds a module."""

    def __init__(self, cell: str, shape: Shape, weights: Weights) -> None:
        self.module = self.build(cell, shape, weights)
        self.module.load_state_dict(weights)
        self.parameters = [self.module.get_parameter(name) for name in weights]
        self.forward: Callable[[Tensor], Any] = self.module

    @abstractmethod
    def build(self, cell: str, shape: Shape, weights: Weights) -> nn.Module:
        """Make a module that gives the outputs, or a tuple that begins with them."""

    def run(self, work: Work, x: Tensor, error: Tensor) -> Run:
        if work == "inference":
            return Run(partial(self.infer, x), lambda output: [output])
        x = x.clone().requires_grad_(work == "training with ∂x")
        return Run(partial(self.train, x, error), list)

    def infer(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.forward(x)[0]

    def train(self, x: Tensor, error: Tensor) -> tuple[Tensor, ...]:
        output = self.forward(x)[0]
        leaves = [*self.parameters, x] if x.requires_grad else self.parameters
        return torch.autograd.grad(output, leaves, error)


def layer_of(cell: str, shape: Shape) -> tt.nn.Recurrent:
    """Build our layer of a cell."""
    return tt.nn.Recurrent(CELLS[cell](), shape.inputs, shape.hidden, backend="llvm")


def output_size(cell: str, shape: Shape) -> int:
    """Count the units that a layer gives: H, but for a projection."""
    return trace(CELLS[cell](), shape.inputs, shape.hidden).output_size


class Ours(TorchPeer):
    """The compiled layers."""

    name = "throughtime"
    cells = frozenset(PRODUCTS)

    def build(self, cell: str, shape: Shape, weights: Weights) -> nn.Module:
        return layer_of(cell, shape)


class TorchNN(TorchPeer):
    """PyTorch's own layers; its LSTM runs through oneDNN."""

    name = "torch.nn"
    cells = frozenset({"RNN", "GRU", "LSTM"})

    def build(self, cell: str, shape: Shape, weights: Weights) -> nn.Module:
        return getattr(nn, cell)(shape.inputs, shape.hidden)


def weights_of(cell: str, shape: Shape) -> dict[str, Tensor]:
    """Draw the weights that all peers share."""
    torch.manual_seed(0)
    return dict(layer_of(cell, shape).state_dict())
