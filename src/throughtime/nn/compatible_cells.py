"""`torch.nn`'s single steps under their names: RNNCell, LSTMCell, GRUCell."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from throughtime.cells import elman, gru, lstm
from throughtime.errors import NotASequence, StateShapeMismatch
from throughtime.graph import Cell
from throughtime.nn.compatibility import check_nonlinearity
from throughtime.nn.layers import Device, Layers
from throughtime.nn.sequences import (
    checked_rows,
    checked_tensor,
    matched,
    state_values,
)
from throughtime.nn.settings import trace_layers


class TorchCell(Layers):
    """What the three share: parameters without a suffix, one step per call."""

    labels: ClassVar[tuple[str, ...]] = ("hidden",)

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        bias: bool,
        device: Device,
        dtype: torch.dtype | None,
        backend: str,
    ) -> None:
        graphs = trace_layers(
            cell, input_size, hidden_size, 1, bias=bias, bidirectional=False
        )
        super().__init__(graphs, backend=backend, device=device, dtype=dtype)
        self.bias = bias
        if not bias:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)

    def _parameter_name(self, name: str, layer: int, direction: int) -> str:
        return name

    def _step(
        self, input: Tensor, hx: Tensor | Sequence[Tensor] | None
    ) -> list[Tensor]:
        """New states ``(B, H)``, or ``(H,)`` for one sequence alone."""
        if checked_tensor("input", input).dim() not in (1, 2):
            raise self._wrong_dimensions("input", input)
        batched = input.dim() == 2
        rows = checked_rows(self, "x", "input", input, input.shape[:-1])
        rows = rows if batched else rows.unsqueeze(0)
        start = [] if hx is None else self._start(hx, rows, batched)
        _, finals = self.run_rows({"x": rows}, start, 1, rows.shape[0])
        return [final[0] if batched else final[0, 0] for final in finals]

    def _start(
        self, hx: Tensor | Sequence[Tensor], rows: Tensor, batched: bool
    ) -> list[Tensor]:
        values, batch = state_values(self, "hx", hx), rows.shape[0]
        expected = (batch, self.hidden_size) if batched else (self.hidden_size,)
        start: list[Tensor] = []
        for label, value in zip(self.labels, values, strict=True):
            if checked_tensor(label, value).dim() not in (1, 2):
                raise self._wrong_dimensions(label, value)
            if tuple(value.shape) != expected:
                raise StateShapeMismatch(
                    argument=label, expected=expected, given=list(value.shape)
                )
            value = matched(label, value, rows)
            start.append(value.view(1, batch, self.hidden_size))
        return start

    def _wrong_dimensions(self, argument: str, value: Tensor) -> NotASequence:
        return NotASequence(
            module=type(self).__name__,
            argument=argument,
            expected="1D or 2D",
            given=f"{value.dim()}D",
            axes="(B, F), or (F,) for one sequence",
        )

    def extra_repr(self) -> str:
        """The text of the module of the same name in `torch.nn`."""
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, {nonlinearity=!s}"


class RNNCell(TorchCell):
    """One step of an Elman network, with `torch.nn.RNNCell`'s arguments.

    Parameters
    ----------
    input_size, hidden_size
        F and H.
    bias, device, dtype, backend
        As in `Recurrent`.
    nonlinearity
        ``"tanh"`` or ``"relu"``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
    ) -> None:
        check_nonlinearity(nonlinearity)
        cell = elman.Elman(nonlinearity)
        super().__init__(cell, input_size, hidden_size, bias, device, dtype, backend)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """New state ``(B, H)`` from input ``(B, F)`` and state ``(B, H)``."""
        return self._step(input, hx)[0]


class LSTMCell(TorchCell):
    """One step of long short-term memory, with `torch.nn.LSTMCell`'s arguments.

    Parameters
    ----------
    input_size, hidden_size
        F and H.
    bias, device, dtype, backend
        As in `Recurrent`.
    """

    labels = ("hx[0]", "hx[1]")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
    ) -> None:
        cell = lstm.LSTM()
        super().__init__(cell, input_size, hidden_size, bias, device, dtype, backend)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """New ``(h, c)`` from input ``(B, F)`` and ``(h, c)``, each ``(B, H)``."""
        h, c = self._step(input, hx)
        return h, c


class GRUCell(TorchCell):
    """One step of a gated recurrent unit, with `torch.nn.GRUCell`'s arguments.

    Parameters
    ----------
    input_size, hidden_size
        F and H.
    bias, device, dtype, backend
        As in `Recurrent`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
    ) -> None:
        cell = gru.GRU()
        super().__init__(cell, input_size, hidden_size, bias, device, dtype, backend)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """New state ``(B, H)`` from input ``(B, F)`` and state ``(B, H)``."""
        return self._step(input, hx)[0]
