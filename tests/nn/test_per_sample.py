"""Gradients of each sequence by itself: one call of compiled code for all of them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

from tests.backends.test_llvm_shared_parameters import CELLS as SHARED
from tests.compare import assert_close
from throughtime.cells import (
    GRU,
    LSTM,
    Elman,
    Feedforward,
    LayerNormLSTM,
    PeepholeLSTM,
)
from throughtime.graph import Cell
from throughtime.nn import Recurrent
from throughtime.nn.compiled.engine import Engine

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
CELLS = [
    Elman(),
    LSTM(),
    GRU(),
    GRU(reset_after=False),
    PeepholeLSTM(),
    Feedforward("tanh"),
    LayerNormLSTM(0.7),
    *SHARED,
]
STEPS, BATCH, F, H = 4, 3, 3, 5
Weights = dict[str, Tensor]
SETTINGS: dict[str, dict[str, Any]] = {
    "stacked": {"num_layers": 2},
    "bidirectional": {"bidirectional": True},
}


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def built(cell: Cell, **settings: Any) -> tuple[Recurrent, Weights]:
    torch.manual_seed(0)
    module = Recurrent(cell, F, H, backend="llvm", dtype=torch.float64, **settings)
    return module, {name: p.detach() for name, p in module.named_parameters()}


def loss_of(module: Recurrent, **given: Any) -> Callable[..., Tensor]:
    def loss(weights: Weights, x: Tensor, *state: Tensor) -> Tensor:
        output, final = functional_call(module, weights, (x, state or None), given)
        squares = [value.square().sum() for value in (output, *final)]
        return torch.stack(squares).sum()

    return loss


def assert_alone(
    loss: Callable[..., Tensor], found: Weights, weights: Weights, *values: Tensor
) -> None:
    """Each element's gradients are those of a call of its own."""
    for number in range(len(values[0])):
        alone = grad(loss)(weights, *(value[number] for value in values))
        for name, gradient in alone.items():
            assert_close(found[name][number], gradient)


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_every_cell(cell: Cell) -> None:
    module, weights = built(cell)
    x, loss = draw(BATCH, STEPS, F), loss_of(module)
    found = vmap(grad(loss), in_dims=(None, 0))(weights, x)
    assert_alone(loss, found, weights, x)


@pytest.mark.parametrize("setting", SETTINGS)
def test_layers_and_directions(setting: str) -> None:
    """Elements are batches, with first states of their own."""
    module, weights = built(LSTM(), **SETTINGS[setting])
    x, loss = draw(2, STEPS, BATCH, F), loss_of(module)
    state = draw(2, 2, BATCH, H), draw(2, 2, BATCH, H)
    found = vmap(grad(loss), in_dims=(None, 0, 0, 0))(weights, x, *state)
    assert_alone(loss, found, weights, x, *state)


@pytest.mark.parametrize("lengths", [[2, 4, 0], [0, 0, 0], [4, 4, 1]])
@pytest.mark.parametrize("cell", [GRU(), Feedforward("tanh")], ids=repr)
def test_ragged_batches(cell: Cell, lengths: list[int]) -> None:
    module, weights = built(cell, bidirectional=isinstance(cell, GRU))
    x, loss = draw(2, STEPS, BATCH, F), loss_of(module, lengths=lengths)
    found = vmap(grad(loss), in_dims=(None, 0))(weights, x)
    assert_alone(loss, found, weights, x)


def test_weights_of_each_element() -> None:
    """Nothing is shared, so each element has a call of its own."""
    module, weights = built(LSTM())
    x, loss = draw(2, STEPS, BATCH, F), loss_of(module)
    several = {name: torch.stack([w, w.cos()]) for name, w in weights.items()}
    found = vmap(grad(loss))(several, x)
    for number in range(2):
        own = {name: value[number] for name, value in several.items()}
        for name, gradient in grad(loss)(own, x[number]).items():
            assert_close(found[name][number], gradient)


def test_elements_of_elements() -> None:
    module, weights = built(PeepholeLSTM())
    x, loss = draw(2, BATCH, STEPS, F), loss_of(module)
    each = vmap(grad(loss), in_dims=(None, 0))
    found = vmap(each, in_dims=(None, 0))(weights, x)
    for number in range(2):
        own = {name: value[number] for name, value in found.items()}
        assert_alone(loss, own, weights, x[number])


def test_gradients_of_inputs_and_states() -> None:
    module, weights = built(LSTM())
    loss = loss_of(module)
    values = draw(2, STEPS, BATCH, F), draw(2, 1, BATCH, H), draw(2, 1, BATCH, H)
    by_all = grad(loss, argnums=(1, 2, 3))
    found = vmap(by_all, in_dims=(None, 0, 0, 0))(weights, *values)
    for number in range(2):
        alone = by_all(weights, *(value[number] for value in values))
        for several, gradient in zip(found, alone, strict=True):
            assert_close(several[number], gradient)


