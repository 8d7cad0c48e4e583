"""Sums over vectors that are taken apart as well."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.backends.layers import assert_near, draw, results
from tests.graph.oracle import cell_of, traced
from throughtime import cells, math
from throughtime.graph import Cell, Parameter, State, StepGraph, Value, trace
from throughtime.graph.plan import plan
from throughtime.graph.programs import SAVED
from throughtime.graph.reductions import part_ends, split_reductions
from throughtime.graph.simplify import simplify


def operations(graph: StepGraph) -> Counter[str]:
    return Counter(node.operation for node in graph.nodes)


def normed(parts: list[int]) -> Cell:
    """A vector of 6 that is normalised whole and read in parts."""

    def step(self: Any, x: Value, h: Value) -> Value:
        a = self.w @ x
        centred = a - math.mean(a)
        b = centred / (1 + math.sum(centred * centred)) + math.max(a)
        pieces = math.split(b, parts)
        return math.tanh(math.concat(*pieces[::-1])) + h

    return cell_of(step, w=Parameter(6, "input"), h=State(6))


@pytest.mark.parametrize("parts", [[6], [3, 3], [1, 3, 2]], ids=str)
def test_values_stay(parts: list[int]) -> None:
    graph = trace(normed(parts), 2, 6)
    divided, positions = split_reductions(graph)
    for old, new in enumerate(positions):
        assert divided.nodes[new].shape == graph.nodes[old].shape
    case = draw(graph, 4, 3)
    expected = results(graph, case, "reference")
    assert_near(results(divided, case, "reference"), expected, 1e-13)
    assert_near(results(graph, case, "llvm"), expected, 1e-12)
    counts = operations(divided)
    assert counts["mean"] == (1 if len(parts) == 1 else 0)
    assert counts["sum"] == (1 if len(parts) == 1 else 2 * len(parts))
    assert counts["max"] == 1  # ties of several parts would share its derivative twice


def test_ends_of_parts_hold_for_all_that_is_bound_unit_by_unit() -> None:
    graph = trace(normed([1, 3, 2]), 2, 6)
    ends = part_ends(graph.nodes)
    product = next(i for i, n in enumerate(graph.nodes) if n.operation == "product")
    assert ends[product] == (1, 4, 6)
    assert ends[graph.new_states[0]] == ()
    assert split_reductions(replace(graph))[0] != graph


def test_what_is_not_taken_apart_stays_whole() -> None:
    cell = cell_of(
        lambda self, x, h: h - math.mean(x) * math.mean(h), h=State("hidden")
    )
    graph = traced(cell)
    assert split_reductions(graph)[0] == graph


def test_a_normalised_product_is_computed_once() -> None:
    graph = simplify(trace(cells.LayerNormLSTM(), 3, 4))
    rows = [n.shape[0] for n in graph.nodes if n.operation == "product"]
    assert rows == [4] * 8  # four gates, of x and of h
    stored = plan(trace(cells.LayerNormLSTM(), 3, 4), training=True).widths[SAVED]
    assert stored == 14 * 4 + 9 + 3  # with the sums of each part


def test_the_gradient_of_a_normalised_vector() -> None:
    graph = trace(cells.LayerNormLSTM(0.7), 3, 4)
    case = draw(graph, 3, 2)
    expected = results(graph, case, "reference")
    assert_near(results(graph, case, "llvm"), expected, 1e-12)
    assert all(torch.isfinite(value).all() for value in expected.values())
