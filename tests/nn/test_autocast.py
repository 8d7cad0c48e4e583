"""Autocast changes nothing inside a module, whatever backend runs it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from throughtime import explain
from throughtime import nn as ours
from throughtime.cells import LSTM
from throughtime.nn import Recurrent

F, H, STEPS, BATCH = 3, 5, 4, 2

MODULES: dict[str, Callable[[str], nn.Module]] = {
    "Recurrent": lambda backend: Recurrent(LSTM(), F, H, 2, backend=backend),
    "GRU": lambda backend: ours.GRU(F, H, bidirectional=True, backend=backend),
}


def results(module: nn.Module, x: Tensor, autocast: bool) -> list[Tensor]:
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        output, _ = module(x)
    return [output, *torch.autograd.grad(output.sum(), list(module.parameters()))]


@pytest.mark.parametrize("kind", MODULES)
def test_results_are_those_without(backend: str, kind: str) -> None:
    torch.manual_seed(0)
    module, x = MODULES[kind](backend), torch.randn(STEPS, BATCH, F)
    expected = results(module, x, False)
    found = results(module, x, True)
    assert all(map(torch.equal, found, expected))


def test_a_cell_and_a_compiled_module() -> None:
    torch.manual_seed(0)
    cell, x = ours.GRUCell(F, H, backend="reference"), torch.randn(BATCH, F)
    module = Recurrent(LSTM(), F, H, backend="reference")
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    expected, sequence = cell(x), x.expand(STEPS, BATCH, F)
    steps, _ = module(sequence)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(cell(x), expected)
        assert torch.equal(compiled(sequence)[0], steps)
    assert torch.equal(compiled(sequence)[0], steps)


def test_deltas() -> None:
    torch.manual_seed(0)
    module, x = Recurrent(LSTM(), F, H), torch.randn(STEPS, BATCH, F)
    error = torch.randn(STEPS, BATCH, H)
    expected = explain(module).deltas(x, error)
    with torch.autocast("cpu", torch.bfloat16):
        found = explain(module).deltas(x, error)
    assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_a_device_without_autocast() -> None:
    module = Recurrent(LSTM(), F, H, device="meta")
    x = torch.empty(STEPS, BATCH, F, device="meta")
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = module(x)
    assert output.shape == (STEPS, BATCH, H)
