"""Derivatives of derivatives of compiled layers, in every way torch has to ask."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.utils._pytree import tree_leaves

from tests.compare import assert_close
from tests.covering import crossed
from throughtime import math
from throughtime.cells import GRU, LSTM, Elman, Feedforward, PeepholeLSTM
from throughtime.graph import Cell, Input, Parameter, State, Value
from throughtime.nn import Recurrent
from throughtime.nn.precision import BFLOAT16

# torch's own rules for forward mode are scripted when they are first needed.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
CELLS = [
    Elman(),
    LSTM(),
    GRU(),
    GRU(reset_after=False),
    PeepholeLSTM(),
    Feedforward("tanh"),
]
SIZE, BATCH = 2, 2
SETTINGS: dict[str, dict[str, Any]] = {
    "one step": {"steps": 1},
    "three steps": {},
    "given states": {"given": True},
    "stacked": {"num_layers": 2, "given": True},
    "bidirectional": {"bidirectional": True},
    "ragged": {"lengths": [3, 0, 2], "given": True},
    "ragged, bidirectional": {"lengths": [1, 3], "bidirectional": True},
}


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def built(cell: Cell, *sizes: int, **settings: Any) -> Recurrent:
    torch.manual_seed(0)
    settings.setdefault("backend", "llvm")
    return Recurrent(cell, *sizes, dtype=torch.float64, **settings)


def results(
    module: nn.Module, leaves: list[Tensor], states: int, **given: Any
) -> list[Tensor]:
    """Output and final states, given x, initial states, and the weights."""
    x, initial, weights = leaves[0], leaves[1 : 1 + states], leaves[1 + states :]
    names = dict(zip(dict(module.named_parameters()), weights, strict=True))
    state = tuple(initial) or None
    output, final = functional_call(module, names, (x, state), given)
    return [output, *final]


@crossed(cell=CELLS, setting=list(SETTINGS))
def test_gradgradcheck(cell: Cell, setting: str) -> None:
    settings = dict(SETTINGS[setting])
    steps, given = settings.pop("steps", 3), settings.pop("given", False)
    lengths = settings.pop("lengths", None)
    module = built(cell, SIZE, SIZE, **settings)
    batch = BATCH if lengths is None else len(lengths)
    _, state = module(draw(steps, batch, SIZE))
    initial = [draw(*value.shape) for value in state] if given else []
    leaves = [draw(steps, batch, SIZE), *initial, *module.parameters()]
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]

    def call(*leaves: Tensor) -> tuple[Tensor, ...]:
        found = results(module, list(leaves), len(initial), lengths=lengths)
        return tuple(value for value in found if value.requires_grad)

    assert torch.autograd.gradcheck(call, leaves, fast_mode=True)
    # Each set of errors that are not given is code of its own: other tests do that.
    assert torch.autograd.gradgradcheck(
        call, leaves, fast_mode=True, check_undefined_grad=False
    )


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_every_number_of_a_second_derivative(cell: Cell) -> None:
    """Those by each leaf, of a loss that reads every first derivative."""
    fast = built(cell, SIZE, SIZE, bidirectional=True)
    slow = copy.deepcopy(fast)
    slow.backend = "reference"
    _, state = fast(draw(4, 3, SIZE))
    leaves = [draw(4, 3, SIZE), *map(torch.randn_like, state), *fast.parameters()]
    found, expected = (
        second_derivatives(module, leaves, len(state)) for module in (fast, slow)
    )
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


def second_derivatives(
    module: nn.Module, values: list[Tensor], states: int
) -> tuple[Tensor, ...]:
    leaves = [value.detach().requires_grad_() for value in values]
    found = results(module, leaves, states, lengths=[4, 1, 3])
    loss = torch.stack([value.square().sum() for value in found]).sum()
    first = torch.autograd.grad(loss, leaves, create_graph=True)
    second = torch.stack([value.sin().sum() for value in first]).sum()
    return torch.autograd.grad(second, leaves)


class Wild(Cell):
    """Further inputs, expressions of parameters, a state that nobody reads."""

    weight = Parameter("hidden", "hidden")
    scale = Parameter(1)
    into = Parameter("hidden", "input")
    h = State("hidden", init=0.25)
    count = State(1)
    gap = Input(1)

    def step(self, x: Value, h: Value, count: Value, gap: Value) -> tuple[Value, ...]:
        matrix = math.relu(self.weight) * math.tanh(self.scale)
        moved = math.softmax(matrix @ h + self.into @ x) * (gap - h)
        return math.tanh(moved) + math.mean(x), count + gap


def losses(backend: str) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """A function of x of a small layer, and x."""
    module = built(Wild(), 2, 3, backend=backend)
    x, gap = draw(3, 2, 2), draw(3, 2, 1)
    return lambda x: module(x, gap=gap)[0].square().sum(), x


TRANSFORMS: dict[str, Callable[[Callable[[Tensor], Tensor]], Any]] = {
    "grad of grad": lambda f: grad(lambda x: grad(f)(x).square().sum()),
    "hessian": hessian,
    "jacrev of jacrev": lambda f: jacrev(jacrev(f)),
    "jacrev of jacfwd": lambda f: jacrev(jacfwd(f)),
    "jacfwd of jacfwd": lambda f: jacfwd(jacfwd(f)),
    "jvp": lambda f: lambda x: jvp(f, (x,), (x.cos(),)),
    "jvp of grad": lambda f: lambda x: jvp(grad(f), (x,), (x.cos(),)),
    "third": lambda f: grad(lambda x: grad(lambda x: grad(f)(x).sin().sum())(x).sum()),
    "grad of vmap": lambda f: grad(lambda x: vmap(f)(x.expand(2, *x.shape)).sum()),
    "vmap of hessian": lambda f: lambda x: vmap(hessian(f))(torch.stack([x, -x])),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms(transform: str) -> None:
    (fast, x), (slow, _) = losses("llvm"), losses("reference")
    found, expected = (TRANSFORMS[transform](loss)(x) for loss in (fast, slow))
    for one, other in zip(tree_leaves(found), tree_leaves(expected), strict=True):
        assert_close(one, other)


@pytest.mark.parametrize("vectorize", [False, True])
def test_torch_autograd_functional(vectorize: bool) -> None:
    (fast, x), (slow, _) = losses("llvm"), losses("reference")
    found, expected = (
        torch.autograd.functional.hessian(loss, x, vectorize=vectorize)
        for loss in (fast, slow)
    )
    assert_close(found, expected)


def test_forward_mode_by_dual_numbers() -> None:
    module = built(LSTM(), 3, 5)
    x = draw(4, 3, 3)

    def rate_of(x: Tensor) -> Tensor:
        with forward_ad.dual_level():
            output, _ = module(forward_ad.make_dual(x, x.cos()))
            rate = forward_ad.unpack_dual(output).tangent
        assert rate is not None
        return rate

    expected = jvp(lambda x: module(x)[0], (x,), (x.cos(),))[1]
    leaf = x.clone().requires_grad_()
    found = rate_of(leaf)
    assert_close(found, expected)
    (slope,) = torch.autograd.grad(found.sum(), leaf)
    sum_of_rates = grad(
        lambda x: jvp(lambda x: module(x)[0], (x,), (x.cos(),))[1].sum()
    )
    assert_close(slope, sum_of_rates(x))


def test_a_jacobian_by_the_weights(backend: str) -> None:
    module = built(GRU(), 3, 2, backend=backend)
    weights = {name: p.detach() for name, p in module.named_parameters()}
    x = draw(3, 2, 3)

    def call(weights: dict[str, Tensor]) -> Tensor:
        return functional_call(module, weights, (x,), {"lengths": [1, 3]})[0]

    backward, forward = jacrev(call)(weights), jacfwd(call)(weights)
    for name, jacobian in backward.items():
        assert_close(jacobian, forward[name])


@pytest.mark.parametrize("wanted", ["x", "weights"])
def test_a_gradient_penalty(wanted: str) -> None:
    """A step of training whose loss has a derivative in it."""
    gradients = []
    for backend in ("llvm", "reference"):
        module = built(LSTM(), 3, 5, num_layers=2, backend=backend)
        x = draw(4, 3, 3).requires_grad_(wanted == "x")
        output, _ = module(x)
        by = [x] if wanted == "x" else list(module.parameters())
        slopes = torch.autograd.grad(output.square().mean(), by, create_graph=True)
        (output.mean() + sum(slope.square().sum() for slope in slopes)).backward()
        gradients.append([p.grad for p in module.parameters() if p.grad is not None])
    assert len(gradients[0]) == 8
    for one, other in zip(*gradients, strict=True):
        assert_close(one, other)


def test_a_frozen_module_has_second_derivatives_by_its_input() -> None:
    module = built(LSTM(), 2, 3).requires_grad_(False)
    x = draw(3, 2, 2)
    expected = hessian(lambda x: module(x)[0].square().sum())(x)
    again = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(
        module(again)[0].square().sum(), again, create_graph=True
    )
    (found,) = torch.autograd.grad(slope[1, 0, 1], again)
    assert_close(found, expected[1, 0, 1])


def test_the_order_of_threads_does_not_matter() -> None:
    module, threads = built(LSTM(), 20, 33), torch.get_num_threads()
    values = [draw(5, 6, 20), *module.parameters()]
    found = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            leaves = [value.detach().requires_grad_() for value in values]
            output, _ = results(module, leaves, 0)[:2]
            first = torch.autograd.grad(output.exp().sum(), leaves, create_graph=True)
            loss = torch.stack([value.square().sum() for value in first]).sum()
            found.append(torch.autograd.grad(loss, leaves))
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_captured_operators() -> None:
    """What `torch.export` holds has the same derivatives."""
    module = built(LSTM(), 3, 5)
    x = draw(4, 3, 3).requires_grad_()
    captured = torch.export.export(module, (x,)).module()
    found = []
    for one in (module, captured):
        leaf = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(
            one(leaf)[0].square().sum(), leaf, create_graph=True
        )
        found.append(torch.autograd.grad(slope.square().sum(), leaf)[0])
    assert_close(*found)


@pytest.mark.skipif(not BFLOAT16, reason="the processor has no such products")
def test_autocast() -> None:
    """Second derivatives take float32 where the layer took bfloat16."""
    torch.manual_seed(0)
    module, x = Recurrent(LSTM(), 3, 5, backend="llvm"), torch.randn(4, 3, 3)
    found = []
    for enabled in (True, False):
        leaf = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output, _ = module(leaf)
        (slope,) = torch.autograd.grad(output.square().sum(), leaf, create_graph=True)
        found += torch.autograd.grad(slope.sum(), leaf)
    assert found[0].dtype == torch.float32
    torch.testing.assert_close(*found, rtol=0.05, atol=0.01)
