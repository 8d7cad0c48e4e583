"""Modules in programs that torch compiles, exports and saves."""

import io
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.compare import assert_close
from throughtime import nn as ours
from throughtime.cells import GRU, LSTM, Elman, PeepholeLSTM
from throughtime.graph import Cell, Value
from throughtime.math import tanh
from throughtime.nn import Recurrent

F, H = 3, 5
# Compilers take sizes that are equal in the first call for one size: they differ.
SIZES = [(4, 6), (7, 6), (2, 8), (9, 4), (4, 6)]
# A second program for other sizes is an error.
ONCE = torch._dynamo.config.patch(error_on_recompile=True)
MAKERS: dict[str, Callable[..., nn.Module]] = {
    "RNN": lambda **settings: ours.RNN(F, H, **settings),
    "LSTM": lambda **settings: ours.LSTM(F, H, 2, **settings),
    "GRU": lambda **settings: ours.GRU(F, H, bidirectional=True, **settings),
    "Recurrent": lambda **settings: Recurrent(PeepholeLSTM(), F, H, 2, **settings),
}


def make(kind: str) -> nn.Module:
    torch.manual_seed(0)
    return MAKERS[kind](dtype=torch.float64)


def draw(steps: int, batch: int) -> Tensor:
    return torch.randn(steps, batch, F, dtype=torch.float64)


def flat(outcome: Any) -> list[Tensor]:
    return list(torch.utils._pytree.tree_leaves(outcome))


def loss_of(outcome: Any) -> Tensor:
    return sum((leaf.square().sum() for leaf in flat(outcome)), torch.zeros(()))


def training(
    call: Callable[..., Any], module: nn.Module, x: Tensor, **given: Any
) -> list[Tensor]:
    """All results and the gradients of their squares."""
    leaf = x.clone().requires_grad_()
    outcome = call(leaf, **given)
    wanted = [leaf, *module.parameters()]
    return [*flat(outcome), *torch.autograd.grad(loss_of(outcome), wanted)]


def assert_all_close(found: list[Tensor], expected: list[Tensor]) -> None:
    for value, reference in zip(found, expected, strict=True):
        assert_close(value, reference)


@pytest.fixture(autouse=True)
def _fresh_compiler() -> None:
    torch._dynamo.reset()


class Positive(Elman):
    """A recurrent matrix that is computed from a parameter."""

    def step(self, x: Value, h: Value) -> Value:
        return tanh(self.weight_ih @ x + abs(self.weight_hh) @ h)

    bias_ih = bias_hh = None


def test_gradients_of_computed_parameters() -> None:
    torch.manual_seed(0)
    module = Recurrent(Positive(), F, H, dtype=torch.float64)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = draw(4, 6)
    assert_all_close(training(compiled, module, x), training(module, module, x))


@pytest.mark.parametrize("kind", MAKERS)
def test_inference(kind: str) -> None:
    module = make(kind)
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend="aot_eager")
    with torch.no_grad(), ONCE:
        for size in SIZES:
            x = draw(*size)
            assert_all_close(flat(compiled(x)), flat(module(x)))


@pytest.mark.parametrize(
    ("kind", "dynamic"), [("LSTM", None), *((kind, True) for kind in MAKERS)]
)
def test_training(kind: str, dynamic: bool | None) -> None:
    module = make(kind)
    compiled = torch.compile(
        module, fullgraph=True, dynamic=dynamic, backend="aot_eager"
    )
    with ONCE if dynamic else nullcontext():
        for size in SIZES[:3]:
            x = draw(*size)
            found = training(compiled, module, x)
            assert_all_close(found, training(module, module, x))


