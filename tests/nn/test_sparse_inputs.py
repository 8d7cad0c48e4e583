"""Layers of a sparse x give what layers of the same x written out give."""

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import throughtime as tt
from tests.compare import assert_close
from throughtime.errors import (
    CellError,
    DtypeMismatch,
    InputSizeMismatch,
    LengthsOfSparse,
    SparseInputElsewhere,
    SparseInputExpected,
)
from throughtime.graph import Cell, Parameter, State, Value
from throughtime.math import concat, tanh
from throughtime.nn import Recurrent, SparseSequences

F, H = 11, 5
LENGTHS = [4, 0, 7, 2]
CELLS: dict[str, Cell] = {
    "LSTM": tt.cells.LSTM(),
    "GRU": tt.cells.GRU(),
    "split weights": tt.cells.GRU(reset_after=False),
    "two matrices": tt.cells.MultiplicativeLSTM(),
    "reductions": tt.cells.LayerNormLSTM(),
    "no state": tt.cells.Feedforward(),
}
BACKENDS = ["llvm", "reference"]


def drawn(
    lengths: list[int], size: int = F, dtype: torch.dtype = torch.float64
) -> SparseSequences:
    """Random sequences of which some steps name nothing, some a feature twice."""
    generator = torch.Generator().manual_seed(3)
    found = []
    for length in lengths:
        steps = []
        for _ in range(length):
            count = int(torch.randint(5, (1,), generator=generator))
            features = torch.randint(size, (count,), generator=generator).tolist()
            values = torch.randn(count, generator=generator).tolist()
            steps.append(list(zip(features, values, strict=True)))
        found.append(steps)
    return SparseSequences.of(found, size, dtype=dtype)


def twins(cell: Cell, **settings: Any) -> tuple[Recurrent, Recurrent]:
    """A module of sparse inputs and one of dense ones, from the same seed."""
    made = []
    for sparse in (True, False):
        torch.manual_seed(0)
        one = Recurrent(
            cell, F, H, sparse_input=sparse, dtype=torch.float64, **settings
        )
        made.append(one)
    return made[0], made[1]


def gradients(module: nn.Module, values: list[Tensor]) -> dict[str, Tensor]:
    """Gradients of a loss that reads all values, matrices as a cell declares them."""
    generator = torch.Generator().manual_seed(1)
    loss = torch.zeros((), dtype=torch.float64)
    for value in values:
        weights = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        loss = loss + (weights * value).sum()
    module.zero_grad()
    loss.backward()
    found = {n: p.grad for n, p in module.named_parameters()}
    return {
        name: g.to_dense().t() if g.layout == torch.sparse_coo else g
        for name, g in found.items()
        if g is not None
    }


def assert_same(sparse: Recurrent, dense: Recurrent, mine: Any, other: Any) -> None:
    """Output, states and all gradients are the same."""
    outputs = [[found[0], *found[1]] for found in (mine, other)]
    for value, reference in zip(*outputs, strict=True):
        assert_close(value, reference)
    found, expected = gradients(sparse, outputs[0]), gradients(dense, outputs[1])
    assert found.keys() == expected.keys()
    for name, reference in expected.items():
        assert_close(found[name], reference)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CELLS)
def test_two_layers_in_both_directions_of_ragged_sequences(
    name: str, backend: str
) -> None:
    x = drawn(LENGTHS)
    settings = {"num_layers": 2, "bidirectional": True, "backend": backend}
    sparse, dense = twins(CELLS[name], **settings)
    own = dense(x.to_dense(), lengths=x.lengths)
    assert_same(sparse, dense, sparse(x), own)


