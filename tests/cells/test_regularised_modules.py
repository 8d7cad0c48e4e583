"""Modules of regularised cells: derivatives, seeds, evaluation, captured programs."""

import copy
import pickle
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.backends.layers import assert_equal_bits
from tests.cells.regularised import (
    DOUBLE,
    EACH,
    REGULARISED,
    B,
    F,
    H,
    Independent,
    Joined,
    NamedParts,
    T,
    build,
    seeded,
    sequences,
    slopes,
)
from tests.compare import assert_close
from tests.conftest import BACKENDS
from tests.covering import crossed
from throughtime import explain
from throughtime.cells import (
    GRU,
    LSTM,
    Elman,
    Feedforward,
    Zoneout,
)
from throughtime.graph import trace
from throughtime.graph.serialize import from_json, to_json
from throughtime.nn import Recurrent


# ------------------------------------------------------------------- every regulariser
@EACH
def test_gradients_with_fixed_masks(kind: str, backend: str) -> None:
    module = build(REGULARISED[kind](), backend)
    x = sequences()[:3, :2].requires_grad_()
    names = [name for name, _ in module.named_parameters()]

    def call(x: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(names, weights, strict=True))
        torch.manual_seed(3)
        return torch.func.functional_call(module, given, (x,))[0]

    assert torch.autograd.gradcheck(call, (x, *module.parameters()), fast_mode=True)


@EACH
def test_second_derivatives_with_fixed_masks(kind: str) -> None:
    module = build(REGULARISED[kind](), hidden=2)
    x = sequences()[:2, :2].requires_grad_()
    call = lambda x: seeded(module, x)[0]  # noqa: E731
    assert torch.autograd.gradgradcheck(call, (x,), fast_mode=True)


@EACH
def test_both_backends_draw_the_same(kind: str) -> None:
    x = sequences()
    lengths = torch.tensor([2, T, 0])
    settings = {"num_layers": 2, "bidirectional": True}
    one, other = (
        build(REGULARISED[kind](), name, **settings) for name in ("reference", "llvm")
    )
    for given in ({}, {"lengths": lengths}):
        found = seeded(other, x, **given)
        expected = seeded(one, x, **given)
        assert_close(found[0].detach(), expected[0].detach())


@EACH
def test_seeds_repeat_masks_and_calls_do_not(kind: str, backend: str) -> None:
    module = build(REGULARISED[kind](), backend)
    x = sequences()
    first, _ = seeded(module, x)
    second, _ = module(x)
    again, _ = seeded(module, x)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@EACH
def test_evaluation_draws_nothing(kind: str, backend: str) -> None:
    module = build(REGULARISED[kind](), backend).eval()
    x = sequences()
    before = torch.get_rng_state()
    found, _ = module(x)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(module(x)[0], found)
    module.train()
    assert not torch.equal(module(x)[0], found)


