"""δ are written over what was stored only where nobody can miss it."""

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from tests.backends.layers import assert_equal_bits, assert_near, results
from tests.backends.layers import draw as draw_case
from tests.compare import assert_close
from throughtime.backends.llvm.overlay import overlay
from throughtime.cells import GRU, LSTM, Elman, LayerNormLSTM, PeepholeLSTM
from throughtime.errors import LayerMismatch, SpentGraph
from throughtime.graph import Cell, Parameter, State, Value, trace
from throughtime.graph.plan import plan
from throughtime.graph.programs import DELTA, SAVED
from throughtime.math import exp, sigmoid, sum, tanh
from throughtime.nn import Recurrent

CELLS = [LSTM(), GRU(), GRU(reset_after=False), PeepholeLSTM(), LayerNormLSTM(0.7)]
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
        # Sums over rows are taken in another order, one for all.
        for name, gradient in zip(weights, alone, strict=True):
            assert_close(found[name][number], gradient)


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
        # What lies between rows is whatever it was, NaN as well.
        assert torch.equal(value.view(torch.int64), before.view(torch.int64))


@EACH
def test_what_is_computed_again(cell: Cell) -> None:
    module, x = layer(cell), draw()
    expected = expected_gradients(module, x)
    again = checkpoint(lambda x: module(x)[0], x, use_reentrant=False)
    assert_equal_bits(gradients(module, again.square().sum()), expected)


@EACH
def test_gradients_under_vmap_come_back_to_the_same_rows(cell: Cell) -> None:
    module, x = layer(cell), draw()
    output = module(x)[0]
    leaves = list(module.parameters())
    errors = torch.randn(3, *output.shape, dtype=output.dtype)
    found = torch.func.vmap(lambda e: torch.autograd.grad(output, leaves, e))(errors)
    for number, error in enumerate(errors):
        alone = torch.autograd.grad(module(x)[0], leaves, error)
        for several, gradient in zip(found, alone, strict=True):
            assert_close(several[number], gradient)


def test_a_pass_that_was_broken_off_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, x = layer(LSTM()), draw()
    output, error = module(x)[0], torch.ones(STEPS, BATCH, H, dtype=torch.float64)
    leaves = list(module.parameters())

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("throughtime.nn.compiled.operands.Operands.gradients", interrupt)
        with pytest.raises(KeyboardInterrupt):
            torch.autograd.grad(output, leaves, error)
    with pytest.raises(SpentGraph, match=r"LSTM was broken off.*run the forward pass"):
        torch.autograd.grad(output, leaves, error)


def test_parameters_that_changed_meanwhile_are_refused() -> None:
    module, x = layer(LSTM()), draw()
    output = module(x)[0]
    module.float()
    with pytest.raises(LayerMismatch, match="weight_ih"):
        output.sum().backward()


class Summed(Cell):
    """Of one value the δ is a sum over units, written before others are read."""

    s = Parameter(1)
    w = Parameter(1, "hidden")
    u = Parameter("hidden", "hidden")
    m = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        k = exp(tanh(sum(x)))
        g = sigmoid(self.w @ h)
        v = sigmoid(self.u @ h)
        return tanh(self.m @ ((g * k + self.s) * v)) * h + 0.5 * h


@pytest.mark.parametrize("hidden", [4, 1])
def test_a_sum_is_written_when_it_is_done(hidden: int) -> None:
    graph = trace(Summed(), 3, hidden)
    case = draw_case(graph, 5, 7)
    found, expected = (results(graph, case, name) for name in ("llvm", "reference"))
    assert_near(found, expected, 1e-12)


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
        widths[DELTA] // 4,
        widths.get(SAVED, 0) // 4,
    )


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (LSTM(), (1, 4, 5)),
        (GRU(), (0, 4, 4)),
        (GRU(reset_after=False), (0, 3, 4)),
        (PeepholeLSTM(), (1, 4, 5)),
        (Elman(), (None, 1, 0)),
        (Late(), (None, 2, 3)),
    ],
    ids=repr,
)
def test_where_there_is_room(cell: Cell, expected: tuple[int | None, int, int]) -> None:
    assert columns(cell) == expected
