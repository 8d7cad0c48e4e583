"""Autocast changes nothing inside a module but the operands of compiled products."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from throughtime import explain
from throughtime import nn as ours
from throughtime.cells import LSTM
from throughtime.nn import Recurrent
from throughtime.nn.layers import Layers
from throughtime.nn.precision import BFLOAT16

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
def test_results_are_those_without(kind: str) -> None:
    torch.manual_seed(0)
    module, x = MODULES[kind]("reference"), torch.randn(STEPS, BATCH, F)
    expected = results(module, x, False)
    found = results(module, x, True)
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("kind", MODULES)
def test_compiled_float64_is_float64(kind: str) -> None:
    torch.manual_seed(0)
    module, x = MODULES[kind]("llvm").double(), torch.randn(STEPS, BATCH, F).double()
    expected = results(module, x, False)
    assert all(map(torch.equal, results(module, x, True), expected))


@pytest.mark.parametrize("kind", MODULES)
def test_compiled_products_take_bfloat16_where_the_processor_does(kind: str) -> None:
    torch.manual_seed(0)
    module, x = MODULES[kind]("llvm"), torch.randn(STEPS, BATCH, F)
    expected = results(module, x, False)
    found = results(module, x, True)
    assert all(value.dtype == torch.float32 for value in found)
    if not BFLOAT16:
        assert all(map(torch.equal, found, expected))
        return
    assert not any(map(torch.equal, found, expected))
    for value, exact in zip(found, expected, strict=True):
        assert (value - exact).norm() <= 2**-5 * exact.norm()
    # Half precision asks for something else than bfloat16.
    with torch.autocast("cpu", torch.float16):
        assert torch.equal(module(x)[0], expected[0])
    with torch.autocast("cpu", torch.bfloat16):
        assert "bfloat16" in str(explain(as_recurrent(module)))
    assert "bfloat16" not in str(explain(as_recurrent(module)))


def as_recurrent(module: nn.Module) -> Layers:
    assert isinstance(module, Layers)
    return module


@pytest.mark.skipif(not BFLOAT16, reason="this processor has no products of bfloat16")
def test_a_captured_module_takes_bfloat16_as_well() -> None:
    torch.manual_seed(0)
    module, x = Recurrent(LSTM(), F, H, backend="llvm"), torch.randn(STEPS, BATCH, F)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    expected, found = results(module, x, True), results(compiled, x, True)
    assert all(map(torch.equal, found, expected))
    exact = results(module, x, False)
    assert all(map(torch.equal, results(compiled, x, False), exact))


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
    module = Recurrent(LSTM(), F, H, backend="reference")
    x = torch.randn(STEPS, BATCH, F)
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