@pytest.mark.parametrize("backend", BACKENDS)
def test_resets_and_carried_state(backend: str) -> None:
    x, marks = drawn([6, 6, 6]), torch.zeros(6, 3, dtype=torch.bool)
    marks[2, 1] = marks[5, 0] = marks[0, 2] = True
    sparse, dense = twins(tt.cells.LSTM(), bidirectional=True, backend=backend)
    start = tuple(torch.randn(2, 3, H).double() for _ in range(2))
    own = dense(x.to_dense(), start, resets=marks)
    assert_same(sparse, dense, sparse(x, start, resets=marks), own)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sequence_in_two_calls(backend: str) -> None:
    x = drawn([6, 6])
    sparse, dense = twins(tt.cells.GRU(), backend=backend)
    own, _ = dense(x.to_dense())
    first, state = sparse(x.between(0, 3))
    second, _ = sparse(x.between(3, 6), state)
    assert_close(torch.cat([first, second]), own)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_first": True},
        {"checkpoint": 2},
        {"num_layers": 2, "residual": True},
        {"heads": 5},
        {"bias": False},
    ],
    ids=str,
)
def test_other_settings(settings: dict[str, Any]) -> None:
    x = drawn(LENGTHS)
    sparse, dense = twins(tt.cells.LSTM(), **settings)
    written = x.to_dense()
    if settings.get("batch_first"):
        written = written.transpose(0, 1)
    own = dense(written, lengths=x.lengths)
    assert_same(sparse, dense, sparse(x), own)


class Timed(Cell):
    """A cell with a further input, whose x is its output but for a sum."""

    weight = Parameter("hidden", "input")
    pace = Parameter("hidden", "1")
    gap = tt.Input("1")
    h = State("hidden")

    def step(self, x: Value, h: Value, gap: Value) -> Value:
        return self.weight @ x + self.pace @ gap * h


def test_a_further_input_is_dense() -> None:
    x, gap = drawn([4, 4]), torch.rand(4, 2, 1).double()
    sparse, dense = twins(Timed())
    assert_same(sparse, dense, sparse(x, gap=gap), dense(x.to_dense(), gap=gap))


class Linear(Cell):
    """Its output is its product with x."""

    weight = Parameter("hidden", "input")

    def step(self, x: Value) -> Value:
        return self.weight @ x


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_that_is_its_product(backend: str) -> None:
    x = drawn(LENGTHS)
    sparse, dense = twins(Linear(), backend=backend)
    own = dense(x.to_dense(), lengths=x.lengths)
    assert_same(sparse, dense, sparse(x), own)


def test_random_masks_are_those_of_a_dense_x() -> None:
    x = drawn(LENGTHS)
    sparse, dense = twins(tt.cells.Zoneout(tt.cells.LSTM(), h=0.3, c=0.3))
    torch.manual_seed(5)
    mine = sparse(x)
    torch.manual_seed(5)
    assert_same(sparse, dense, mine, dense(x.to_dense(), lengths=x.lengths))
    own = dense.eval()(x.to_dense(), lengths=x.lengths)
    assert_same(sparse.eval(), dense, sparse(x), own)


def test_named_values_and_deltas() -> None:
    x = drawn(LENGTHS)
    sparse, dense = twins(tt.cells.LSTM(), num_layers=2, bidirectional=True)
    *_, mine = sparse(x, return_all=True)
    *_, own = dense(x.to_dense(), lengths=x.lengths, return_all=True)
    assert mine.keys() == own.keys()
    for key, value in own.items():
        assert_close(mine[key], value)
    error = torch.randn(7, 4, 2 * H).double()
    found = tt.explain(sparse).deltas(x, error)
    known = tt.explain(dense).deltas(x.to_dense(), error, lengths=x.lengths)
    for key, value in known.items():
        assert_close(found[key], value)
    assert "Layer 0 reads weight_ih @ x as its x" in str(tt.explain(sparse))


@pytest.mark.parametrize("lengths", [[3, 2], [0, 0], []], ids=str)
def test_features_that_no_step_names(lengths: list[int]) -> None:
    x = SparseSequences.of([[[]] * length for length in lengths], F).to()
    sparse, dense = twins(tt.cells.GRU())
    mine, own = sparse(x), dense(x.to_dense(torch.float64), lengths=x.lengths)
    assert mine[0].shape == own[0].shape
    torch.testing.assert_close(mine, own)


