"""Cells nobody wrote, compiled: they give what the interpreter gives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends.layers import Case, assert_near, draw, forward, results
from tests.graph.wild_cells import Recipe, WildCell, recipes
from throughtime.graph import StepGraph, trace

AGREE = 1e-10
"""float64; some of these cells enlarge rounding errors."""
FOUND = [
    # mean, softmax and square where no backward pass follows
    Recipe(
        (5,),
        ((16, 47, 60), (8, 1, 60), (60, 60, 50), (19, 29, 19), (49, 1, 8), (20, 5, 38)),
        (49, 54, 50, 56),
        separate=False,
    ),
    # a reduction that is stored, and nothing else in scratch memory
    Recipe(
        (3,),
        ((3, 24, 28), (50, 0, 32), (45, 22, 3), (37, 9, 46), (1, 13, 54), (44, 54, 12)),
        (50, 38, 34, 8),
        separate=False,
    ),
    # a choice between parameters is a value of the step without rows
    Recipe(
        (1, 1),
        (
            (45, 16, 24),
            (28, 58, 3),
            (53, 2, 55),
            (45, 7, 26),
            (4, 47, 22),
            (27, 46, 47),
        ),
        (36, 40, 10, 60),
        separate=True,
    ),
    # two states take the same value, and start apart
    Recipe(
        (6, 4, 4),
        ((25, 50, 7), (54, 56, 57), (4, 41, 25)),
        (30, 63, 24, 51),
        separate=True,
    ),
]


def agree(graph: StepGraph, case: Case) -> None:
    assert_near(results(graph, case, "llvm"), results(graph, case, "reference"), AGREE)
    inference = forward(graph, case, "llvm")
    assert_near(inference, forward(graph, case, "reference"), AGREE)


def check(recipe: Recipe, steps: int, lengths: list[int], reverse: bool) -> None:
    graph = trace(WildCell(recipe), 2, 3)
    agree(graph, draw(graph, steps, len(lengths), reverse=reverse))
    short = sorted((min(length, steps) for length in lengths), reverse=True)
    agree(graph, draw(graph, steps, len(lengths), lengths=short))


batches = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@pytest.mark.parametrize("recipe", FOUND)
def test_cells_that_were_wrong_once(recipe: Recipe) -> None:
    check(recipe, 4, [4, 3, 1, 0], reverse=True)


@settings(max_examples=5)
@given(recipe=recipes, steps=st.integers(1, 4), lengths=batches, reverse=st.booleans())
def test_random_cells(
    recipe: Recipe, steps: int, lengths: list[int], reverse: bool
) -> None:
    check(recipe, steps, lengths, reverse)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=400)
@given(recipe=recipes, steps=st.integers(1, 4), lengths=batches, reverse=st.booleans())
def test_many_random_cells(
    recipe: Recipe, steps: int, lengths: list[int], reverse: bool
) -> None:
    check(recipe, steps, lengths, reverse)
