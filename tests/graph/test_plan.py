"""Plans of the built-in cells: what runs before, in and behind the loop, and where."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from tests.graph.wild_cells import Recipe, WildCell, recipes
from throughtime import cells
from throughtime.graph import Cell, Parameter, State, Value, trace
from throughtime.graph.nodes import Node
from throughtime.graph.plan import plan
from throughtime.graph.programs import (
    EARLY,
    OUTPUT,
    Contraction,
    Plan,
    Program,
    Source,
    gradient_of,
)
from throughtime.graph.views import view

F, H = 2, 3


def summary(made: Plan) -> list[str]:
    """One line per program, one for all contractions; operands by their numbers."""
    lines = [_program(program) for program in (*made.forward, *made.backward)]
    if made.contractions:
        lines.append("sums: " + ", ".join(map(_contraction, made.contractions)))
    return [line.replace(" rows", "") for line in lines]


def _program(program: Program) -> str:
    direction = "back" if program.backwards else "loop" if program.recurrent else "all"
    rows = Counter[str]()
    for node in program.nodes:
        if node.operation == "product":
            matrix, vector = node.arguments
            factors = _matrix(program.nodes, matrix), _vector(program.nodes[vector])
            rows[" @ ".join(factors)] += node.size
    columns = Counter[str]()
    for store in program.stores:
        columns[store.span.buffer] += store.span.size
    products = [f"{text} [{size}]" for text, size in sorted(rows.items())]
    ends = [f"{buffer} [{size}]" for buffer, size in sorted(columns.items())]
    ends += [f"carry {carry.state}" for carry in program.carries]
    return f"{direction}: {', '.join(products) or '-'} -> {', '.join(ends)}"


def _matrix(nodes: Sequence[Node], index: int) -> str:
    part = view(nodes, index)
    return f"{nodes[part.root].attributes[0]}{'ᵀ' if part.transposed else ''}"


def _vector(node: Node) -> str:
    known = node.operation in {"stream", "previous", "carry"}
    return f"{node.operation} {node.attributes[0]}" if known else "its own"


def _contraction(contraction: Contraction) -> str:
    left, right = _source(contraction.left), contraction.right
    sign = "⊙" if contraction.unitwise else "⊗"
    return left if right is None else f"{left} {sign} {_source(right)}"


def _source(source: Source) -> str:
    before = "" if source.state is None else " before"
    return f"{source.span.buffer} [{source.span.size}]{before}"


LSTM = [
    "all: 0 @ stream x [12] -> early [12]",
    "loop: 1 @ previous output [12] -> output [3], saved [15]",
    "back: 1ᵀ @ its own [12] -> delta [12], carry 0, carry 1",
    "all: 0ᵀ @ stream delta [8] -> gradient x [2]",
    "sums: delta [12] ⊗ x [2], delta [12] ⊗ output [3] before, delta [12]",
]
PLANS: list[tuple[Cell, list[str]]] = [
    (
        cells.Elman(),
        [
            "all: 0 @ stream x [3] -> early [3]",
            "loop: 1 @ previous output [3] -> output [3]",
            "back: 1ᵀ @ its own [3] -> delta [3], carry 0",
            "all: 0ᵀ @ stream delta [2] -> gradient x [2]",
            "sums: delta [3] ⊗ x [2], delta [3] ⊗ output [3] before, delta [3]",
        ],
    ),
    (cells.LSTM(), LSTM),
    (
        cells.PeepholeLSTM(),
        [
            *LSTM[:4],
            "sums: delta [12] ⊗ x [2], delta [12] ⊗ output [3] before, "
            "delta [3] ⊙ saved [3] before, delta [3] ⊙ saved [3] before, "
            "delta [3] ⊙ saved [3], delta [12]",
        ],
    ),
    (
        cells.GRU(),
        [
            "all: 0 @ stream x [9] -> early [9]",
            "loop: 1 @ previous output [9] -> output [3], saved [12]",
            "back: 1ᵀ @ its own [9] -> delta [12], carry 0",
            "all: 0ᵀ @ stream delta [6] -> gradient x [2]",
            "sums: delta [9] ⊗ x [2], delta [6] ⊗ output [3] before, "
            "delta [3] ⊗ output [3] before, delta [3], delta [3], delta [6]",
        ],
    ),
    (
        cells.GRU(reset_after=False),
        [
            "all: 0 @ stream x [9] -> early [9]",
            "loop: 1 @ its own [3], 1 @ previous output [6] -> output [3], saved [12]",
            "back: 1ᵀ @ its own [9] -> delta [9], carry 0",
            "all: 0ᵀ @ stream delta [6] -> gradient x [2]",
            "sums: delta [9] ⊗ x [2], delta [6] ⊗ output [3] before, "
            "delta [3] ⊗ saved [3], delta [9]",
        ],
    ),
    (
        cells.Feedforward(),
        [
            "all: 0 @ stream x [3] -> output [3]",
            "all: 0ᵀ @ its own [2] -> delta [3], gradient x [2]",
            "sums: delta [3] ⊗ x [2], delta [3]",
        ],
    ),
]


@pytest.mark.parametrize(("cell", "expected"), PLANS, ids=lambda v: repr(v)[:30])
def test_training(cell: Cell, expected: list[str]) -> None:
    assert summary(plan(trace(cell, F, H), training=True)) == expected


@pytest.mark.parametrize("cell", [cell for cell, _ in PLANS], ids=repr)
def test_a_step_can_compute_all_of_its_products(cell: Cell) -> None:
    graph = trace(cell, F, H)
    inside, before = (
        plan(graph, training=True, hoist=hoist) for hoist in (False, True)
    )
    loops = [program.recurrent for program in inside.forward]
    assert loops == [bool(graph.states)]
    # One backward pass serves both.
    assert inside.operands == before.operands
    assert (inside.backward, inside.contractions) == (
        before.backward,
        before.contractions,
    )
    kept = {name: size for name, size in before.widths.items() if name != EARLY}
    assert inside.widths == kept


def test_inference_stores_nothing_for_a_backward_pass() -> None:
    assert summary(plan(trace(cells.LSTM(), F, H), training=False)) == [
        "all: 0 @ stream x [12] -> early [12]",
        "loop: 1 @ previous output [12] -> output [3], carry 1",
    ]


@pytest.mark.parametrize("cell", [cells.LSTM(), cells.GRU()], ids=repr)
def test_a_gradient_that_nobody_wants_is_not_computed(cell: Cell) -> None:
    made = plan(trace(cell, F, H), training=True, input_gradients=())
    assert not any("gradient" in line for line in summary(made))


def check_leaves(made: Plan) -> None:
    """Programs read buffers by columns and parameters by number, nothing by name."""
    known = {"x", "d", "e", *made.widths}
    known |= {gradient_of(name) for name in ("x", "d", "e", OUTPUT)}
    for program in (*made.forward, *made.backward):
        for node in program.nodes:
            assert node.operation not in {"parameter", "input", "state", "gradient"}
            if node.operation in {"stream", "previous"}:
                assert node.attributes[0] in known
            if node.operation == "operand":
                assert node.attributes[0] in range(len(made.operands))


@pytest.mark.parametrize("cell", [cell for cell, _ in PLANS], ids=repr)
@pytest.mark.parametrize("training", [True, False])
def test_a_backend_sees_no_name(cell: Cell, training: bool) -> None:
    check_leaves(plan(trace(cell, F, H), training=training))


@settings(max_examples=60)
@given(recipes)
def test_plans_of_random_cells(recipe: Recipe) -> None:
    graph = trace(WildCell(recipe), F, H)
    made = plan(graph, training=True, input_gradients=("x", "d", "e"))
    for half in (made, plan(graph, training=False)):
        check_leaves(half)
        check_columns(half)


def check_columns(made: Plan) -> None:
    """Every column of a buffer that the plan owns is written once at most."""
    written = Counter[tuple[str, int]]()
    for program in (*made.forward, *made.backward):
        for store in program.stores:
            span = store.span
            assert program.nodes[store.node].size == span.size
            columns = range(span.start, span.start + span.size)
            written.update((span.buffer, column) for column in columns)
    assert all(count == 1 for count in written.values())
    for buffer, column in written:
        assert column < made.widths.get(buffer, column + 1)


class Squared(Cell):
    """A value that each of many lines uses twice."""

    weight = Parameter("hidden", "input")
    recurrent = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        a = self.weight @ x + self.recurrent @ h
        for _ in range(60):
            a = a * a * 0.5
        return a


def test_a_plan_takes_no_longer_for_values_used_twice() -> None:
    made = plan(trace(Squared(), 2, 3), training=True)
    assert len(made.backward) == 2
