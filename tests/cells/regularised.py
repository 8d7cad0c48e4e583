"""Regularised cells of every kind, and calls whose masks stay the same."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from throughtime.backends.reference.random_numbers import drawn
from throughtime.cells import (
    GRU,
    LSTM,
    DropConnect,
    Feedforward,
    KWinners,
    PeepholeLSTM,
    VariationalDropout,
    Zoneout,
)
from throughtime.graph import Cell, Parameter, State, Value
from throughtime.math import concat, noise, sigmoid, split, tanh
from throughtime.nn import Recurrent

T, B, F, H = 4, 3, 2, 5
DOUBLE = torch.float64


class Joined(Cell):
    """One matrix for input and state, and an output of its own."""

    weight = Parameter("2*hidden", "input + hidden")
    out = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> tuple[Value, Value]:
        gate, new = split(self.weight @ concat(x, h), 2)
        gate = sigmoid(gate)
        h = gate * h + (1 - gate) * tanh(new)
        return self.out @ h, h


class Independent(Cell):
    """A vector of recurrent weights; no matrix multiplies the state."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return tanh(self.weight @ x + self.recurrent * h)


class NamedParts(LSTM):
    """Calls the step of the cell it stands on."""

    def step(self, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
        h, c = super().step(x, h, c)
        return h, c + noise(0.1)


REGULARISED: dict[str, Callable[[], Cell]] = {
    "zoneout": lambda: Zoneout(LSTM(), h=0.05, c=0.5),
    "zoneout of a step on a step": lambda: Zoneout(NamedParts(), h=0.3),
    "zoneout beside an output": lambda: Zoneout(Joined(), h=0.3),
    "drop connect": lambda: DropConnect(LSTM(), 0.5),
    "drop connect of vectors": lambda: DropConnect(
        Independent(), 0.5, ["recurrent", "weight"]
    ),
    "drop connect of a part": lambda: DropConnect(Joined(), 0.5),
    "variational": lambda: VariationalDropout(LSTM(), input=0.25, hidden=0.25),
    "variational gru": lambda: VariationalDropout(GRU(reset_after=False), hidden=0.5),
    "variational joined": lambda: VariationalDropout(Joined(), input=0.5, hidden=0.5),
    "without states": lambda: VariationalDropout(Feedforward("tanh"), input=0.5),
    "winners": lambda: KWinners(Zoneout(LSTM(), h=0.3), 0.4),
    "winners beside an output": lambda: KWinners(DropConnect(Joined(), 0.5), 1),
    "dropped winners": lambda: VariationalDropout(KWinners(GRU(), 1), hidden=0.5),
    "nested": lambda: VariationalDropout(
        Zoneout(DropConnect(PeepholeLSTM(), 0.3), c=0.5), input=0.1, hidden=0.2
    ),
}
EACH = pytest.mark.parametrize("kind", REGULARISED)


def build(
    cell: Cell, backend: str = "reference", hidden: int = H, **settings: Any
) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell, F, hidden, backend=backend, dtype=DOUBLE, **settings)


def sequences(seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(T, B, F, generator=generator, dtype=DOUBLE)


def seeded(module: Recurrent, *given: Any, seed: int = 7, **named: Any) -> Any:
    """A call whose masks are always the same."""
    torch.manual_seed(seed)
    return module(*given, **named)


def masks(module: Recurrent, seed: int = 7) -> list[Tensor]:
    """What the first layer draws in such a call, in the order of its nodes."""
    torch.manual_seed(seed)
    keys = module.draw_keys(torch.device("cpu"))
    assert keys is not None
    nodes = module.graphs[0].nodes
    found = drawn(nodes, keys[0], (B,) * T, sequences())
    shapes = {i: nodes[i].shape for i in found}
    return [
        value.view(T, B, -1) if value.shape != shapes[i] else value
        for i, value in found.items()
    ]


def slopes(output: Tensor, x: Tensor, module: Recurrent) -> list[Tensor]:
    weight = torch.linspace(0.5, 1.5, output.numel(), dtype=DOUBLE).view(output.shape)
    return list(torch.autograd.grad((output * weight).sum(), [x, *module.parameters()]))
