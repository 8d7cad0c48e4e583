"""What compiled code reads and writes: its own rows, nothing beside, nothing unset."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.backends.layers import (
    Case,
    assert_equal_bits,
    draw,
    engine_of,
    forward,
    results,
    through_engine,
)
from tests.backends.test_llvm_determinism import CELLS
from tests.compare import assert_close
from tests.graph.wild_cells import Recipe, WildCell, recipes
from tests.sizes import SIZES
from throughtime.cells import LSTM
from throughtime.graph import Cell, StepGraph, trace
from throughtime.nn.compiled.scratch import release

aten = torch.ops.aten
MARGIN = 64
"""Numbers of NaN on both sides of every tensor: a vector of the widest target."""
BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
EACH = pytest.mark.parametrize("cell", CELLS, ids=repr)
LENGTHS = [5, 5, 4, 2, 1, 0, 0]


class Guarded(TorchDispatchMode):
    """Puts every new tensor of numbers between NaN, and its unset numbers too."""

    MADE: ClassVar = {
        aten.empty.memory_format,
        aten.new_empty.default,
        aten.empty_like.default,
        aten.zeros_like.default,
        aten.new_zeros.default,
        aten.clone.default,
        aten.stack.default,
    }

    def __init__(self) -> None:
        super().__init__()
        self.regions: list[Tensor] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        if func not in self.MADE or not found.is_floating_point():
            return found
        guarded, region = between_nan(found)
        if "empty" in str(func):
            guarded.fill_(torch.nan)
        self.regions.append(region)
        return guarded

    def check(self) -> None:
        assert self.regions
        for region in self.regions:
            assert untouched(region)


def between_nan(value: Tensor) -> tuple[Tensor, Tensor]:
    """A copy with NaN before and behind it, and all of its memory."""
    region = value.new_full((value.numel() + 2 * MARGIN,), torch.nan)
    inside = region[MARGIN : MARGIN + value.numel()].view(value.shape)
    inside.copy_(value)
    return inside, region


def untouched(region: Tensor) -> bool:
    return bool(region[:MARGIN].isnan().all() and region[-MARGIN:].isnan().all())


@pytest.fixture
def _unset_is_nan() -> Iterator[None]:
    """Let torch fill fresh memory with NaN, our own scratch memory included."""
    release()
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.use_deterministic_algorithms(False)
    release()


def map_tensors(case: Case, function: Callable[[Tensor], Tensor]) -> Case:
    return replace(
        case,
        inputs={name: function(value) for name, value in case.inputs.items()},
        initial=[function(value) for value in case.initial],
        parameters={name: function(value) for name, value in case.parameters.items()},
        gradient=function(case.gradient),
        state_gradients=[function(value) for value in case.state_gradients],
    )


def guard(graph: StepGraph, case: Case) -> None:
    """The same bits between NaN, of which none is read or written."""
    engines = [
        engine_of(graph, case.gradient.dtype, training=training)
        for training in (True, False)
    ]
    expected = [through_engine(made, case) for made in engines]
    regions: list[Tensor] = []

    def copied(value: Tensor) -> Tensor:
        inside, region = between_nan(value)
        regions.append(region)
        return inside

    own = map_tensors(case, copied)
    before = [region.clone() for region in regions]
    for made, whole in zip(engines, expected, strict=True):
        release()
        with torch.no_grad(), Guarded() as guarded:
            found = through_engine(made, own)
        guarded.check()
        assert_equal_bits(found, whole)
    for region, old in zip(regions, before, strict=True):
        same = torch.equal(region.nan_to_num(nan=7.0), old.nan_to_num(nan=7.0))
        assert same, "an input or its neighbourhood was written"


@EACH
@BOTH
@pytest.mark.parametrize("sizes", [SIZES[1], SIZES[6]], ids=str)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
@pytest.mark.usefixtures("_unset_is_nan")
def test_nothing_beside_and_nothing_unset(
    cell: Cell, dtype: torch.dtype, sizes: tuple[int, int], lengths: list[int] | None
) -> None:
    graph = trace(cell, *sizes)
    case = draw(graph, 5, 7, lengths=lengths, weights=0.2)
    guard(graph, case.to(dtype))
    guard(graph, replace(case, reverse=lengths is None).to(dtype))


@BOTH
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
@pytest.mark.usefixtures("_unset_is_nan")
def test_between_rows_that_lie_apart_nothing_is_read(
    dtype: torch.dtype, lengths: list[int] | None
) -> None:
    graph = trace(LSTM(), 3, 128)
    guard(graph, draw(graph, 5, 7, lengths=lengths, weights=0.1).to(dtype))


@settings(max_examples=5)
@given(recipe=recipes, ragged=st.booleans())
def test_random_cells(recipe: Recipe, ragged: bool) -> None:
    graph = trace(WildCell(recipe), 2, 3)
    lengths = [4, 2, 0] if ragged else None
    guard(graph, draw(graph, 4, 3, lengths=lengths))


@EACH
def test_any_strides(cell: Cell) -> None:
    graph = trace(cell, *SIZES[1])
    case = draw(graph, 5, 7)

    def strided(value: Tensor) -> Tensor:
        wide = torch.full((2 * value.shape[0], 3 * value.shape[-1]), torch.nan).double()
        if value.dim() == 1:
            wide = wide[0]
        piece = wide[..., ::3] if value.dim() == 1 else wide[1::2, ::3]
        return piece.copy_(value)

    found = results(graph, map_tensors(case, strided), "llvm")
    assert_equal_bits(found, results(graph, case, "llvm"))
    turned = map_tensors(case, lambda v: v.T.contiguous().T if v.dim() == 2 else v)
    assert_equal_bits(results(graph, turned, "llvm"), found)


@EACH
def test_one_row_expanded(cell: Cell) -> None:
    graph = trace(cell, *SIZES[1])
    case = draw(graph, 5, 7)
    expanded = map_tensors(case, lambda v: v[:1].expand(v.shape))
    plain = map_tensors(expanded, lambda v: v.clone())
    for run in (results, forward):
        assert_equal_bits(run(graph, expanded, "llvm"), run(graph, plain, "llvm"))


SPECIAL = [torch.inf, -torch.inf, torch.nan, 1e30, -1e30]


@EACH
@BOTH
@pytest.mark.parametrize("number", SPECIAL, ids=str)
@pytest.mark.parametrize("place", ["input", "parameter", "state", "gradient"])
def test_special_numbers_pass_through(
    cell: Cell, dtype: torch.dtype, number: float, place: str
) -> None:
    graph = trace(cell, *SIZES[1])
    case = draw(graph, 5, 7).to(dtype)
    if place == "input":
        case.inputs["x"][15, 1] = number
    elif place == "parameter":
        next(iter(case.parameters.values()))[1, 1] = number
    elif place == "gradient":
        case.gradient[15, 1] = number
    elif case.initial:
        case.initial[0][2, 1] = number
    expected = results(graph, case, "reference")
    for name, value in results(graph, case, "llvm").items():
        # A sum of 35 terms, some of them huge, may cancel.
        assert_close(value, expected[name], times=35)
