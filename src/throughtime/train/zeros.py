"""How much of each layer's output is exactly 0: what sparsity there is to use.

Sigmoid and tanh are never exactly 0, a ReLU is for about half of its inputs.
"""

import torch
from torch import Tensor, nn

from throughtime.nn import Recurrent


class ZeroCounter:
    """Counts zeros in the output of every layer of a network.

    Parameters
    ----------
    network
        The network. Each stack of its first layers shares its weights, so that what is
        counted is what the network itself computes.
    """

    def __init__(self, network: Recurrent) -> None:
        self._stacks = [_first(network, k + 1) for k in range(network.num_layers)]

    @torch.no_grad()
    def fractions(self, input: Tensor, lengths: Tensor) -> list[float]:
        """Return the fraction of exact zeros per layer, padding left out.

        Parameters
        ----------
        input
            ``(T, B, F)``, what the network is given.
        lengths
            ``(B,)``.
        """
        step = torch.arange(input.shape[0])[:, None]
        alive = (step < lengths.cpu()).to(input.device)
        outputs = [stack(input, lengths=lengths)[0] for stack in self._stacks]
        return [(output[alive] == 0).double().mean().item() for output in outputs]


def _first(network: Recurrent, layers: int) -> nn.Module:
    if layers == network.num_layers:
        return network
    own = dict(network.named_parameters())
    # Its own first weights are replaced at once: no draw of the training is used up.
    with torch.random.fork_rng(devices=[]):
        stack = Recurrent.from_graphs(
            network.graphs[:layers],
            bidirectional=network.bidirectional,
            backend=network.backend,
        )
    for name, _ in list(stack.named_parameters()):
        setattr(stack, name, own[name])
    return stack.eval()
