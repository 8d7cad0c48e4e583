"""How much of each layer's output is exactly 0: what sparsity there is to use.

Sigmoid and tanh are never exactly 0, a ReLU is for about half of its inputs.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from throughtime.nn import Recurrent, SparseSequences


class ZeroCounter:
    """Counts zeros in the output of every layer of a network.

    Parameters
    ----------
    network
        The network. Each of its layers, as a network of its own, shares its weights, so
        that what is counted is what the network itself computes.
    """

    def __init__(self, network: Recurrent) -> None:
        self._layers = list(_layers(network))
        self._residual = network.residual

    @torch.no_grad()
    def fractions(
        self, input: Tensor | SparseSequences, lengths: Tensor, **inputs: Tensor
    ) -> list[float]:
        """Return the fraction of exact zeros per layer, padding left out.

        Parameters
        ----------
        input
            ``(T, B, F)``, what the network is given; sparse where it takes that.
        lengths
            ``(B,)``.
        **inputs
            The cell's further inputs, ``(T, B, n)``.
        """
        step = torch.arange(input.shape[0])[:, None]
        alive = step < lengths.cpu()
        found: list[float] = []
        value: Any = input
        for index, layer in enumerate(self._layers):
            own = None if layer.sparse_input else lengths  # sparse ones know theirs
            output, _ = layer(value, lengths=own, **inputs)
            here = alive.to(output.device)
            found.append((output[here] == 0).double().mean().item())
            value = output + value if index and self._residual else output
        return found


def _layers(network: Recurrent) -> Iterator[Recurrent]:
    own = network.named_parameters(remove_duplicate=False)
    for index, graph in enumerate(network.graphs):
        # On the device "meta" no random number of the training is used up.
        layer = Recurrent.from_graphs(
            [graph],
            bidirectional=network.bidirectional,
            sparse_input=network.sparse_input and not index,
            backend=network.backend,
            device="meta",
        )
        for name, _ in list(layer.named_parameters()):
            _, weight = next(own)  # layer by layer, in the same order
            setattr(layer, name, weight)
        yield layer.eval()  # nor is one where the cell has masks
