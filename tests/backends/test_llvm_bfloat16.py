"""Products of bfloat16: rounded operands, sums and everything else in float32."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.backends.layers import (
    Case,
    assert_equal_bits,
    draw,
    engine_of,
    select,
    through_engine,
    ways,
)
from tests.backends.test_llvm_determinism import CELLS, Normed
from throughtime.backends.llvm import kernel
from throughtime.backends.llvm.target import host
from throughtime.cells import GRU, LSTM, LayerNormLSTM
from throughtime.graph import Cell, StepGraph, trace
from throughtime.graph.serialize import text_of
from throughtime.nn.compiled.engine import Engine

pytestmark = pytest.mark.skipif(
    not host().bfloat16, reason="this processor has no products of bfloat16"
)
# Odd numbers of terms, a vector of terms and one more; fewer rows than a tile.
SIZES = [(17, 33, 61), (1, 32, 3)]
# A selection jumps to another unit where rounding changes an order: no bound holds.
CONTINUOUS = [cell for cell in CELLS if not isinstance(cell, Normed)]
HALF = 2.0**-8
"""Largest relative error of a number that is rounded to bfloat16."""


def with_pairs(graph: StepGraph) -> Engine:
    """An engine whose products round their operands."""
    wanted = " ".join(["x", *(declared.name for declared in graph.inputs)])
    return Engine(text_of(graph), True, wanted, torch.float32, bfloat16=True)


def rounded(value: Tensor) -> Tensor:
    return value.to(torch.bfloat16).to(value.dtype)


def representable(case: Case) -> Case:
    """The same numbers as far as bfloat16 can hold them."""
    return replace(
        case,
        inputs={name: rounded(value) for name, value in case.inputs.items()},
        initial=[rounded(value) for value in case.initial],
        parameters={name: rounded(v) for name, v in case.parameters.items()},
    )


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("cell", CONTINUOUS, ids=repr)
def test_results_are_within_the_rounding_of_their_operands(
    cell: Cell, size: tuple[int, int, int]
) -> None:
    graph = trace(cell, *size[:2])
    case = draw(graph, 5, size[2], weights=0.2).to(torch.float32)
    exact = through_engine(engine_of(graph, torch.float32, training=True), case)
    made = with_pairs(graph)
    found = through_engine(made, case)
    for name, value in exact.items():
        if isinstance(cell, LayerNormLSTM) and size[0] == 1 and "input x" in name:
            continue  # the norm of a lone feature's vector: no gradient but rounding
        error = (found[name] - value).norm()
        assert error <= 16 * HALF * value.norm() + 1e-6, name


@pytest.mark.parametrize("batch", [2, 9], ids=["hoisted", "in the loop"])
@pytest.mark.parametrize("cell", [LSTM(), GRU()], ids=repr)
def test_what_bfloat16_can_hold_is_multiplied_exactly(cell: Cell, batch: int) -> None:
    graph = trace(cell, 17, 33)
    case = representable(draw(graph, 1, batch, weights=0.2).to(torch.float32))
    exact = through_engine(engine_of(graph, torch.float32, training=True), case)
    made = with_pairs(graph)
    found = through_engine(made, case)
    assert torch.allclose(found["output"], exact["output"], rtol=0, atol=1e-6)


def test_rows_do_not_depend_on_others() -> None:
    graph = trace(LSTM(), 17, 33)
    case = draw(graph, 4, 26, weights=0.2).to(torch.float32)
    made = with_pairs(graph)
    whole = through_engine(made, case)["output"].view(4, 26, 33)
    part = select(case, torch.arange(9))
    found = through_engine(made, part)["output"].view(4, 9, 33)
    assert torch.equal(found, whole[:, :9])


def without_matrices(made: Engine) -> Engine:
    """The same engine by instructions of vectors, as other processors have them."""
    other = host().without_matrices()
    assert other.bfloat16 and not other.matrices
    for way in (*ways(split_units=False), *ways(split_units=True)):
        made.kernels[way] = made.compile(way, other)
    return made


needs_matrices = pytest.mark.skipif(
    not host().matrices, reason="this processor has no tiles of matrices"
)


@needs_matrices
@pytest.mark.parametrize("size", [(70, 33, 37), (1, 16, 5), (32, 64, 16), (5, 9, 1)])
@pytest.mark.parametrize("cell", [LSTM(), GRU(), LayerNormLSTM()], ids=repr)
def test_tiles_of_matrices_add_the_same_products(
    cell: Cell, size: tuple[int, int, int]
) -> None:
    graph = trace(cell, *size[:2])
    lengths = [4, *range(size[2] % 4, 4)][: size[2]]
    lengths += [3] * (size[2] - len(lengths))
    case = draw(graph, 4, size[2], lengths=lengths, weights=0.2).to(torch.float32)
    found = through_engine(with_pairs(graph), case)
    expected = through_engine(without_matrices(with_pairs(graph)), case)
    for name, value in expected.items():
        if isinstance(cell, LayerNormLSTM) and size[0] == 1 and "input x" in name:
            continue  # no gradient but rounding
        error = (found[name] - value).norm()
        # A sum in another order may round a δ or a state to the number beside.
        assert error <= 2 * HALF * value.norm() + 1e-6, name


@needs_matrices
def test_the_number_of_rows_changes_no_row() -> None:
    graph = trace(LSTM(), 17, 33)
    made = with_pairs(graph)
    whole = draw(graph, 3, 40, weights=0.2).to(torch.float32)
    expected = through_engine(made, whole)["output"].view(3, 40, 33)
    for batch in (1, 2, 15, 16, 17, 31, 33):
        part = select(whole, torch.arange(batch))
        found = through_engine(made, part)["output"].view(3, batch, 33)
        assert torch.equal(found, expected[:, :batch])


@needs_matrices
def test_a_system_that_refuses_tiles_gets_vectors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = trace(LSTM(), 17, 33)
    case = draw(graph, 4, 18, weights=0.2).to(torch.float32)
    expected = through_engine(without_matrices(with_pairs(graph)), case)
    monkeypatch.setattr(kernel, "matrices_permitted", lambda: False)
    assert_equal_bits(through_engine(with_pairs(graph), case), expected)


@needs_matrices
def test_not_a_number_stays_one_in_tiles_of_matrices() -> None:
    graph = trace(LSTM(), 17, 33)
    case = draw(graph, 3, 18, weights=0.2).to(torch.float32)
    case.inputs["x"].view(3, 18, 17)[1, 4, 2] = torch.nan
    output = through_engine(with_pairs(graph), case)["output"].view(3, 18, 33)
    others = [row for row in range(18) if row != 4]
    assert output[1:, 4].isnan().all()
    assert not output[:, others].isnan().any() and not output[0].isnan().any()