# -------------------------------------------------------------------------- gradients
class Written(torch.autograd.Function):
    """A value whose sparse gradient is written out."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # type: ignore[bad-override]
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> Tensor:
        return gradient[0].to_dense()


def test_finite_differences() -> None:
    sparse, _ = twins(tt.cells.LSTM(), bidirectional=True)
    x = drawn([3, 2])
    assert x.values is not None
    names = ["weight_ih_l0", "weight_ih_l0_reverse"]
    weights = [sparse.get_parameter(name).detach().requires_grad_() for name in names]

    def run(values: Tensor, *own: Tensor) -> Tensor:
        given = SparseSequences(x.features, x.offsets, x.lengths, F, values)
        tables = dict(zip(names, map(Written.apply, own), strict=True))
        output, _ = torch.func.functional_call(sparse, tables, (given,))
        return output

    values = x.values.clone().requires_grad_()
    assert torch.autograd.gradcheck(run, (values, *weights))


def test_only_named_rows_have_a_gradient_also_of_two_calls() -> None:
    sparse, dense = twins(tt.cells.GRU())
    first, second = drawn(LENGTHS), SparseSequences.of([[[0, 10], [10]]], F)
    loss = sparse(first)[0].square().sum() + sparse(second)[0].sum()
    loss.backward()
    written = first.to_dense(), second.to_dense(torch.float64)
    own = dense(written[0], lengths=first.lengths)[0].square().sum()
    (own + dense(written[1])[0].sum()).backward()
    gradient = sparse.get_parameter("weight_ih_l0").grad
    assert gradient is not None
    assert gradient.layout == torch.sparse_coo
    named = {*first.features.tolist(), 0, 10}
    assert set(gradient.coalesce().indices()[0].tolist()) == named
    reference = dense.get_parameter("weight_ih_l0").grad
    assert reference is not None
    assert_close(gradient.to_dense().t(), reference)


class _Made(TorchDispatchMode):
    """How many numbers the dense tensors have that anything gives."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for one in result if isinstance(result, tuple | list) else [result]:
            if isinstance(one, Tensor) and one.layout == torch.strided:
                self.sizes.add(one.numel())
        return result


def test_nothing_is_as_long_as_the_features_are_many() -> None:
    size = 200_000
    module = Recurrent(tt.cells.LSTM(), size, 2, sparse_input=True, bidirectional=True)
    optimizer = tt.optim.LazyFOBOS(module.parameters(), 0.1, l1=1e-4)
    x = drawn([20] * 8, size, torch.float32)
    with _Made() as made:
        for _ in range(2):
            optimizer.zero_grad()
            module(x)[0].sum().backward()
            weight = module.get_parameter("weight_ih_l0")
            assert weight.grad is not None
            optimizer.step()
    # The weights are there, and their clock; nothing else is of such a size.
    assert max(made.sizes - {weight.numel(), size}) < size / 10


# -------------------------------------------------------------------- weights, copies
def test_torch_and_this_module_load_each_other() -> None:
    x = drawn([2, 2])
    sparse, _ = twins(tt.cells.LSTM(), num_layers=2, bidirectional=True)
    theirs = nn.LSTM(F, H, 2, bidirectional=True, dtype=torch.float64)
    assert sparse.get_parameter("weight_ih_l0").shape == (F, 4 * H)
    theirs.load_state_dict(sparse.state_dict())
    assert_close(sparse(x)[0], theirs(x.to_dense())[0])
    other = nn.LSTM(F, H, 2, bidirectional=True, dtype=torch.float64)
    sparse.load_state_dict(other.state_dict())
    assert sparse.get_parameter("weight_ih_l0").is_contiguous()
    assert_close(sparse(x)[0], other(x.to_dense())[0])
    with pytest.raises(RuntimeError, match="size mismatch for weight_ih_l0"):
        sparse.load_state_dict(nn.LSTM(F + 1, H, 2, bidirectional=True).state_dict())


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies(copied: Callable[[Recurrent], Recurrent]) -> None:
    x = drawn(LENGTHS)
    sparse, _ = twins(tt.cells.LSTM())
    assert torch.equal(copied(sparse)(x)[0], sparse(x)[0])


