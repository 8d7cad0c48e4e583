"""Compiled code draws what the reference draws, whoever computes it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends.layers import (
    Case,
    assert_equal_bits,
    assert_near,
    draw,
    engine_of,
    forward,
    results,
    through_engine,
    ways,
)
from tests.backends.test_llvm_determinism import SIZE
from tests.backends.test_llvm_targets import X86, compile_for
from tests.backends.test_llvm_units import with_split_units
from tests.graph.wild_cells import Line, Recipe, WildCell, recipes
from throughtime import math
from throughtime.backends.llvm.random_matrices import drawer
from throughtime.backends.llvm.target import forced, host
from throughtime.backends.reference.random_numbers import whole_numbers
from throughtime.cells import (
    GRU,
    LSTM,
    DropConnect,
    Feedforward,
    PeepholeLSTM,
    VariationalDropout,
    Zoneout,
)
from throughtime.errors import LayerMismatch
from throughtime.graph import Cell, Parameter, State, StepGraph, Value, trace

AGREE = 1e-12
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


class Masks(Cell):
    """Gives out what it draws: by step, by sequence, a range of a longer vector."""

    h = State("hidden")

    def step(self, x: Value, h: Value) -> tuple[Value, Value]:
        x, kept = x * 0 + 1, math.concat(h, h) * 0 + 1
        first, second = math.split(kept * math.mask(0.3), 2)
        early = x * math.mask(0.5, per="sequence")
        late = (h * 0 + 1) * math.mask(0.5, per="sequence")
        return math.concat(first, second, early, late, x * math.mask(1.0)), h


class Stateless(Cell):
    """Draws without a loop over time."""

    def step(self, x: Value) -> Value:
        return math.concat(
            x * 0 + math.mask(0.4), x * 0 + math.mask(0.4, per="sequence")
        )


class Noisy(Cell):
    """Noise in every place where a step has one, and an output of its own."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    bias = Parameter("hidden")
    out = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> tuple[Value, Value]:
        jitter = math.noise(0.5, per="sequence")
        noisy = self.recurrent + math.noise(0.1)
        a = (self.weight * math.mask(0.5)) @ (x * (1 + math.noise(0.2)))
        a = a + noisy @ (h * math.mask(0.5)) + jitter
        z = math.mask(0.1)
        h = z * math.tanh(a + self.bias * math.mask(0.5, per="step")) + (1 - z) * h
        o = self.out @ (h * math.mask(0.3, per="sequence"))
        return math.softmax(o * jitter + math.mask(0.5) * h), h


CELLS: list[Cell] = [
    Masks(),
    Stateless(),
    Noisy(),
    Zoneout(LSTM(), h=0.05, c=0.5),
    Zoneout(GRU(reset_after=False), h=0.2),
    DropConnect(GRU(), 0.5),
    VariationalDropout(PeepholeLSTM(), input=0.25, hidden=0.25),
    VariationalDropout(Feedforward("tanh"), input=0.5),
    VariationalDropout(Zoneout(DropConnect(LSTM(), 0.3), c=0.5), 0.1, 0.2),
]
EACH = pytest.mark.parametrize("cell", CELLS, ids=repr)


def case_of(graph: StepGraph, batch: int, dtype: torch.dtype) -> Case:
    return draw(graph, 6, batch, weights=0.3).to(dtype)


# -------------------------------------------------------------------------- the numbers
@DTYPES
@pytest.mark.parametrize("sizes", [(1, 1), (3, 5), (16, 16), (17, 33), (70, 129)])
@pytest.mark.parametrize("cell", [Masks(), Stateless()], ids=repr)
def test_masks_have_the_references_bits(
    cell: Cell, sizes: tuple[int, int], dtype: torch.dtype
) -> None:
    graph = trace(cell, *sizes)
    for steps, batch in ((1, 1), (5, 1), (1, 7), (5, 13)):
        for reverse in (False, True):
            case = draw(graph, steps, batch, seed=5, reverse=reverse).to(dtype)
            expected = forward(graph, case, "reference")
            assert set(expected["output"].unique().tolist()) <= {0.0, 1.0}
            assert_equal_bits(forward(graph, case, "llvm"), expected)


