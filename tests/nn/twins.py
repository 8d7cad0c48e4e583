"""Our modules and torch's with the same weights, and what both are asked."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from tests.compare import assert_close
from throughtime import nn as ours

KINDS = ["RNN", "relu", "GRU", "LSTM"]


def twins(kind: str, *sizes: int, backend: str = "auto", **settings: Any) -> Any:
    """A module of ours and torch's, in float64, drawn from the same seed."""
    settings.setdefault("dtype", torch.float64)
    if kind == "relu":
        kind, settings["nonlinearity"] = "RNN", "relu"
    torch.manual_seed(0)
    mine = getattr(ours, kind)(*sizes, backend=backend, **settings)
    torch.manual_seed(0)
    return mine, getattr(nn, kind)(*sizes, **settings)


def as_list(state: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else list(state)


def states(kind: str, *shape: int) -> Any:
    """A random initial state in the form that both modules take."""
    drawn = [torch.randn(*shape, dtype=torch.float64) for _ in range(2)]
    return tuple(drawn) if kind.startswith("LSTM") else drawn[0]


def data(output: Tensor | PackedSequence) -> Tensor:
    return output.data if isinstance(output, PackedSequence) else output


def results(module: nn.Module, input: Any, state: Any = None) -> list[Tensor]:
    """Output, final states, and the gradients of a loss that reads all of them."""
    leaf = data(input).detach().clone().requires_grad_()
    packed = isinstance(input, PackedSequence)
    input = input._replace(data=leaf) if packed else leaf
    given = [] if state is None else as_list(state)
    starts = [value.detach().clone().requires_grad_() for value in given]
    start = starts[0] if len(starts) == 1 else tuple(starts) or None
    output, final = module(input, start)
    values = [data(output), *as_list(final)]
    generator = torch.Generator().manual_seed(1)
    loss = torch.zeros((), dtype=leaf.dtype)
    for value in values:
        weights = torch.randn(value.shape, generator=generator, dtype=value.dtype)
        loss = loss + (weights * value).sum()
    wanted = [leaf, *starts, *module.parameters()]
    return [*values, *torch.autograd.grad(loss, wanted)]


def assert_same(mine: Iterable[Tensor], theirs: Iterable[Tensor]) -> None:
    for value, reference in zip(mine, theirs, strict=True):
        assert_close(value, reference)
