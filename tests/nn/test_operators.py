"""The operators of compiled layers, judged by torch's own checks, and who sees them."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from tests.compare import assert_close
from throughtime.cells import GRU, LSTM, Elman, Feedforward, PeepholeLSTM
from throughtime.errors import CapturedWithoutGradient
from throughtime.graph import Cell, Input, Parameter, State, Value, trace
from throughtime.graph.serialize import text_of
from throughtime.math import tanh
from throughtime.nn import Recurrent

CHECKS = [
    "test_schema",
    "test_autograd_registration",
    "test_faketensor",
    "test_aot_dispatch_dynamic",
]
CELLS = [Elman(), LSTM(), GRU(), GRU(reset_after=False), PeepholeLSTM(), Feedforward()]
F, H, STEPS, BATCH = 3, 5, 4, 3
OPERATORS = torch.ops.throughtime


class TwoInputs(Cell):
    """A cell with two further inputs of one size, which are not alike."""

    weight = Parameter("hidden", "input")
    h = State("hidden", init=0.25)
    first = Input(1)
    second = Input(1)

    def step(self, x: Value, h: Value, first: Value, second: Value) -> Value:
        return tanh(self.weight @ x + h * first - second)


def draw(*shape: int, gradient: bool = False) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=gradient)


def arguments(
    cell: Cell,
    counts: list[int] | None = None,
    *,
    training: bool = True,
    wanted: str = "x",
    reverse: bool = False,
    segment: int = 0,
    hidden: int = H,
) -> tuple[Any, ...]:
    """What ``throughtime::layer`` is called with."""
    torch.manual_seed(0)
    graph = trace(cell, F, hidden)
    x = draw(STEPS * BATCH, F, gradient=training and bool(wanted))
    initial = [draw(BATCH, state.size, gradient=training) for state in graph.states]
    weights = [draw(*p.shape, gradient=training) for p in graph.parameters]
    given = None if counts is None else torch.tensor(counts)
    extent = given, STEPS, BATCH, reverse, segment, False
    return text_of(graph), training, wanted, [x], initial, weights, *extent


EXTENTS: list[dict[str, Any]] = [
    {},
    {"reverse": True},
    {"counts": [3, 2, 2, 0]},
    {"counts": [3, 2, 2, 0], "segment": 2},
    {"reverse": True, "segment": 3},
    {"wanted": ""},
    {"training": False, "wanted": ""},
    {"counts": [0, 0, 0, 0]},
]


@pytest.mark.parametrize("cell", CELLS, ids=repr)
@pytest.mark.parametrize("extent", EXTENTS, ids=str)
def test_opcheck_forward(cell: Cell, extent: dict[str, Any]) -> None:
    given = arguments(cell, **extent)
    passed = torch.library.opcheck(OPERATORS.layer.default, given, test_utils=CHECKS)
    assert passed == dict.fromkeys(CHECKS, "SUCCESS")


def test_between_rows_that_lie_apart_nothing_is_left_to_chance() -> None:
    given = arguments(LSTM(), hidden=64)
    torch.use_deterministic_algorithms(True)  # fresh memory is NaN
    try:
        with torch.no_grad():
            saved = OPERATORS.layer(*given)[-1]
    finally:
        torch.use_deterministic_algorithms(False)
    assert saved.shape[1] == 8 * 41  # 5 · 64 numbers are 40 lines of a cache
    assert not saved[:, 5 * 64 :].any()
    checked = torch.library.opcheck(OPERATORS.layer.default, given, test_utils=CHECKS)
    assert checked == dict.fromkeys(CHECKS, "SUCCESS")


@pytest.mark.parametrize("cell", CELLS, ids=repr)
@pytest.mark.parametrize("extent", EXTENTS[:6], ids=str)
def test_opcheck_backward(cell: Cell, extent: dict[str, Any]) -> None:
    given = arguments(cell, **extent)
    with torch.no_grad():
        output, *finals, saved = OPERATORS.layer(*given)
        rest = output, saved, output.cos(), [final.sin() for final in finals]
    text, _, wanted, *tensors = given
    passed = torch.library.opcheck(
        OPERATORS.layer_backward.default,
        (text, wanted, *tensors, *rest),
        test_utils=CHECKS,
    )
    assert passed == dict.fromkeys(CHECKS, "SUCCESS")


NAMES = "delta saved early late output sums key sequences panels gradient".split()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [5, 512])
def test_an_input_may_have_any_name(name: str, size: int) -> None:
    """That of what a layer stores, too, whose wide rows lie apart."""

    def step(self: Any, x: Value, h: Value, **given: Value) -> Value:
        return tanh(self.w @ x + self.u @ h + self.v @ given[name])

    weights = [Parameter("hidden", s) for s in ("input", "hidden", name + "_size")]
    declared = dict(zip("wuv", weights, strict=True))
    body = {**declared, "h": State("hidden"), name: Input(size), "step": step}
    cell = type("Named", (Cell,), {**body, name + "_size": size})()
    torch.manual_seed(0)
    one = Recurrent(cell, F, H, dtype=torch.float64, backend="llvm")
    other = Recurrent(cell, F, H, dtype=torch.float64, backend="reference")
    other.load_state_dict(one.state_dict())
    x, given = draw(STEPS, BATCH, F), draw(STEPS, BATCH, size, gradient=True)
    with torch.no_grad():
        pair = (module(x, **{name: given})[0] for module in (one, other))
        assert_close(*pair)
    slopes = []
    for module in (one, other):
        error = module(x, **{name: given})[0].sin().sum()
        slopes.append(torch.autograd.grad(error, [given, *module.parameters()]))
    for found, expected in zip(*slopes, strict=True):
        assert_close(found, expected)


def test_further_inputs_go_by_name(backend: str) -> None:
    torch.manual_seed(0)
    module = Recurrent(TwoInputs(), F, H, backend=backend, dtype=torch.float64)
    x, first, second = draw(STEPS, BATCH, F), *draw(2, STEPS, BATCH, 1)
    expected, _ = module(x, first=first, second=second)
    output, _ = module(x, second=second, first=first)
    assert torch.equal(output, expected)
    swapped, _ = module(x, first=second, second=first)
    assert not torch.allclose(swapped, expected)


@pytest.fixture
def module() -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(LSTM(), F, H, 2, backend="llvm", dtype=torch.float64)


@pytest.mark.parametrize("inference", [False, True])
def test_a_tracer_sees_the_operator(module: Recurrent, inference: bool) -> None:
    with torch.inference_mode(inference):
        captured = make_fx(lambda x: module(x)[0])(draw(STEPS, BATCH, F))
        called = [node.target for node in captured.graph.nodes]
        assert called.count(OPERATORS.layer.default) == 2
        x = draw(STEPS, BATCH, F)
        assert_close(captured(x), module(x)[0])


def test_fake_tensors_have_shapes(module: Recurrent) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        x = mode.from_tensor(draw(STEPS, BATCH, F)).requires_grad_()
        output, state = module(x)
        assert output.shape == (STEPS, BATCH, H)
        assert state.c.shape == (2, BATCH, H)
        (gradient,) = torch.autograd.grad(output.sum(), x)
        assert gradient.shape == x.shape


class Watched(Tensor):
    """A tensor of another class, as parallel training has them."""


def test_a_subclass_of_tensor(module: Recurrent) -> None:
    x = draw(STEPS, BATCH, F)
    output, _ = module(x.as_subclass(Watched))
    assert_close(output.as_subclass(Tensor), module(x)[0])


def test_the_default_device_does_not_matter(module: Recurrent) -> None:
    x = draw(STEPS + 3, BATCH, F)  # an extent of its own, so no cached one serves
    with torch.device("meta"):
        output, _ = module(x)
    assert_close(output, module(x)[0])


class TestRefusals:
    """What is not part of this version is refused, never silently wrong."""

    def test_a_gradient_that_was_not_captured(self) -> None:
        text, _, _, *rest = arguments(LSTM())
        output, *_ = OPERATORS.layer(text, False, "", *rest)
        with pytest.raises(CapturedWithoutGradient, match="a backward pass"):
            output.sum().backward()
        output, *_ = OPERATORS.layer(text, True, "", *rest)
        with pytest.raises(CapturedWithoutGradient, match="the input x"):
            output.sum().backward()
