"""Layers that store states now and then give what those that store everything give."""

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from tests.compare import assert_close
from throughtime.cells import GRU, LSTM, Elman, Feedforward, PeepholeLSTM
from throughtime.errors import (
    BackendCannotServe,
    BadSetting,
    BadSettingType,
    BudgetTooSmall,
    LayerMismatch,
)
from throughtime.graph import Cell, trace
from throughtime.graph.serialize import text_of
from throughtime.nn import Recurrent
from throughtime.nn.checkpointing import Spacing
from throughtime.nn.explain import explain

CELLS = [Elman(), Elman("relu"), LSTM(), GRU(), PeepholeLSTM(), Feedforward()]
EACH = pytest.mark.parametrize("cell", CELLS, ids=repr)
BACKENDS = ["llvm", "reference"]
STEPS, BATCH, F, H = 13, 5, 3, 6
SPACINGS: list[Any] = [1, 4, STEPS, 40, "sqrt"]
LENGTHS = [4, 0, STEPS, 7, 4]


def make(cell: Cell, checkpoint: Any, **settings: Any) -> Recurrent:
    settings = {"backend": "llvm", "dtype": torch.float64, **settings}
    torch.manual_seed(0)
    return Recurrent(cell, F, H, checkpoint=checkpoint, **settings)


def loss_of(outcome: Any) -> Tensor:
    leaves = torch.utils._pytree.tree_leaves(outcome)
    values = [
        leaf.data if isinstance(leaf, PackedSequence) else leaf for leaf in leaves
    ]
    return sum((v.sin().square().sum() for v in values), torch.zeros(()))


def learn(
    call: Callable[..., Any],
    module: Recurrent,
    *,
    steps: int = STEPS,
    state: bool = True,
    **given: Any,
) -> tuple[list[Tensor], list[Tensor]]:
    """Results and gradients of input and state; gradients of parameters."""
    torch.manual_seed(1)
    x = torch.randn(steps, BATCH, F, dtype=torch.float64, requires_grad=True)
    runs = module.num_layers * module.directions
    starts = [
        torch.randn(runs, BATCH, H, dtype=torch.float64, requires_grad=True)
        for _ in module.state_names
        if state
    ]
    outcome = call(x, starts or None, **given)
    weights = list(module.parameters())
    leaves = [x, *starts, *weights]
    # The reference backend does not read an input without a step.
    found = torch.autograd.grad(loss_of(outcome), leaves, materialize_grads=True)
    results = [leaf.detach() for leaf in torch.utils._pytree.tree_leaves(outcome)]
    first = 1 + len(starts)
    return [*results, *found[:first]], list(found[first:])


def assert_same(
    found: tuple[list[Tensor], list[Tensor]],
    expected: tuple[list[Tensor], list[Tensor]],
    *,
    bits: bool = True,
) -> None:
    for value, reference in zip(found[0], expected[0], strict=True):
        if bits:
            own, other = (v.contiguous().view(torch.uint8) for v in (value, reference))
            assert torch.equal(own, other)
        else:
            assert value.shape == reference.shape
            assert_close(value, reference) if value.numel() else None
    for value, reference in zip(found[1], expected[1], strict=True):
        error = (value - reference).norm()
        assert error <= 1e-12 * reference.norm()


@EACH
@pytest.mark.parametrize("checkpoint", SPACINGS)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
def test_every_bit_but_those_of_weight_gradients(
    cell: Cell, checkpoint: Any, lengths: list[int] | None
) -> None:
    settings = {"num_layers": 2, "bidirectional": True}
    for state in (True, False):
        found, expected = (
            learn(module, module, state=state, lengths=lengths)
            for module in (make(cell, way, **settings) for way in (checkpoint, None))
        )
        assert_same(found, expected)


@pytest.mark.parametrize("checkpoint", [1, 4, "sqrt"])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
@pytest.mark.parametrize("cell", [LSTM(), Feedforward()], ids=repr)
def test_the_reference_backend_obeys(
    cell: Cell, checkpoint: Any, lengths: list[int] | None
) -> None:
    found, expected = (
        learn(module, module, lengths=lengths)
        for module in (
            make(cell, way, bidirectional=True, backend="reference")
            for way in (checkpoint, None)
        )
    )
    # Products of libraries round as the number of rows has it.
    assert_same(found, expected, bits=False)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_few_steps(backend: str, steps: int) -> None:
    for checkpoint in (1, 3, "sqrt"):
        found, expected = (
            learn(module, module, steps=steps)
            for module in (
                make(LSTM(), way, backend=backend) for way in (checkpoint, None)
            )
        )
        assert_same(found, expected, bits=backend == "llvm")


