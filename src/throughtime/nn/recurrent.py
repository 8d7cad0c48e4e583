"""`Recurrent`: any cell as a torch module."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from throughtime.errors import NotBuiltYet, TwoDirections
from throughtime.graph import Cell, StepGraph
from throughtime.nn.layers import Device, Layers
from throughtime.nn.sequences import (
    Lengths,
    Sequences,
    read,
    read_states,
    read_step,
)
from throughtime.nn.settings import trace_layers

State = Tensor | Sequence[Tensor]


class Recurrent(Layers):
    """Recurrent layers of any cell.

    The cell is traced once per distinct layer input size; the module keeps the
    graphs, not the cell. Parameters are named ``<name>_l<layer>`` and
    ``<name>_l<layer>_reverse``, so that `torch.nn` and this module load each other's
    ``state_dict``.

    Parameters
    ----------
    cell
        One time step, an instance.
    input_size
        F, the number of input features.
    hidden_size
        H, what the cell's declarations call ``hidden``.
    num_layers
        L; each layer reads the output of the one below.
    bias
        Whether parameters of role ``"bias"`` are there.
    batch_first
        Whether input, further inputs and output are ``(B, T, F)``; states never are.
    dropout
        Probability that a value between two layers is zeroed in training.
    bidirectional
        Whether every layer also runs from the last step to the first; outputs of
        both directions stand side by side.
    heads
        The units are divided into so many heads; each sees itself alone. Matrices that
        multiply a state are block-diagonal, and of them the blocks alone are
        parameters, ``(rows, columns / heads)``; those that multiply x stay whole.
    residual
        Whether each layer but the first adds what it reads to its output.
    backend
        ``"auto"``, ``"llvm"``, ``"cudnn"`` or ``"reference"``. One that is named
        serves or raises.
    device, dtype
        Of the parameters, as in `torch.nn`.
    """

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
        heads: int = 1,
        residual: bool = False,
        backend: str = "auto",
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        graphs = trace_layers(
            cell,
            input_size,
            hidden_size,
            num_layers,
            bias=bias,
            bidirectional=bidirectional,
            heads=heads,
        )
        super().__init__(
            graphs,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            residual=residual,
            backend=backend,
            device=device,
            dtype=dtype,
        )

    @classmethod
    def from_graphs(
        cls,
        graphs: Sequence[StepGraph],
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        residual: bool = False,
        backend: str = "auto",
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """A module of stored graphs, one per layer, without the cell's source."""
        module = cls.__new__(cls)
        Layers.__init__(
            module,
            graphs,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            residual=residual,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        return module

    def forward(
        self,
        input: Sequences,
        state: State | None = None,
        *,
        lengths: Lengths | None = None,
        resets: Tensor | None = None,
        return_all: bool = False,
        **inputs: Sequences,
    ) -> tuple[Any, Any]:
        """Run over whole sequences.

        Parameters
        ----------
        input
            ``(T, B, F)``, ``(B, T, F)`` with ``batch_first``, ``(T, F)`` for one
            sequence, or a ``PackedSequence``.
        state
            What an earlier call returned: a tensor ``(L·D, B, n)`` per state of the
            cell, in order; a cell with one state also takes the tensor alone. None
            starts anew.
        lengths
            Number of steps of each sequence, ``(B,)``, in any order, 0 allowed. What
            lies behind is not read; there the output is 0.
        resets, return_all
            Not part of this version.
        **inputs
            The cell's further inputs by name, shaped like ``input``.

        Returns
        -------
        output
            ``(T, B, D·H)``, in the form of ``input``.
        state
            A named tuple of the states after each sequence's last step,
            ``(L·D, B, n)``.
        """
        if resets is not None:
            raise NotBuiltYet(what="resets", advice="Give sequences one by one")
        if return_all:
            raise NotBuiltYet(
                what="return_all=True", advice="Return the value from the cell's step"
            )
        batch = read(self, input, inputs, lengths)
        labels = [f"state.{name}" for name in self.state_names]
        start = read_states(self, batch, state, "state", labels)
        rows, finals = self.run_rows(
            batch.rows, start, batch.steps, batch.size, batch.packing
        )
        return batch.output(rows), self.state_class(*batch.finals(finals))

    def step(
        self, x: Tensor, state: State | None = None, **inputs: Tensor
    ) -> tuple[Tensor, Any]:
        """Run one time step.

        Parameters
        ----------
        x
            ``(B, F)``.
        state
            As in a call.
        **inputs
            The cell's further inputs by name, ``(B, n)``.

        Returns
        -------
        output
            ``(B, H)``.
        state
            A named tuple, ``(L, B, n)`` each.
        """
        if self.bidirectional:
            raise TwoDirections
        axis = 1 if self.batch_first else 0
        rows = read_step(self, x, inputs)
        sequences = {name: value.unsqueeze(axis) for name, value in rows.items()}
        output, after = self(sequences.pop("x"), state, **sequences)
        return output.squeeze(axis), after

    def extra_repr(self) -> str:
        """Settings that differ from their defaults."""
        text = f"{self.graphs[0].cell}, {self.input_size}, {self.hidden_size}"
        if self.num_layers > 1:
            text += f", num_layers={self.num_layers}"
        if any(node.operation == "zeros" for node in self.graphs[0].nodes):
            text += ", bias=False"
        for name in ("batch_first", "dropout", "bidirectional", "residual"):
            if getattr(self, name):
                text += f", {name}={getattr(self, name)}"
        return text if self.backend == "auto" else f"{text}, backend={self.backend!r}"
