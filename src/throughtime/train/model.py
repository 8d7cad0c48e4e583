"""A trained model: preprocessing, recurrent network and output in one module."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from throughtime.nn import Recurrent
from throughtime.nn.heads import Pooling, Softmax, pool
from throughtime.train.readers import Embed, Standardise


class Model(nn.Module):
    """From raw sequences to answers.

    Parameters
    ----------
    reader
        Makes what the network takes of what the data hold.
    network
        The recurrent layers.
    head
        The output.
    labels
        Names of the K answers: classes, or symbols.
    pooling
        How one answer per sequence is made; None: one answer per step.
    """

    def __init__(
        self,
        reader: Standardise | Embed,
        network: Recurrent,
        head: Softmax,
        labels: Sequence[str],
        pooling: Pooling | None,
    ) -> None:
        super().__init__()
        self.reader, self.network, self.head = reader, network, head
        self.labels = tuple(labels)
        self.pooling = pooling

    def logits(
        self,
        input: Tensor,
        state: Sequence[Tensor] | None = None,
        *,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Run the network; arguments and results as of `forward`, before softmax."""
        output, state = self.network(
            self.reader(input, self.head.weight.dtype), state, lengths=lengths
        )
        if self.pooling is not None:
            if lengths is None:
                lengths = torch.full((output.shape[1],), output.shape[0])
            directions = self.network.directions
            output = pool(output, lengths, self.pooling, directions=directions)
        return self.head.logits(output), state

    def forward(
        self,
        input: Tensor,
        state: Sequence[Tensor] | None = None,
        *,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Answer sequences.

        Parameters
        ----------
        input
            Raw features ``(T, B, F)``, or symbols ``(T, B)``.
        state
            Where the network starts; None: where its cell does.
        lengths
            ``(B,)``, the steps that count; None: all.

        Returns
        -------
        outputs : torch.Tensor
            Probabilities, ``(B, K)`` for one answer per sequence, ``(T, B, K)`` for one
            per step.
        state : tuple of torch.Tensor
            The state after the last step.
        """
        logits, state = self.logits(input, state, lengths=lengths)
        return self.head.activate(logits), state