def test_stored_graphs() -> None:
    sparse, _ = twins(tt.cells.LSTM())
    again = Recurrent.from_graphs(sparse.graphs, sparse_input=True, dtype=torch.float64)
    again.load_state_dict(sparse.state_dict())
    x = drawn(LENGTHS)
    assert torch.equal(again(x)[0], sparse(x)[0])
    assert "sparse_input=True" in repr(again)


def test_initial_weights_are_started_in_place() -> None:
    sparse, dense = twins(tt.cells.LSTM())
    for module in (sparse, dense):
        torch.manual_seed(2)
        tt.nn.initialise(module, "orthogonal", cell=tt.cells.LSTM(), forget_bias=1.0)
    for name, value in dense.state_dict().items():
        assert torch.equal(sparse.state_dict()[name], value)


# -------------------------------------------------------------------------- refusals
class Elementwise(Cell):
    """Adds x itself."""

    weight = Parameter("hidden", "input")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return tanh(self.weight @ x + x + h)


class Joined(Cell):
    """Multiplies x and its state by one matrix."""

    weight = Parameter("hidden", "input + hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return tanh(self.weight @ concat(x, h))


class Tied(Cell):
    """Multiplies its state by the matrix that multiplies x."""

    weight = Parameter("hidden", "input")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return tanh(self.weight @ x + self.weight @ h)


class Masked(Cell):
    """Multiplies x by a matrix that it makes."""

    weight = Parameter("hidden", "input")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return tanh((2 * self.weight) @ x + h)


class Blind(Cell):
    """Never looks at x."""

    weight = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return tanh(self.weight @ h)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (Elementwise(), "Elementwise.*uses x in 'add'"),
        (Joined(), "Joined.*uses x in 'concat'"),
        (Tied(), "Tied.*multiplies x by weight, which it uses elsewhere as well"),
        (Blind(), "Blind.*multiplies x by no matrix"),
        (Masked(), "Masked.*multiplies x by a 'multiply', which is no parameter"),
        (
            tt.cells.VariationalDropout(tt.cells.LSTM(), input=0.5),
            "uses x in 'multiply'",
        ),
    ],
    ids=repr,
)
def test_cells_that_need_more_of_x(cell: Cell, reason: str) -> None:
    with pytest.raises(CellError, match=f"(?s){reason}.*sparse_input=True"):
        Recurrent(cell, H, H, sparse_input=True)


def refused() -> Iterator[tuple[type[Exception], str, Callable[[], Any]]]:
    sparse, dense = twins(tt.cells.LSTM())
    x = drawn(LENGTHS)
    yield SparseInputExpected, "type Tensor", lambda: sparse(x.to_dense())
    yield SparseInputExpected, "sparse_input=True", lambda: dense(x)
    yield LengthsOfSparse, "their own", lambda: sparse(x, lengths=[1, 2, 3, 4])
    yield InputSizeMismatch, "Expected 11, got 12", lambda: sparse(drawn(LENGTHS, 12))
    yield DtypeMismatch, "float32", lambda: sparse(x.to(dtype=torch.float32))
    yield SparseInputElsewhere, "step", lambda: sparse.step(x.to_dense()[0])
    yield SparseInputElsewhere, "stream", sparse.stream


@pytest.mark.parametrize("number", range(7))
def test_calls_that_are_refused(number: int) -> None:
    kind, words, call = list(refused())[number]
    with pytest.raises(kind, match=words):
        call()