def test_one_call_serves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    module, weights = built(LSTM())
    calls: list[int] = []
    run = Engine._run

    def counted(
        made: Engine, half: Any, given: Any, parameters: Any, extent: Any, series: Any
    ) -> None:
        calls.append(extent.batch)
        run(made, half, given, parameters, extent, series)

    monkeypatch.setattr(Engine, "_run", counted)
    x = draw(STEPS, BATCH, F)
    vmap(grad(loss_of(module)), in_dims=(None, 1))(weights, x)
    assert calls == [BATCH, BATCH]  # forward and backward
    calls.clear()
    with torch.no_grad():
        outputs = vmap(lambda one: module(one)[0], in_dims=1)(x)
    assert calls == [BATCH]
    assert torch.equal(outputs.transpose(0, 1), module(x)[0])


def test_a_gradient_of_what_all_have() -> None:
    """Inside, nothing shows that the weights and the lower layer are differentiated."""
    module, weights = built(LSTM(), num_layers=2)
    x, loss = draw(2, STEPS, BATCH, F), loss_of(module)
    found = grad(lambda w: vmap(loss, in_dims=(None, 0))(w, x).sum())(weights)
    expected = [grad(loss)(weights, one) for one in x]
    for name, gradient in found.items():
        assert_close(gradient, expected[0][name] + expected[1][name])


def test_derivatives_of_what_each_has() -> None:
    """The norm of per-sample gradients has a gradient, and a rate."""
    module, weights = built(GRU())
    x, loss = draw(BATCH, STEPS, F), loss_of(module)

    def norm(weights: Weights) -> Tensor:
        found = vmap(grad(loss), in_dims=(None, 0))(weights, x)
        return torch.stack([value.square().sum() for value in found.values()]).sum()

    def norm_of_each(weights: Weights) -> Tensor:
        found = [grad(loss)(weights, one) for one in x]
        squares = [v.square().sum() for gradients in found for v in gradients.values()]
        return torch.stack(squares).sum()

    expected = grad(norm_of_each)(weights)
    for name, gradient in grad(norm)(weights).items():
        assert_close(gradient, expected[name])
    rates = {name: value.cos() for name, value in weights.items()}
    found, alone = (jvp(f, (weights,), (rates,))[1] for f in (norm, norm_of_each))
    assert_close(found, alone)


@pytest.mark.parametrize("create_graph", [False, True])
def test_batched_gradients_of_autograd(create_graph: bool) -> None:
    module, _ = built(LSTM(), num_layers=2)
    x = draw(STEPS, BATCH, F).requires_grad_()
    leaves = [x, *module.parameters()]
    output, _ = module(x)
    errors = draw(2, *output.shape)
    found = torch.autograd.grad(
        output, leaves, errors, is_grads_batched=True, create_graph=create_graph
    )
    for number, error in enumerate(errors):
        alone = torch.autograd.grad(module(x)[0], leaves, error)
        for several, gradient in zip(found, alone, strict=True):
            assert_close(several[number], gradient)
    if create_graph:
        loss = torch.stack([value.square().sum() for value in found]).sum()
        second = torch.autograd.grad(loss, leaves)
        assert all(value.isfinite().all() and value.any() for value in second[:5])


@pytest.mark.parametrize(
    "call",
    [
        {"lengths": [STEPS, 0, *[2] * (BATCH - 2)]},
        {"resets": torch.arange(STEPS * BATCH).view(STEPS, BATCH) % 3 == 0},
        {
            "resets": torch.arange(STEPS * BATCH).view(STEPS, BATCH) % 3 == 0,
            "return_all": True,
        },
    ],
    ids=["lengths", "resets", "parts"],
)
def test_batched_gradients_of_packed_rows(call: dict[str, Any]) -> None:
    module, _ = built(LSTM())
    x = draw(STEPS, BATCH, F).requires_grad_()
    output = module(x, **call)[0]
    errors = draw(2, *output.shape)
    (found,) = torch.autograd.grad(output, x, errors, is_grads_batched=True)
    for number, error in enumerate(errors):
        (alone,) = torch.autograd.grad(module(x, **call)[0], x, error)
        assert_close(found[number], alone)


def test_the_number_of_threads_does_not_matter() -> None:
    module, weights = built(LSTM())
    x, threads, found = draw(BATCH, STEPS, F), torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(vmap(grad(loss_of(module)), in_dims=(None, 0))(weights, x))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(found[0][name], found[1][name]) for name in weights)
