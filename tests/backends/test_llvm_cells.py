"""Every built-in cell, compiled, against the interpreter in float64."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.backends.layers import Case, draw, forward, results
from tests.sizes import SIZES
from throughtime.cells import GRU, LSTM, Elman, Feedforward, PeepholeLSTM
from throughtime.graph import Cell, StepGraph, trace

FLOAT64 = 1e-12
FLOAT32 = 8 * 2.0**-24
NO_WORSE = 1.5
"""Root-mean-square error, against that of the interpreter in float32."""

MAIN: list[Cell] = [Elman(), LSTM(), GRU()]
OTHERS: list[Cell] = [
    Elman("relu"),
    Elman("sigmoid"),
    Elman("identity"),
    GRU(reset_after=False),
    PeepholeLSTM(),
    Feedforward(),
    Feedforward("tanh"),
]
# Sizes of one cell each, and two that other tests have compiled.
QUICK = list(zip(MAIN * len(SIZES), SIZES, strict=False))
QUICK += [(cell, SIZES[1]) for cell in MAIN if (cell, SIZES[1]) not in QUICK]
QUICK += [(cell, SIZES[6]) for cell in OTHERS]
EVERY = [(cell, sizes) for cell in [*MAIN, *OTHERS] for sizes in SIZES]
REST = [one for one in EVERY if one not in QUICK]


def name(value: object) -> str:
    return repr(value).replace(" ", "")


def check(graph: StepGraph, case: Case) -> None:
    """The accuracy that every backend promises, in both types."""
    exact = results(graph, case, "reference")
    for name, value in results(graph, case, "llvm").items():
        assert error(value, exact[name]) <= FLOAT64 * scale(exact[name]), name
    small = case.to(torch.float32)
    judge = results(graph, small, "reference")
    for name, value in results(graph, small, "llvm").items():
        assert value.dtype == torch.float32
        allowed = NO_WORSE * spread(judge[name], exact[name])
        allowed = max(allowed, FLOAT32 * scale(exact[name]))
        assert spread(value, exact[name]) <= allowed, name
    inference = forward(graph, case, "llvm")
    for name, value in inference.items():
        assert error(value, exact[name]) <= FLOAT64 * scale(exact[name]), name


def error(found: Tensor, exact: Tensor) -> float:
    assert found.shape == exact.shape
    return float((found - exact).abs().max()) if exact.numel() else 0.0


def spread(found: Tensor, exact: Tensor) -> float:
    """Root of the mean squared error."""
    assert found.shape == exact.shape
    return float((found - exact).square().mean().sqrt()) if exact.numel() else 0.0


def scale(exact: Tensor) -> float:
    return max(1.0, float(exact.abs().max())) if exact.numel() else 1.0


@pytest.mark.parametrize(("cell", "sizes"), QUICK, ids=name)
@settings(max_examples=3)
@given(
    steps=st.integers(1, 12),
    batch=st.integers(1, 9),
    reverse=st.booleans(),
    seed=st.integers(0, 999),
)
def test_a_layer(
    cell: Cell,
    sizes: tuple[int, int],
    steps: int,
    batch: int,
    reverse: bool,
    seed: int,
) -> None:
    graph = trace(cell, *sizes)
    width = sizes[1] ** -0.5
    case = draw(graph, steps, batch, seed=seed, reverse=reverse, weights=width)
    check(graph, case)


@pytest.mark.parametrize("cell", [*MAIN, *OTHERS], ids=name)
@settings(max_examples=6)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=7),
    seed=st.integers(0, 999),
)
def test_sequences_of_unequal_lengths(
    cell: Cell, lengths: Sequence[int], seed: int
) -> None:
    graph = trace(cell, *SIZES[1])
    lengths = sorted(lengths, reverse=True)
    check(graph, draw(graph, 9, len(lengths), seed=seed, lengths=lengths))


@pytest.mark.parametrize("cell", [*MAIN, *OTHERS], ids=name)
@pytest.mark.parametrize(
    ("steps", "batch"), [(0, 3), (3, 0), (0, 0), (1, 1), (1, 20), (100, 2)]
)
def test_extents_at_the_edge(cell: Cell, steps: int, batch: int) -> None:
    graph = trace(cell, *SIZES[1])
    check(graph, draw(graph, steps, batch))
    check(graph, draw(graph, steps, batch, reverse=True))


@pytest.mark.parametrize("cell", [*MAIN, *OTHERS], ids=name)
def test_more_rows_than_a_chunk(cell: Cell) -> None:
    # Chunks of rows, blocks of contractions and what remains of both.
    graph = trace(cell, *SIZES[1])
    check(graph, draw(graph, 3, 401))
    check(graph, draw(graph, 3, 401, lengths=[3] * 200 + [2] * 101 + [1] * 100))


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "sizes"), REST, ids=name)
def test_every_other_size(cell: Cell, sizes: tuple[int, int]) -> None:
    graph = trace(cell, *sizes)
    check(graph, draw(graph, 7, 13, weights=sizes[1] ** -0.5))
    check(graph, draw(graph, 4, 3, lengths=[4, 2, 0], weights=sizes[1] ** -0.5))


@pytest.mark.slow
@settings(max_examples=60)
@given(
    cell=st.sampled_from([*MAIN, *OTHERS]),
    input_size=st.integers(1, 70),
    hidden_size=st.integers(1, 70),
    steps=st.integers(1, 20),
    batch=st.integers(1, 30),
)
def test_random_sizes(
    cell: Cell, input_size: int, hidden_size: int, steps: int, batch: int
) -> None:
    graph = trace(cell, input_size, hidden_size)
    check(graph, draw(graph, steps, batch, weights=hidden_size**-0.5))