@pytest.mark.parametrize("lengths", [[4, 3, 3, 1, 0], [0, 0], [2]], ids=str)
@pytest.mark.parametrize("cell", [Masks(), Stateless()], ids=repr)
def test_ragged_masks(cell: Cell, lengths: list[int]) -> None:
    graph = trace(cell, 3, 5)
    case = draw(graph, 4, len(lengths), lengths=lengths)
    assert_equal_bits(forward(graph, case, "llvm"), forward(graph, case, "reference"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 37), (5, 16), (16, 5), (33, 70)])
def test_matrices_have_the_references_bits(shape: tuple[int, int]) -> None:
    rows, columns = shape
    made, key = drawer(), torch.tensor([-(2**40) - 3])
    for block in (0, 3):
        counter = torch.arange(columns), torch.arange(rows)[:, None]
        expected = whole_numbers(key, block, counter)
        for word in (0, 1):
            out = torch.empty(rows * columns + made.padding, dtype=torch.int32)
            stream = (block, word)
            made.fill_words(key.data_ptr(), stream, rows, columns, out.data_ptr())
            found = out[: rows * columns].view(rows, columns)
            assert torch.equal(found.long(), expected[word])
            mask = torch.empty(rows * columns + made.padding)
            made.fill_mask(
                *(key.data_ptr(), stream, 2**23, rows, columns, mask.data_ptr())
            )
            zeros = mask[: rows * columns].view(rows, columns) == 0
            assert torch.equal(zeros, expected[word] < 2**23)


@DTYPES
def test_noise_is_the_references(dtype: torch.dtype) -> None:
    graph = trace(Noisy(), 33, 70)
    case = case_of(graph, 9, dtype)
    limit = AGREE if dtype == torch.float64 else 1e-5
    assert_near(results(graph, case, "llvm"), results(graph, case, "reference"), limit)


# --------------------------------------------------------------------- whole layers
@EACH
@pytest.mark.parametrize("batch", [1, 3, 9])
def test_layers_agree_with_the_reference(cell: Cell, batch: int) -> None:
    graph = trace(cell, *SIZE)
    case = draw(graph, 6, batch, weights=0.3)
    assert_near(results(graph, case, "llvm"), results(graph, case, "reference"), AGREE)
    inference = forward(graph, case, "llvm")
    assert_near(inference, forward(graph, case, "reference"), AGREE)
    reverse = replace(case, reverse=True)
    expected = results(graph, reverse, "reference")
    assert_near(results(graph, reverse, "llvm"), expected, AGREE)


@EACH
def test_ragged_layers_agree_with_the_reference(cell: Cell) -> None:
    graph = trace(cell, *SIZE)
    case = draw(graph, 6, 5, lengths=[6, 5, 5, 2, 0], weights=0.3)
    assert_near(results(graph, case, "llvm"), results(graph, case, "reference"), AGREE)


@EACH
def test_bits_do_not_depend_on_threads(cell: Cell) -> None:
    graph = trace(cell, *SIZE)
    case = draw(graph, 8, 61, weights=0.2).to(torch.float32)
    torch.set_num_threads(1)
    expected = results(graph, case, "llvm")
    for threads in (2, 3):
        torch.set_num_threads(threads)
        assert_equal_bits(results(graph, case, "llvm"), expected)


@pytest.mark.parametrize("cell", CELLS[2:4], ids=repr)
def test_threads_that_share_units_draw_the_same(cell: Cell) -> None:
    graph = trace(cell, 17, 70)
    case = draw(graph, 8, 2, weights=0.2).to(torch.float32)
    torch.set_num_threads(1)
    expected = through_engine(engine_of(graph, torch.float32, training=True), case)
    split = with_split_units(engine_of(graph, torch.float32, training=True))
    for threads in (2, 3):
        torch.set_num_threads(threads)
        assert_equal_bits(through_engine(split, case), expected)


