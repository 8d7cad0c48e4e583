"""δ are written over what was stored only where nobody can miss it."""

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from tests.backends.layers import assert_equal_bits
from throughtime.backends.llvm.overlay import overlay
from throughtime.cells import GRU, LSTM, Elman, PeepholeLSTM
from throughtime.graph import Cell, Parameter, State, Value, trace
from throughtime.graph.plan import plan
from throughtime.math import sigmoid, tanh
from throughtime.nn import Recurrent

CELLS = [LSTM(), GRU(), GRU(reset_after=False), PeepholeLSTM()]
EACH = pytest.mark.parametrize("cell", CELLS, ids=repr)
STEPS, BATCH, F, H = 6, 5, 3, 19


def layer(cell: Cell) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell, F, H, backend="llvm", dtype=torch.float64)


def draw() -> Tensor:
    return torch.randn(STEPS, BATCH, F, dtype=torch.float64)


def gradients(module: Recurrent, loss: Tensor, **settings: bool) -> dict[str, Tensor]:
    names, leaves = zip(*module.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, leaves, **settings)
    return dict(zip(names, found, strict=True))


def expected_gradients(module: Recurrent, x: Tensor) -> dict[str, Tensor]:
    """Those of one backward pass, in which δ are written over what was stored."""
    return gradients(module, module(x)[0].square().sum())


@EACH
def test_a_second_backward_pass_finds_what_was_stored(cell: Cell) -> None:
    module, x = layer(cell), draw()
    expected = expected_gradients(module, x)
    loss = module(x)[0].square().sum()
    assert_equal_bits(gradients(module, loss, retain_graph=True), expected)
    assert_equal_bits(gradients(module, loss, retain_graph=True), expected)
    assert_equal_bits(gradients(module, loss), expected)
    with pytest.raises(RuntimeError, match="second time"):
        gradients(module, loss)


@EACH
def test_errors_side_by_side_share_what_was_stored(cell: Cell) -> None:
    module, x = layer(cell), draw()
    weights = dict(module.named_parameters())

    def output_of(weights: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(module, weights, (x,))[0]

    output, pull = torch.func.vjp(output_of, weights)
    errors = torch.randn(3, *output.shape, dtype=output.dtype)
    (found,) = torch.func.vmap(pull)(errors)
    for number, error in enumerate(errors):
        alone = torch.autograd.grad(module(x)[0], list(weights.values()), error)
        several = {name: value[number] for name, value in found.items()}
        assert_equal_bits(several, dict(zip(weights, alone, strict=True)))


@EACH
def test_who_keeps_what_was_stored_finds_it_unchanged(cell: Cell) -> None:
    module, x = layer(cell), draw()
    expected = expected_gradients(module, x)
    kept: list[tuple[Tensor, Tensor]] = []

    def keep(value: Tensor) -> Tensor:
        kept.append((value, value.clone()))
        return value

    with saved_tensors_hooks(keep, lambda value: value):
        loss = module(x)[0].square().sum()
    assert_equal_bits(gradients(module, loss), expected)
    assert len(kept) > len(expected)
    for value, before in kept:
        assert torch.equal(value, before)


@EACH
def test_what_is_stored_elsewhere_or_computed_again(cell: Cell) -> None:
    module, x = layer(cell), draw()
    expected = expected_gradients(module, x)
    with save_on_cpu():
        loss = module(x)[0].square().sum()
    assert_equal_bits(gradients(module, loss), expected)
    again = checkpoint(lambda x: module(x)[0], x, use_reentrant=False)
    assert_equal_bits(gradients(module, again.square().sum()), expected)


class Late(Cell):
    """A gate that the δ behind another product still read."""

    w = Parameter("hidden", "input")
    u = Parameter("hidden", "hidden")
    v = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        gate = sigmoid(self.u @ h)
        return tanh(self.v @ (gate * h) + self.w @ x) * gate


def columns(cell: Cell) -> tuple[int | None, int, int]:
    """Where δ begin; columns of all δ and of all that is stored; in units."""
    made = plan(trace(cell, 3, 4), training=True, input_gradients=())
    start, widths = overlay(made), made.widths
    return (
        start if start is None else start // 4,
        widths["delta"] // 4,
        widths.get("saved", 0) // 4,
    )


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (LSTM(), (1, 4, 6)),
        (GRU(), (0, 4, 4)),
        (GRU(reset_after=False), (0, 3, 4)),
        (PeepholeLSTM(), (1, 4, 6)),
        (Elman(), (None, 1, 0)),
        (Late(), (None, 2, 3)),
    ],
    ids=repr,
)
def test_where_there_is_room(cell: Cell, expected: tuple[int | None, int, int]) -> None:
    assert columns(cell) == expected