@pytest.mark.parametrize("cell", [Elman("relu"), LSTM()], ids=repr)
def test_lengths(cell: Cell) -> None:
    torch.manual_seed(0)
    module = Recurrent(cell, F, H, 2, bidirectional=True, dtype=torch.float64)
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend="aot_eager")
    batches = [((7, 4), [4, 0, 2, 7]), ((6, 3), [1, 6, 6]), ((5, 2), [0, 0])]
    with ONCE:
        for size, lengths in batches:
            x = draw(*size)
            given = {"lengths": torch.tensor(lengths)}
            found = training(compiled, module, x, **given)
            assert_all_close(found, training(module, module, x, **given))


def test_a_state_that_needs_a_gradient_and_frozen_weights() -> None:
    module = make("LSTM").requires_grad_(False)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = draw(4, 3)
    results = []
    for call in (compiled, module):
        torch.manual_seed(1)
        state = [torch.randn(2, 3, H, dtype=torch.float64) for _ in range(2)]
        leaves = [value.requires_grad_() for value in state]
        outcome = call(x, tuple(leaves))
        results.append(torch.autograd.grad(loss_of(outcome), leaves))
    assert_all_close(*map(list, results))


# torch's own code generator uses what torch itself deprecates.
@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
def test_the_default_compiler() -> None:
    module = make("LSTM")
    compiled = torch.compile(module, fullgraph=True)
    x = draw(4, 3)
    assert_all_close(training(compiled, module, x), training(module, module, x))


def exported(
    module: nn.Module, *, lengths: bool = False
) -> torch.export.ExportedProgram:
    steps, batch = torch.export.Dim("steps"), torch.export.Dim("batch")
    shapes: dict[str, Any] = {"input": {0: steps, 1: batch}}
    given: dict[str, Any] = {}
    if lengths:
        given, shapes["lengths"] = {"lengths": torch.tensor([4, 2, 0])}, {0: batch}
    return torch.export.export(module, (draw(4, 3),), given, dynamic_shapes=shapes)


@pytest.mark.parametrize("kind", MAKERS)
@torch.no_grad()
def test_export(kind: str, tmp_path: Path) -> None:
    module = make(kind)
    file = tmp_path / "program.pt2"
    torch.export.save(exported(module), file)
    program = torch.export.load(file).module()
    for size in SIZES:
        x = draw(*size)
        outcome, expected = program(x), module(x)
        assert type(outcome[1]) is type(expected[1])
        assert_all_close(flat(outcome), flat(expected))


@torch.no_grad()
def test_export_with_lengths() -> None:
    torch.manual_seed(0)
    module = Recurrent(GRU(), F, H, bidirectional=True, dtype=torch.float64)
    memory = io.BytesIO()
    torch.export.save(exported(module, lengths=True), memory)
    memory.seek(0)
    program = torch.export.load(memory).module()
    for size, lengths in [((4, 3), [4, 0, 2]), ((6, 2), [1, 6])]:
        x, given = draw(*size), torch.tensor(lengths)
        outcome, expected = program(x, lengths=given), module(x, lengths=given)
        assert_all_close(flat(outcome), flat(expected))
        assert outcome[1].h.shape == (2, size[1], H)


def test_an_exported_program_learns() -> None:
    module = make("Recurrent")
    program = exported(module).module()
    x = draw(5, 2)
    for call in (program, module):
        loss_of(call(x)).backward()
    expected = dict(module.named_parameters())
    for name, parameter in program.named_parameters():
        assert parameter.grad is not None
        gradient = expected[name].grad
        assert gradient is not None
        assert_close(parameter.grad, gradient)


READER = """
import sys, torch
import throughtime.nn
program = torch.export.load(sys.argv[1]).module()
x, expected = torch.load(sys.argv[2])
output, state = program(x)
assert state._fields == ("h", "c") and torch.equal(output, expected)
"""


@torch.no_grad()
def test_another_process_reads_what_was_saved(tmp_path: Path) -> None:
    module, x = make("Recurrent"), draw(6, 2)
    program, data = tmp_path / "program.pt2", tmp_path / "data.pt"
    torch.export.save(exported(module), program)
    torch.save((x, module(x)[0]), data)
    subprocess.run([sys.executable, "-c", READER, program, data], check=True)
