"""`torch.nn`'s recurrent layers under their names: RNN, LSTM, GRU."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from throughtime.cells import elman, gru, lstm, projected_lstm
from throughtime.errors import (
    BadSetting,
    EmptySequence,
    UnknownArgument,
)
from throughtime.graph import Cell
from throughtime.nn.layers import Device, Layers
from throughtime.nn.sequences import Sequences, read, read_states
from throughtime.nn.settings import check_flag, trace_layers
from throughtime.nn.streaming import Stream


class TorchLayers(Layers):
    """What the three share: attributes, texts and the form of states."""

    mode: str
    labels: ClassVar[tuple[str, ...]] = ("hidden",)

    def __init__(
        self,
        cell: Cell,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        bidirectional: bool,
        **settings: Any,
    ) -> None:
        check_flag("bidirectional", bidirectional)
        graphs = trace_layers(
            cell,
            input_size,
            hidden_size,
            num_layers,
            bias=bias,
            bidirectional=bidirectional,
        )
        super().__init__(graphs, bidirectional=bidirectional, **settings)
        self.mode = mode
        self.bias = bias
        self.proj_size = 0

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters of each layer and direction, in `torch.nn`'s order."""
        return [
            [
                self.get_parameter(self._parameter_name(one.name, layer, direction))
                for one in graph.parameters
            ]
            for layer, direction, graph in self._runs()
        ]

    def forward(
        self,
        input: Sequences,
        hx: Tensor | Sequence[Tensor] | None = None,
        **unknown: object,
    ) -> tuple[Any, Any]:
        """Run over whole sequences, as the module of the same name in `torch.nn`.

        Parameters
        ----------
        input
            ``(T, B, F)``, ``(B, T, F)`` with ``batch_first``, ``(T, F)`` for one
            sequence, or a ``PackedSequence``.
        hx
            The initial state ``(L·D, B, H)``, for an LSTM the pair ``(h, c)``; zeros
            where it is None.
        **unknown
            Refused: `torch.nn` has no further arguments, so ``lengths`` is one of
            `Recurrent` alone.

        Returns
        -------
        output
            ``(T, B, D·H)``, in the form of ``input``.
        hx
            The state after each sequence's last step, in the form of ``hx``.
        """
        if unknown:
            raise _unknown_argument(type(self).__name__, next(iter(unknown)))
        batch = read(self, input, {}, None)
        if not batch.steps:
            raise EmptySequence(module=type(self).__name__)
        start = read_states(self, batch, hx, "hx", self.labels)
        rows, finals = self.run_rows(
            batch.rows, start, batch.steps, batch.size, batch.packing
        )
        states = batch.finals(finals)
        hidden = tuple(states) if len(states) > 1 else states[0]
        return batch.output(rows), hidden

    def stream(self, batch: int | None = None) -> Stream:
        """Give a stream, as `Recurrent.stream` does."""
        return Stream(self, batch)

    def extra_repr(self) -> str:
        """The text of the module of the same name in `torch.nn`."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if not self.bias:
            text += f", bias={self.bias}"
        for name in ("batch_first", "dropout", "bidirectional"):
            if getattr(self, name):
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(TorchLayers):
    """Elman network with `torch.nn.RNN`'s arguments, parameters and results.

    Parameters
    ----------
    input_size, hidden_size, num_layers
        F, H and L, each at least 1.
    nonlinearity
        ``"tanh"`` or ``"relu"``.
    bias, batch_first, dropout, bidirectional, device, dtype
        As in `Recurrent`.
    backend
        As in `Recurrent`.
    proj_size
        Refused, as by `torch.nn.RNN`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
        proj_size: int | None = None,
    ) -> None:
        _refuse_projection(proj_size)
        check_nonlinearity(nonlinearity)
        super().__init__(
            elman.Elman(nonlinearity),
            f"RNN_{nonlinearity.upper()}",
            input_size,
            hidden_size,
            num_layers,
            bias,
            bidirectional,
            batch_first=batch_first,
            dropout=dropout,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.nonlinearity = nonlinearity


class LSTM(TorchLayers):
    """Long short-term memory with `torch.nn.LSTM`'s arguments and results.

    Parameters
    ----------
    input_size, hidden_size, num_layers
        F, H and L, each at least 1.
    bias, batch_first, dropout, bidirectional, device, dtype
        As in `Recurrent`.
    proj_size
        P, the size of h and of each direction's output, less than H; 0: no projection.
    backend
        As in `Recurrent`.
    """

    labels = ("hidden[0]", "hidden[1]")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
    ) -> None:
        _check_projection(proj_size, hidden_size)
        projected = projected_lstm.ProjectedLSTM(proj_size) if proj_size else None
        super().__init__(
            projected or lstm.LSTM(),
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            bidirectional,
            batch_first=batch_first,
            dropout=dropout,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.proj_size = proj_size


class GRU(TorchLayers):
    """Gated recurrent unit with `torch.nn.GRU`'s arguments and results.

    Parameters
    ----------
    input_size, hidden_size, num_layers
        F, H and L, each at least 1.
    bias, batch_first, dropout, bidirectional, device, dtype
        As in `Recurrent`.
    backend
        As in `Recurrent`.
    proj_size
        Refused, as by `torch.nn.GRU`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
        proj_size: int | None = None,
    ) -> None:
        _refuse_projection(proj_size)
        super().__init__(
            gru.GRU(),
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            bidirectional,
            batch_first=batch_first,
            dropout=dropout,
            backend=backend,
            device=device,
            dtype=dtype,
        )


def check_nonlinearity(nonlinearity: str) -> None:
    """Refuse what `torch.nn.RNN` has no function for."""
    if nonlinearity not in {"tanh", "relu"}:
        raise BadSetting(
            argument="nonlinearity",
            expected="must be 'tanh' or 'relu'",
            given=repr(nonlinearity),
            advice="select one of them, or build Recurrent with another cell",
        )


def _unknown_argument(module: str, name: str) -> UnknownArgument:
    advice = "leave it out"
    if name == "lengths":
        advice = "give a PackedSequence as input, or build Recurrent, which takes it"
    return UnknownArgument(
        module=module, given=name, expected="input and hx", advice=advice
    )


def _refuse_projection(proj_size: int | None) -> None:
    if proj_size is not None:
        raise BadSetting(
            argument="proj_size argument",
            expected="is only supported for LSTM, not RNN or GRU",
            given=proj_size,
            advice="leave it out",
        )


def _check_projection(proj_size: int, hidden_size: int) -> None:
    if proj_size < 0:
        raise BadSetting(
            argument="proj_size",
            expected="should be a positive integer or zero to disable projections",
            given=proj_size,
            advice="give 0",
        )
    if proj_size and proj_size >= hidden_size:
        raise BadSetting(
            argument="proj_size",
            expected="has to be smaller than hidden_size",
            given=proj_size,
            advice="give a smaller one, or 0",
        )
