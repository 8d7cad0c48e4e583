"""What is done for speed changes no result: each option left out, one by one."""

from collections.abc import Sequence
from dataclasses import fields, replace

import pytest
import torch

from tests.backends.layers import (
    assert_equal_bits,
    assert_near,
    draw,
    results,
    through_engine,
)
from tests.backends.test_llvm_determinism import CELLS
from throughtime.backends.llvm.options import Options
from throughtime.cells import LSTM, Elman
from throughtime.graph import Cell, trace
from throughtime.graph.serialize import text_of
from throughtime.nn.compiled.engine import Engine

OPTIONS = [field.name for field in fields(Options)]
# Whole vectors and a part of one; blocks of rows of many heights.
Shape = tuple[int, int, int, list[int] | None]
SHAPES: list[Shape] = [(17, 33, 61, [7] * 30 + [3] * 31), (16, 32, 26, None)]
# One of each kind: a single phase, a δ of its own, sums over units.
QUICK = {"LSTM()", "GRU(reset_after=True)", "Normed()"}


def test_no_bit_depends_on_leaving_out_zeros() -> None:
    same_bits_without(Elman(activation="relu"), "most_by_pattern")


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("cell", [c for c in CELLS if repr(c) in QUICK], ids=repr)
def test_no_bit_depends_on_an_option(cell: Cell, option: str) -> None:
    same_bits_without(cell, option)


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("cell", [c for c in CELLS if repr(c) not in QUICK], ids=repr)
def test_no_bit_of_any_cell_depends_on_an_option(cell: Cell, option: str) -> None:
    same_bits_without(cell, option)


def test_no_bit_of_a_wide_layer_depends_on_what_is_fetched() -> None:
    """Its weights outgrow the cache, rows of what it saves lie pages apart."""
    shapes: list[Shape] = [(19, 210, 29, None), (16, 256, 3, [7, 2, 5])]
    same_bits_without(LSTM(), "fetch_ahead", shapes)


@pytest.mark.parametrize("cell", [Elman("relu"), Elman()], ids=repr)
def test_sums_of_many_terms_are_those_of_the_reference(cell: Cell) -> None:
    graph = trace(cell, 9, 1040)
    case = draw(graph, 3, 5, weights=0.02)
    made = Engine(text_of(graph), True, " ".join(case.inputs), torch.float64)
    assert_near(through_engine(made, case), results(graph, case, "reference"), 1e-12)


def same_bits_without(
    cell: Cell, option: str, shapes: Sequence[Shape] = SHAPES
) -> None:
    for inputs, hidden, batch, lengths in shapes:
        graph = trace(cell, inputs, hidden)
        case = draw(graph, 7, batch, lengths=lengths, weights=0.2).to(torch.float32)
        wanted = " ".join(case.inputs)
        both = [
            Engine(text_of(graph), True, wanted, torch.float32, options=options)
            for options in (Options(), replace(Options(), **{option: False}))
        ]
        expected, found = (through_engine(made, case) for made in both)
        assert_equal_bits(found, expected)