@pytest.mark.parametrize("batch", [1, 20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_products_inside_and_before_the_loop(batch: int, dtype: torch.dtype) -> None:
    """A few sequences take another way through the code, and threads others' units."""
    results = []
    for way in (4, None):
        torch.manual_seed(0)
        module = Recurrent(GRU(), 40, 70, backend="llvm", dtype=dtype, checkpoint=way)
        x = torch.randn(STEPS, batch, 40, dtype=dtype, requires_grad=True)
        output, state = module(x)
        loss = output.square().sum() + state.h.sum()
        results.append([output, state.h, *torch.autograd.grad(loss, [x])])
    assert all(map(torch.equal, *results))


def test_a_packed_sequence() -> None:
    lengths = torch.tensor(LENGTHS).clamp(min=1)
    results = []
    for way in (4, None):
        module = make(LSTM(), way, bidirectional=True)
        x = torch.randn(STEPS, BATCH, F, generator=torch.Generator().manual_seed(2))
        x = x.double().requires_grad_()
        output, state = module(pack_padded_sequence(x, lengths, enforce_sorted=False))
        (slope,) = torch.autograd.grad(loss_of((output.data, state)), [x])
        results.append([output.data, *state, slope])
    assert all(map(torch.equal, *results))


def test_dropout_between_layers() -> None:
    found, expected = (
        learn(module, module)
        for module in (
            make(LSTM(), way, num_layers=3, dropout=0.4) for way in (4, None)
        )
    )
    assert_same(found, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_second_backward_pass(backend: str) -> None:
    module = make(LSTM(), 4, backend=backend)
    x = torch.randn(STEPS, BATCH, F, dtype=torch.float64)
    loss, weights = loss_of(module(x)), list(module.parameters())
    first = torch.autograd.grad(loss, weights, retain_graph=True)
    again = torch.autograd.grad(loss, weights, retain_graph=True)
    last = torch.autograd.grad(loss, weights)
    for found in (again, last):
        assert all(map(torch.equal, found, first))


@pytest.mark.parametrize("lengths", [None, [2, 5]], ids=["full", "ragged"])
def test_gradcheck(lengths: list[int] | None) -> None:
    module = make(LSTM(), 2, bidirectional=True)
    x = torch.randn(5, 2, F, dtype=torch.float64, requires_grad=True)
    state = [torch.randn(2, 2, H, dtype=torch.float64, requires_grad=True)] * 2
    assert torch.autograd.gradcheck(
        lambda x, *state: module(x, state, lengths=lengths)[0], (x, *state)
    )


def test_functional_transforms() -> None:
    x = torch.randn(STEPS, BATCH, F, dtype=torch.float64)
    results = []
    for way in (4, None):
        module = make(GRU(), way)
        weights = {name: value.detach() for name, value in module.named_parameters()}

        def loss(weights: dict[str, Tensor], module: Recurrent = module) -> Tensor:
            return loss_of(torch.func.functional_call(module, weights, (x,)))

        results.append(torch.func.grad(loss)(weights))
    for name, value in results[0].items():
        assert_close(value, results[1][name])


def only(module: Recurrent, *, state: bool, weights: bool) -> list[Tensor]:
    """Gradients of a state or of weights, where the input needs none."""
    torch.manual_seed(1)
    x = torch.randn(STEPS, BATCH, F, dtype=torch.float64)
    start = torch.randn(1, BATCH, H, dtype=torch.float64, requires_grad=state)
    module.requires_grad_(weights)
    outcome = module(x, start)
    leaves = [*([start] if state else []), *(module.parameters() if weights else [])]
    return list(torch.autograd.grad(loss_of(outcome), leaves))


def test_gradients_that_nobody_wants() -> None:
    for state, weights in ((True, False), (False, True)):
        found, expected = (
            only(make(GRU(), way), state=state, weights=weights) for way in (4, None)
        )
        for value, reference in zip(found, expected, strict=True):
            assert_close(value, reference)


def test_final_states_that_nobody_reads() -> None:
    results = []
    for way in (4, None):
        module = make(LSTM(), way)
        x = torch.randn(STEPS, BATCH, F, generator=torch.Generator().manual_seed(2))
        x = x.double().requires_grad_()
        _, state = module(x)
        results.append(torch.autograd.grad(state.c.sum(), [x]))
    assert all(map(torch.equal, *results))


def test_compiled_in_full() -> None:
    torch._dynamo.reset()
    for way in (4, "sqrt", "30KB"):
        module = make(LSTM(), way, num_layers=2)
        call = torch.compile(module, fullgraph=True, backend="aot_eager")
        assert_same(learn(call, module), learn(module, module))


@pytest.mark.parametrize("way", [4, "sqrt"])
def test_one_program_for_all_numbers_of_steps(way: Any) -> None:
    torch._dynamo.reset()
    module = make(GRU(), way)
    call = torch.compile(module, fullgraph=True, dynamic=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for steps in (6, 13, 20):
            found = learn(call, module, steps=steps, state=False)
            assert_same(found, learn(module, module, steps=steps, state=False))


@pytest.mark.parametrize("way", [4, "sqrt"])
def test_an_exported_program_learns(way: Any) -> None:
    dims = {0: torch.export.Dim("steps"), 1: torch.export.Dim("batch")}
    x = torch.randn(STEPS, BATCH, F, dtype=torch.float64)
    module = make(GRU(), way)
    memory = io.BytesIO()
    made = torch.export.export(module, (x,), dynamic_shapes={"input": dims})
    torch.export.save(made, memory)
    memory.seek(0)
    program = torch.export.load(memory).module()
    for call in (program, module):
        loss_of(call(x[:7, :2])).backward()
    for name, weight in program.named_parameters():
        expected = module.get_parameter(name).grad
        assert weight.grad is not None
        assert expected is not None
        assert_close(weight.grad, expected)


def stored(module: Recurrent, x: Tensor) -> int:
    """Bytes that a forward pass keeps for the backward one beside what it returns."""
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        kept[value.data_ptr()] = value.nbytes
        return value

    with saved_tensors_hooks(keep, lambda value: value):
        output, _ = module(x)
    for own in (x, output, *module.parameters()):
        kept.pop(own.data_ptr(), None)
    return sum(kept.values())


def test_only_states_are_stored() -> None:
    x = torch.randn(100, BATCH, F, dtype=torch.float64)
    state = 2 * H * BATCH * 8
    assert stored(make(LSTM(), None), x) > 100 * state
    assert stored(make(LSTM(), "sqrt"), x) == 10 * state
    assert stored(make(LSTM(), 30), x) == 4 * state
    with torch.no_grad():
        assert stored(make(LSTM(), 30), x) == 0


def spacing(budget: str, **settings: Any) -> Spacing:
    return make(LSTM(), budget, **settings).spacing


def test_a_budget_is_kept_with_few_segments() -> None:
    made = spacing("150KB")
    length = made.length(1000, 4, 8)
    count = -(-1000 // length)
    assert made.numbers(count, 1000) * 4 * 8 <= 150_000
    assert made.numbers(count - 1, 1000) * 4 * 8 > 150_000
    several = spacing("150KB", num_layers=3, bidirectional=True)
    assert several.length(1000, 4, 8) < length
    assert made.length(1000, 4, 4) > length


def test_what_fits_is_not_computed_again() -> None:
    assert spacing("1GB").length(1000, 4, 8) == 0
    assert spacing("1GB").length(0, 4, 8) == 0


def test_units_of_a_budget() -> None:
    budgets = {"3B": 3, "2KB": 2000, "2KiB": 2048, "1.5 MB": 1_500_000, "1GiB": 2**30}
    for text, size in budgets.items():
        assert spacing(text).budget == size


def test_too_small_a_budget_says_what_is_enough() -> None:
    module = make(LSTM(), "1KB")
    x = torch.randn(STEPS, BATCH, F, dtype=torch.float64)
    with pytest.raises(
        BudgetTooSmall, match=r"13 steps of 5 sequences.*'\d+KB'"
    ) as told:
        module(x)
    enough = str(told.value).split("at least '")[1].split("'")[0]
    make(LSTM(), enough)(x)
    with torch.no_grad():
        module(x)


def test_a_budget_needs_a_compiled_layer() -> None:
    module = make(LSTM(), "1MB", backend="reference")
    with pytest.raises(BackendCannotServe, match="checkpoint='1MB'"):
        module(torch.randn(STEPS, BATCH, F, dtype=torch.float64))


@pytest.mark.parametrize("given", ["", "32", "sqr", "512", "-1MB", "0MB", 0, -3])
def test_values_that_are_refused(given: Any) -> None:
    with pytest.raises(BadSetting, match="checkpoint"):
        make(LSTM(), given)


@pytest.mark.parametrize("given", [True, 2.0, [3]])
def test_types_that_are_refused(given: Any) -> None:
    with pytest.raises(BadSettingType, match="checkpoint"):
        make(LSTM(), given)


@pytest.mark.parametrize(
    ("segment", "counts"), [(-1, None), (2, [2, 2, 1]), (2, [2, 2, 1, 0, 0])]
)
def test_the_operator_refuses(segment: int, counts: list[int] | None) -> None:
    graph = trace(Elman(), 3, 5)
    weights = [torch.zeros(declared.shape) for declared in graph.parameters]
    given = None if counts is None else torch.tensor(counts)
    where = given, 4, 2, False, segment, False
    with pytest.raises(LayerMismatch):
        torch.ops.throughtime.layer(
            text_of(graph), True, "", [torch.zeros(8, 3)], [], weights, *where
        )


def test_a_module_remembers() -> None:
    module = make(LSTM(), "sqrt", backend="auto")
    assert repr(module) == "Recurrent(LSTM, 3, 6, checkpoint='sqrt')"
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert other.checkpoint == "sqrt"
        assert_same(learn(other, other), learn(module, module))
    stored = Recurrent.from_graphs(module.graphs, checkpoint=5)
    assert stored.checkpoint == 5


def test_what_is_stored_is_explained() -> None:
    def text(checkpoint: Any, **settings: Any) -> str:
        return str(explain(make(LSTM(), checkpoint, **settings), time=100, batch=5))

    assert "of every 10 steps only the states before them" in text("sqrt")
    assert "for it fits" in text("1GB")
    assert "refused" in text("1GB", backend="reference")