@EACH
def test_every_way_to_run_a_layer_draws_the_same(cell: Cell) -> None:
    graph = trace(cell, *SIZE)
    case = draw(graph, 6, 9, weights=0.3).to(torch.float32)
    expected = through_engine(engine_of(graph, torch.float32, training=True), case)
    made = engine_of(graph, torch.float32, training=True)
    hoisted = {way.hoist: way for way in ways(split_units=False) if not way.backward}
    made.kernels[hoisted[False]] = made.compile(hoisted[True])
    found = through_engine(made, case)
    same = [name for name in expected if not name.startswith("gradient of w")]
    assert_equal_bits({n: found[n] for n in same}, {n: expected[n] for n in same})


@X86
@pytest.mark.parametrize("name", ["avx2", "baseline"])
def test_weaker_processors_draw_the_same(name: str) -> None:
    if name == "avx2" and host().vector_bytes < forced(name).vector_bytes:
        pytest.skip("this processor has no AVX2")
    graph = trace(Masks(), 17, 33)
    case = draw(graph, 4, 9).to(torch.float32)
    made = engine_of(graph, torch.float32, training=True)
    compile_for(made, name)
    expected = forward(graph, case, "reference")
    found = through_engine(made, case)
    assert_equal_bits({name: found[name] for name in expected}, expected)


def test_a_layer_that_draws_needs_a_key_of_its_type() -> None:
    graph = trace(Masks(), 3, 5)
    case = draw(graph, 2, 2)
    for key in (None, torch.tensor([1.0]), torch.tensor([1, 2])):
        with pytest.raises(LayerMismatch, match=r"parameters|key"):
            forward(graph, replace(case, key=key), "llvm")


# --------------------------------------------------------------------------- any cell
CHANCES: list[Callable[[Value], Value]] = [
    lambda v: v * math.mask(0.5),
    lambda v: v * math.mask(0.25, per="sequence") / 0.75,
    lambda v: v + math.noise(0.5),
    lambda v: math.tanh(v + math.noise(0.5, per="sequence")),
    lambda v: math.where(math.mask(0.5) > 0.5, v, v * 0.5),
    lambda v: math.concat(*math.split(v * math.mask(0.5), v.shape[0])[::-1]),
]


class Chancy(WildCell):
    """A cell that nobody wrote, with chance in many of its lines."""

    def _line(self, line: Line, pool: list[Value]) -> Value:
        made = super()._line(line, pool)
        return CHANCES[line[1] % len(CHANCES)](made) if line[0] >= 24 else made

    def _vector(self, size: int, choice: int) -> Value:
        made = super()._vector(size, choice)
        return made * math.mask(0.5) if choice % 3 == 0 else made

    def _matrix(self, rows: int, columns: int, choice: int) -> Value:
        made = super()._matrix(rows, columns, choice)
        return made + math.noise(0.1) if choice % 3 == 0 else made


batches = st.lists(st.integers(0, 4), min_size=1, max_size=4)


def check(recipe: Recipe, steps: int, lengths: list[int], reverse: bool) -> None:
    graph = trace(Chancy(recipe), 2, 3)
    short = sorted((min(length, steps) for length in lengths), reverse=True)
    for case in (
        draw(graph, steps, len(lengths), reverse=reverse),
        draw(graph, steps, len(lengths), lengths=short),
    ):
        found = results(graph, case, "llvm")
        assert_near(found, results(graph, case, "reference"), 1e-10)


@settings(max_examples=6)
@given(recipe=recipes, steps=st.integers(1, 4), lengths=batches, reverse=st.booleans())
def test_chance_in_any_cell(
    recipe: Recipe, steps: int, lengths: list[int], reverse: bool
) -> None:
    check(recipe, steps, lengths, reverse)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=300)
@given(recipe=recipes, steps=st.integers(1, 4), lengths=batches, reverse=st.booleans())
def test_chance_in_many_cells(
    recipe: Recipe, steps: int, lengths: list[int], reverse: bool
) -> None:
    check(recipe, steps, lengths, reverse)
