"""Compiled layers as torch's autograd knows layers: frozen, hooked, copied, shared."""

import copy
import io
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.compare import assert_close
from throughtime import nn as ours
from throughtime.cells import GRU, LSTM
from throughtime.nn import Recurrent

F, H, STEPS, BATCH = 3, 5, 4, 3


@pytest.fixture
def module() -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(LSTM(), F, H, 2, backend="llvm", dtype=torch.float64)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(STEPS, BATCH, F, dtype=torch.float64)


def gradients(module: nn.Module) -> dict[str, Tensor]:
    found = module.named_parameters()
    return {name: p.grad.clone() for name, p in found if p.grad is not None}


def backward(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    module.zero_grad()
    module(x)[0].square().sum().backward()
    return gradients(module)


def test_only_some_parameters_learn(module: Recurrent, x: Tensor) -> None:
    expected = backward(module, x)
    module.weight_hh_l0.requires_grad_(False)
    module.bias_ih_l1.requires_grad_(False)
    found = backward(module, x)
    assert expected.keys() - found.keys() == {"weight_hh_l0", "bias_ih_l1"}
    for name, gradient in found.items():
        assert torch.equal(gradient, expected[name])


@pytest.mark.parametrize("learns", ["x", "h", "c"])
def test_only_an_input_or_a_state_learns(
    module: Recurrent, x: Tensor, learns: str
) -> None:
    slow = copy.deepcopy(module)
    slow.backend = "reference"
    found = []
    for one in (module, slow):
        one.requires_grad_(False)
        torch.manual_seed(1)
        leaves = {"x": x.clone()}
        for name in ("h", "c"):
            leaves[name] = torch.randn(2, BATCH, H, dtype=torch.float64)
        leaf = leaves[learns].requires_grad_()
        output, state = one(leaves["x"], (leaves["h"], leaves["c"]))
        loss = output.square().sum() + state.c.sin().sum()
        found += torch.autograd.grad(loss, leaf)
    assert_close(*found)


def test_gradients_accumulate(module: Recurrent, x: Tensor) -> None:
    expected = backward(module, x)
    module(x)[0].square().sum().backward()
    for name, gradient in gradients(module).items():
        assert torch.equal(gradient, 2 * expected[name])


def test_a_second_backward(module: Recurrent, x: Tensor) -> None:
    x.requires_grad_()
    loss = module(x)[0].square().sum()
    (first,) = torch.autograd.grad(loss, x, retain_graph=True)
    module(2 * x)  # what other calls leave in memory does not matter
    (second,) = torch.autograd.grad(loss, x)
    assert torch.equal(first, second)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(loss, x)


CHANGES: dict[str, Callable[[Recurrent, Tensor, Tensor], Any]] = {
    "output": lambda module, x, output: output.mul_(2),
    "input": lambda module, x, output: x.mul_(2),
    "weight": lambda module, x, output: module.weight_hh_l1.mul_(2),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_what_backward_reads_may_not_change(
    module: Recurrent, x: Tensor, changed: str
) -> None:
    output, _ = module(x)
    with torch.no_grad():
        CHANGES[changed](module, x, output)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def copies(module: nn.Module) -> list[nn.Module]:
    memory = io.BytesIO()
    torch.save(module, memory)
    memory.seek(0)
    pickled = pickle.loads(pickle.dumps(module))
    stored = torch.load(memory, weights_only=False)
    return [copy.deepcopy(module), pickled, stored]


@pytest.mark.parametrize("make", [ours.RNN, ours.LSTM, ours.GRU])
def test_copies(make: type[nn.Module], x: Tensor) -> None:
    module = make(F, H, dtype=torch.float64)
    expected = backward(module, x)
    for other in copies(module):
        found = backward(other, x)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in found)
        assert {p.data_ptr() for p in other.parameters()}.isdisjoint(
            p.data_ptr() for p in module.parameters()
        )


def test_hooks(module: Recurrent, x: Tensor) -> None:
    seen: list[str] = []
    module.register_forward_pre_hook(lambda *_: seen.append("before"))
    module.register_forward_hook(lambda *_: seen.append("after"))
    module.register_full_backward_hook(lambda *_: seen.append("backward"))
    module.weight_ih_l0.register_hook(lambda gradient: gradient * 0)
    found = backward(module, x.requires_grad_())
    assert seen == ["before", "after", "backward"]
    assert not found["weight_ih_l0"].any()
    assert found["weight_hh_l0"].any()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(module: Recurrent, x: Tensor, mode: Any) -> None:
    expected, _ = module(x)
    with mode():
        output, state = module(x)
        module(x, state)
    assert torch.equal(output, expected)
    assert not output.requires_grad
    assert backward(module, x)  # what inference left behind serves training


def test_autocast_keeps_the_modules_own_precision(x: Tensor) -> None:
    torch.manual_seed(0)
    module, below = ours.LSTM(F, H, backend="reference"), nn.Linear(F, F)
    x = x.float()
    with torch.autocast("cpu", torch.bfloat16):
        value = below(x)
        assert value.dtype == torch.bfloat16
        output, _ = module(value)
        own, _ = module(x)
        output.sum().backward()
    assert torch.equal(own, module(x)[0])
    assert torch.equal(output, module(value.float())[0])
    assert below.weight.grad is not None


def test_anomaly_mode(module: Recurrent, x: Tensor) -> None:
    with (
        pytest.warns(UserWarning, match="Anomaly Detection has been enabled"),
        torch.autograd.detect_anomaly(),
    ):
        assert backward(module, x)
        output, _ = module(x)
        with (
            pytest.warns(UserWarning, match="Error detected in"),
            pytest.raises(RuntimeError, match="nan values"),
        ):
            (output * torch.nan).sum().backward()


def test_two_threads(module: Recurrent, x: Tensor) -> None:
    inputs = [x, x.flip(0)]
    wanted = list(module.parameters())

    def work(number: int) -> list[Tensor]:
        output, _ = module(inputs[number % 2])
        return [output, *torch.autograd.grad(output.square().sum(), wanted)]

    expected = [work(0), work(1)]
    with ThreadPoolExecutor(2) as pool:
        for number, found in enumerate(pool.map(work, range(60))):
            assert all(map(torch.equal, found, expected[number % 2]))


def test_vjp_and_jacobian(backend: str, x: Tensor) -> None:
    torch.manual_seed(0)
    module = Recurrent(GRU(), F, 2, backend=backend, dtype=torch.float64)
    x = x[:2, :1]

    def call(x: Tensor) -> Tensor:
        return module(x, lengths=[2])[0]

    output, pull = torch.func.vjp(call, x)
    (found,) = pull(output)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(call(leaf), leaf, output.detach())
    assert_close(found, expected)
    jacobian = torch.func.jacrev(call)(x)
    assert_close(jacobian, torch.autograd.functional.jacobian(call, x))


def test_gradients_of_every_sequence_at_once(x: Tensor) -> None:
    torch.manual_seed(0)
    module = Recurrent(LSTM(), F, H, backend="llvm", dtype=torch.float64)
    weights = {name: p.detach() for name, p in module.named_parameters()}

    def loss(weights: dict[str, Tensor], sequence: Tensor) -> Tensor:
        output, _ = torch.func.functional_call(module, weights, (sequence,))
        return output.square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 1))(weights, x)
    for number in range(BATCH):
        expected = torch.func.grad(loss)(weights, x[:, number])
        for name, gradient in expected.items():
            assert_close(found[name][number], gradient)
    with torch.no_grad():
        outputs = torch.func.vmap(lambda one: module(one)[0], in_dims=1)(x)
    assert_close(outputs.transpose(0, 1), module(x)[0])
