"""`Recurrent`: any cell as a torch module."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from throughtime.graph import Cell
from throughtime.nn.layers import Layers, trace_layers
from throughtime.nn.states import make_state


class Recurrent(Layers):
    """Recurrent layers of any cell."""

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        backend: str = "auto",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        graphs = trace_layers(
            cell,
            input_size,
            hidden_size,
            num_layers,
            bias=bias,
            bidirectional=bidirectional,
        )
        super().__init__(
            graphs,
            bidirectional=bidirectional,
            dropout=dropout,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.batch_first = batch_first

    def forward(
        self, input: Tensor, state: Sequence[Tensor] | None = None, **inputs: Tensor
    ) -> tuple[Tensor, Any]:
        """Run over whole sequences ``(T, B, F)``: output ``(T, B, D·H)`` and state."""
        sequences = {"x": input, **inputs}
        if self.batch_first:
            sequences = {name: s.transpose(0, 1) for name, s in sequences.items()}
        steps, batch = sequences["x"].shape[:2]
        rows = {n: s.reshape(steps * batch, s.shape[2]) for n, s in sequences.items()}
        start = self._first_states(batch, input) if state is None else list(state)
        value, finals = self._run(rows, start, steps, batch)
        output = value.reshape(steps, batch, value.shape[1])
        if self.batch_first:
            output = output.transpose(0, 1)
        names = tuple(state.name for state in self.graphs[0].states)
        return output, make_state(names, finals)