@crossed(kind=list(REGULARISED), backend=BACKENDS)
def test_graphs_alone_make_the_same_module(kind: str, backend: str) -> None:
    module = build(REGULARISED[kind](), backend, num_layers=2)
    graphs = [from_json(to_json(graph)) for graph in module.graphs]
    loaded = Recurrent.from_graphs(graphs, backend=backend, dtype=DOUBLE)
    loaded.load_state_dict(module.state_dict())
    for one in (loaded, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(seeded(one, sequences())[0], seeded(module, sequences())[0])


UNCHANGED = {
    "drop connect": LSTM(),
    "drop connect of vectors": Independent(),
    "drop connect of a part": Joined(),
    "variational": LSTM(),
    "variational gru": GRU(reset_after=False),
    "without states": Feedforward("tanh"),
}


@pytest.mark.parametrize("kind", UNCHANGED)
def test_scaled_dropout_leaves_evaluation_as_it_was(kind: str, backend: str) -> None:
    regularised, plain = (
        build(REGULARISED[kind](), backend),
        build(UNCHANGED[kind], backend),
    )
    regularised.load_state_dict(plain.state_dict())
    plain.load_state_dict(regularised.state_dict())
    found, expected = (one.eval()(sequences())[0] for one in (regularised, plain))
    assert_equal_bits({"output": found.detach()}, {"output": expected.detach()})


def test_zoneout_mixes_old_and_new_in_evaluation(backend: str) -> None:
    module = build(Zoneout(Elman(), h=0.25), backend).eval()
    w_ih, w_hh, b_ih, b_hh = module.parameters()
    h, x = torch.zeros(B, H, dtype=DOUBLE), sequences()
    for t in range(T):
        new = torch.tanh(x[t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh)
        h = 0.75 * new + 0.25 * h
    assert_close(module(x)[1].h[0].detach(), h.detach())


@pytest.fixture
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("kind", ["drop connect", "nested"])
def test_masks_do_not_depend_on_threads(kind: str) -> None:
    torch.manual_seed(0)
    module = Recurrent(REGULARISED[kind](), 17, 33, 2, dropout=0.5)
    x = torch.randn(8, 61, 17)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        output, _ = seeded(module, x)
        gradients = torch.autograd.grad(
            output.square().sum(), list(module.parameters())
        )
        names = [name for name, _ in module.named_parameters()]
        found.append(
            {"output": output.detach(), **dict(zip(names, gradients, strict=True))}
        )
    assert_equal_bits(found[1], found[0])
    assert_equal_bits(found[2], found[0])


@EACH
def test_single_steps_and_deltas(kind: str, backend: str) -> None:
    module = build(REGULARISED[kind](), backend)
    output, state = module.step(sequences()[0])
    assert output.shape == (B, module.graphs[0].output_size)
    torch.manual_seed(1)
    gradient = torch.ones(T, B, module.graphs[0].output_size, dtype=DOUBLE)
    found = explain(module).deltas(sequences(), gradient)
    assert all(torch.isfinite(value).all() for value in found.values())
    assert str(explain(module)).count("mask(") >= 1
    assert len(state) == len(module.graphs[0].states)


def test_layers_that_draw_stand_beside_others(backend: str) -> None:
    graphs = [trace(Elman(), F, H), trace(Zoneout(Elman(), h=0.5), H, H)]
    module = Recurrent.from_graphs(graphs, backend=backend, dtype=DOUBLE)
    assert seeded(module, sequences())[0].shape == (T, B, H)


def test_layers_and_directions_draw_masks_of_their_own() -> None:
    module = build(Zoneout(Elman(), h=0.5), num_layers=2, bidirectional=True)
    keys = module.draw_keys(torch.device("cpu"))
    assert keys is not None and len({int(key) for key in keys if key is not None}) == 4


@crossed(kind=list(REGULARISED), backend=BACKENDS)
def test_memory_that_is_bounded_draws_the_same(kind: str, backend: str) -> None:
    settings = {"num_layers": 2, "bidirectional": True}
    plain, bounded = (
        build(REGULARISED[kind](), backend, checkpoint=checkpoint, **settings)
        for checkpoint in (None, 3)
    )
    for given in ({}, {"lengths": torch.tensor([2, T, 0])}):
        x = sequences().requires_grad_()
        found, expected = (seeded(one, x, **given)[0] for one in (bounded, plain))
        assert_close(found.detach(), expected.detach())
        pairs = zip(slopes(found, x, bounded), slopes(expected, x, plain), strict=True)
        for slope, other in pairs:
            assert_close(slope, other)


@EACH
def test_resets_and_values(kind: str) -> None:
    x, resets = sequences(), torch.zeros(T, B, dtype=torch.bool)
    resets[2, 0] = resets[1, 2] = True
    found, expected = (
        seeded(build(REGULARISED[kind](), name), x, resets=resets, return_all=True)
        for name in ("llvm", "reference")
    )
    assert_close(found[0].detach(), expected[0].detach())
    assert found[2].keys() == expected[2].keys()
    for name, value in expected[2].items():
        assert_close(found[2][name].detach(), value.detach())
    module = build(REGULARISED[kind]()).eval()
    assert module(x, return_all=True)[2].keys() == expected[2].keys()


# -------------------------------------------------------------- programs and functions
@pytest.mark.parametrize("kind", ["zoneout", "drop connect", "variational"])
def test_programs_that_torch_compiles(kind: str) -> None:
    torch._dynamo.reset()
    module = build(REGULARISED[kind](), "llvm")
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = sequences().requires_grad_()
    found, expected = seeded(compiled, x)[0], seeded(module, x)[0]
    assert_close(found.detach(), expected.detach())
    for slope, other in zip(
        slopes(found, x, module), slopes(expected, x, module), strict=True
    ):
        assert_close(slope, other)


def test_programs_that_torch_exports() -> None:
    for training in (True, False):
        module = build(REGULARISED["nested"](), "llvm").train(training)
        program = torch.export.export(module, (sequences(),))
        found, expected = (
            seeded(program.module(), sequences()),
            seeded(module, sequences()),
        )
        assert_close(found[0].detach(), expected[0].detach())


@pytest.mark.parametrize("kind", ["zoneout", "drop connect", "variational"])
def test_functional_derivatives(kind: str) -> None:
    module = build(REGULARISED[kind](), "llvm")
    x = sequences()

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(module, weights, (x,))[0].square().sum()

    weights = {name: value.detach() for name, value in module.named_parameters()}
    torch.manual_seed(2)
    found = torch.func.grad(loss)(weights, x)
    torch.manual_seed(2)
    expected = torch.autograd.grad(
        loss(dict(module.named_parameters()), x), list(module.parameters())
    )
    for name, value in zip(weights, expected, strict=True):
        assert_close(found[name], value)
    each = torch.func.vmap(torch.func.grad(loss), (None, 1), randomness="same")
    torch.manual_seed(2)
    assert each(weights, x.unsqueeze(2)).keys() == weights.keys()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_numbers_of_other_types(dtype: torch.dtype) -> None:
    module = Recurrent(Zoneout(NamedParts(), h=0.5), F, H, dtype=dtype)
    output, _ = seeded(module, sequences().to(dtype))
    assert output.dtype == dtype
    assert torch.isfinite(output).all()
    again, _ = seeded(module, sequences().to(dtype))
    assert torch.equal(output, again)
