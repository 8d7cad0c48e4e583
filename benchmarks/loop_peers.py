"""The loops as peers: which loop is which cell, and the three ways to run them."""

import torch
from torch import Tensor, nn

from benchmarks import loops, more_loops
from benchmarks.peers import Run, TorchPeer, Weights
from benchmarks.shapes import PRODUCTS, Shape, Work

# Each with its number of states.
LOOPS: dict[str, tuple[type[loops.Loop], int]] = {
    "RNN": (loops.RNNLoop, 1),
    "GRU": (loops.GRULoop, 1),
    "GRUBefore": (loops.GRUBeforeLoop, 1),
    "LSTM": (loops.LSTMLoop, 2),
    "PeepholeLSTM": (loops.PeepholeLSTMLoop, 2),
    "LayerNormLSTM": (more_loops.LayerNormLSTMLoop, 2),
    "CoupledLSTM": (more_loops.CoupledLSTMLoop, 2),
    "ProjectedLSTM": (more_loops.ProjectedLSTMLoop, 2),
    "MultiplicativeLSTM": (more_loops.MultiplicativeLSTMLoop, 2),
    "MGU": (more_loops.MGULoop, 1),
    "UGRNN": (more_loops.UGRNNLoop, 1),
    "JANET": (more_loops.JANETLoop, 1),
    "IndRNN": (more_loops.IndRNNLoop, 1),
    "LeakyElman": (more_loops.LeakyElmanLoop, 2),
    "JordanElman": (more_loops.JordanElmanLoop, 2),
}


class EagerLoop(TorchPeer):
    """`for t in range(T)`, with `inputs[t] + h @ W.T`."""

    name = "eager loop"
    cells = frozenset(PRODUCTS)

    def build(self, cell: str, shape: Shape, weights: Weights) -> nn.Module:
        loop, states = LOOPS[cell]
        return loop(weights, states, unbound=False)


class UnboundLoop(TorchPeer):
    """`for step in inputs.unbind(0)`, with `torch.addmm`: a careful eager loop."""

    name = "eager loop (unbound)"
    cells = frozenset(PRODUCTS)

    def build(self, cell: str, shape: Shape, weights: Weights) -> nn.Module:
        loop, states = LOOPS[cell]
        return loop(weights, states, unbound=True)


class CompiledLoop(EagerLoop):
    """The eager loop under `torch.compile`, which unrolls all its steps."""

    name = "torch.compile"

    def run(self, work: Work, x: Tensor, error: Tensor) -> Run:
        # All loops are one piece of code: without a reset the limit of compilations
        # of one piece would be reached, and the rest would run eagerly.
        torch.compiler.reset()
        # The first call then takes as long as compiling does, not as reading a file.
        torch.compiler.config.force_disable_caches = True
        self.forward = torch.compile(self.module, fullgraph=True, dynamic=False)
        return super().run(work, x, error)
