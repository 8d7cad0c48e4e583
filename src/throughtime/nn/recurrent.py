"""`Recurrent`: any cell as a torch module."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from throughtime.errors import SparseInputElsewhere, TwoDirections
from throughtime.graph import Cell, StepGraph
from throughtime.nn.checkpointing import Checkpoint
from throughtime.nn.layers import Device, Layers, Values
from throughtime.nn.sequences import (
    Lengths,
    Sequences,
    read,
    read_states,
    read_step,
)
from throughtime.nn.settings import trace_layers
from throughtime.nn.sparse_sequences import SparseSequences
from throughtime.nn.streaming import Stream

State = Tensor | Sequence[Tensor]
_SHOWN = ("batch_first", "dropout", "bidirectional", "residual", "sparse_input")


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
    sparse_input
        Whether input is `SparseSequences`, of whose features each step names a few: the
        first layer adds the rows of these features, and their weights alone have a
        gradient. These weights are kept as ``(F, n)``; `state_dict` shows ``(n, F)``.
    backend
        ``"auto"``, ``"llvm"``, ``"cudnn"`` or ``"reference"``. One that is named
        serves or raises.
    checkpoint
        Where states are stored for the backward pass, which computes what lies between
        again, to bound memory: every so many steps, ``"sqrt"`` for the square root of
        their number, or as rarely as a budget of the module allows, such as
        ``"512MB"`` (MB are 1000² bytes, MiB 1024²). None: everything is stored.
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
        sparse_input: bool = False,
        backend: str = "auto",
        checkpoint: Checkpoint = None,
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
            sparse_input=sparse_input,
            backend=backend,
            checkpoint=checkpoint,
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
        sparse_input: bool = False,
        backend: str = "auto",
        checkpoint: Checkpoint = None,
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
            sparse_input=sparse_input,
            backend=backend,
            checkpoint=checkpoint,
            device=device,
            dtype=dtype,
        )
        return module

    @property
    def output_size(self) -> int:
        """H, the units of the last layer's output in one direction."""
        return self.graphs[-1].output_size

    def forward(
        self,
        input: Sequences | SparseSequences,
        state: State | None = None,
        *,
        lengths: Lengths | None = None,
        resets: Tensor | None = None,
        return_all: bool = False,
        return_layers: bool = False,
        **inputs: Sequences,
    ) -> tuple[Any, ...]:
        """Run over whole sequences.

        Parameters
        ----------
        input
            ``(T, B, F)``, ``(B, T, F)`` with ``batch_first``, ``(T, F)`` for one
            sequence, or a ``PackedSequence``; `SparseSequences` where the module is of
            ``sparse_input=True``, which know their own lengths.
        state
            What an earlier call returned: a tensor ``(L·D, B, n)`` per state of the
            cell, in order; a cell with one state also takes the tensor alone. None
            starts anew.
        lengths
            Number of steps of each sequence, ``(B,)``, in any order, 0 allowed. What
            lies behind is not read; there the output is 0.
        resets
            Where a sequence begins anew, booleans ``(T, B)``, ``(B, T)`` with
            ``batch_first``, ``(T,)`` for one sequence: before a marked step each layer
            starts from the cell's own initial state, in the other direction behind it.
            No gradient crosses. Not with a ``PackedSequence``.
        return_all
            Whether to give every named value of the step at every step as well.
        return_layers
            Whether to give the output of every layer as well.
        **inputs
            The cell's further inputs by name, shaped like ``input``.

        Returns
        -------
        output
            ``(T, B, D·H)``, in the form of ``input``.
        state
            A named tuple of the states after each sequence's last step,
            ``(L·D, B, n)``.
        values
            With ``return_all``: ``(layer, direction, name) -> (T, B, n)``, in the form
            of ``input``, 0 behind a sequence's end. Names are those that `explain`
            prints: locals of ``step``, what `throughtime.math.name` marked, states (by
            name, the new ones), and functions without a name, such as ``tanh#1``. Error
            flows through them as through the output.
        layers
            With ``return_layers``, behind all else: a tuple of each layer's output in
            the form of ``output``, before dropout and what ``residual`` adds. Error
            flows through them, too.
        """
        batch = read(self, input, inputs, lengths, resets, in_step=not return_all)
        labels = [f"state.{name}" for name in self.state_names]
        start = read_states(self, batch, state, "state", labels)
        inside: Values | None = {} if return_all else None
        outputs: list[Tensor] | None = [] if return_layers else None
        rows, finals = self.run_rows(
            batch.rows, start, batch.steps, batch.parts, batch.packing, inside, outputs
        )
        found = batch.output(rows), self.state_class(*batch.finals(finals))
        if inside is not None:
            found = *found, {key: batch.output(v) for key, v in inside.items()}
        if outputs is not None:
            formed = (found[0] if own is rows else batch.output(own) for own in outputs)
            found = *found, tuple(formed)
        return found

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
            raise TwoDirections(call="step")
        if self.sparse_input:
            raise SparseInputElsewhere(call="step")
        axis = 1 if self.batch_first else 0
        rows = read_step(self, x, inputs)
        sequences = {name: value.unsqueeze(axis) for name, value in rows.items()}
        output, after = self(sequences.pop("x"), state, **sequences)
        return output.squeeze(axis), after

    def stream(self, batch: int | None = None) -> Stream:
        """Give a stream: one step after the other, at a few microseconds each.

        Parameters
        ----------
        batch
            As in `Stream`.

        Raises
        ------
        TwoDirections
            The module is bidirectional.
        StreamElsewhere
            Its weights are not on the CPU, or of a dtype that NumPy does not know.
        """
        return Stream(self, batch)

    def extra_repr(self) -> str:
        """Settings that differ from their defaults."""
        graph = self.graphs[0]
        text = f"{graph.title}, {self.input_size}, {self.hidden_size}"
        if self.num_layers > 1:
            text += f", num_layers={self.num_layers}"
        if any(node.operation == "zeros" for node in graph.nodes):
            text += ", bias=False"
        if graph.heads > 1:
            text += f", heads={graph.heads}"
        for name in _SHOWN:
            if getattr(self, name):
                text += f", {name}={getattr(self, name)}"
        if self.checkpoint is not None:
            text += f", checkpoint={self.checkpoint!r}"
        return text if self.backend == "auto" else f"{text}, backend={self.backend!r}"
