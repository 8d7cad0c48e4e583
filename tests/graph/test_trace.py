"""What a step declares and returns, and what its values are called."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from tests.graph.oracle import cell_of
from throughtime import cells, math
from throughtime.errors import (
    CellError,
)
from throughtime.graph import (
    Cell,
    Input,
    Parameter,
    State,
    StepGraph,
    Value,
    refuse_unused,
    trace,
)
from throughtime.math import split, tanh

INPUT_SIZE, HIDDEN_SIZE = 2, 4


def traced(cell: Cell) -> StepGraph:
    return trace(cell, INPUT_SIZE, HIDDEN_SIZE)


def names(cell: Cell) -> dict[str, str]:
    """Named values, by the operation that makes them."""
    graph = traced(cell)
    return {name: graph.nodes[index].operation for name, index in graph.names}


def with_state(step: Callable[..., Any], **declarations: object) -> Cell:
    return cell_of(step, h=State("hidden"), **declarations)


class Plain(Cell):
    w = Parameter("hidden", "hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        a = self.w @ h + math.sum(x)
        return tanh(a)


# ------------------------------------------------------------------------ declarations


def parameters(cell: Cell) -> list[str]:
    return [item.name for item in traced(cell).parameters]


def test_declarations_stand_from_base_to_subclass_to_instance() -> None:
    class Longer(Plain):
        u = Parameter("hidden")

        def __init__(self) -> None:
            self.late = Parameter("hidden")
            self.later = Parameter(1)

    assert parameters(Longer()) == ["w", "u", "late", "later"]


def test_a_redeclared_name_keeps_its_place() -> None:
    class Longer(Plain):
        u = Parameter("hidden")

    class Again(Longer):
        w = Parameter("hidden", "hidden", init="identity")

    graph = traced(Again())
    assert [(p.name, p.init) for p in graph.parameters] == [
        ("w", "identity"),
        ("u", "uniform"),
    ]


def test_none_removes_a_name() -> None:
    class Without(Plain):
        w = None

        def step(self, x: Value, h: Value) -> Value:
            return tanh(h + math.sum(x))

    assert parameters(Without()) == []


def test_none_on_the_instance_removes_a_name() -> None:
    cell = cells.LSTM()
    cell.bias_hh = None
    cell.step = lambda x, h, c: (h + c, c)
    assert parameters(cell) == ["weight_ih", "weight_hh", "bias_ih"]


def test_states_keep_their_declared_order() -> None:
    assert [state.name for state in traced(cells.LSTM()).states] == ["h", "c"]


def test_tracing_leaves_the_cell_as_it_was() -> None:
    cell = cells.GRU()
    before = dict(vars(cell))
    assert traced(cell) == traced(cell)
    assert vars(cell) == before
    assert cell.weight_hh is cells.GRU.weight_hh


def test_a_further_input_is_an_argument_of_step() -> None:
    cell = with_state(lambda self, x, h, d: h * d + math.sum(x), d=Input(1))
    graph = traced(cell)
    assert [(item.name, item.size) for item in graph.inputs] == [("d", 1)]


@pytest.mark.parametrize("init", ["uniform", "fan_in", "orthogonal", "identity", 0.5])
def test_initial_values_of_parameters_are_data(init: str | float) -> None:
    cell = with_state(lambda self, x, h: self.w @ h, w=Parameter(4, 4, init=init))
    assert traced(cell).parameters[0].init == init


@pytest.mark.parametrize("init", ["normal", float("nan"), None, True, [0.0]])
def test_other_initial_values_are_refused(init: Any) -> None:
    with pytest.raises(CellError, match=r"init is .*must be a number or one of"):
        Parameter(4, init=init)
    with pytest.raises(CellError, match=r"init is .*must be a number"):
        State(4, init=init)


def test_a_role_is_bias_or_none() -> None:
    with pytest.raises(CellError, match="role is 'gain'; it must be None or 'bias'"):
        Parameter(4, role="gain")


def test_without_biases_they_read_as_zero_and_are_no_parameters() -> None:
    graph = trace(cells.LSTM(), 2, 4, bias=False)
    assert [item.name for item in graph.parameters] == ["weight_ih", "weight_hh"]
    assert sum(node.operation == "zeros" for node in graph.nodes) == 1


@pytest.mark.parametrize("kind", [State, Input])
def test_the_name_x_is_taken(kind: type) -> None:
    cell = with_state(lambda self, x, h, *_: h, x=kind("hidden"))
    with pytest.raises(CellError, match="x is the input of every step"):
        traced(cell)


# -------------------------------------------------------------------- what step returns


def test_a_cell_without_states_returns_its_output() -> None:
    graph = traced(cell_of(lambda self, x: tanh(x)))
    assert graph.new_states == ()
    assert graph.has_separate_output


def test_one_value_more_than_states_is_the_output() -> None:
    graph = traced(with_state(lambda self, x, h: (math.sum(h), h)))
    assert graph.output_size == 1
    assert graph.nodes[graph.new_states[0]].operation == "state"


def test_the_first_state_is_the_output() -> None:
    graph = traced(cells.LSTM())
    assert graph.output == graph.new_states[0]
    assert not graph.has_separate_output


@pytest.mark.parametrize(("count", "states"), [(0, 1), (3, 1), (1, 2), (4, 2), (2, 0)])
def test_another_count_names_the_cell_and_both_counts(count: int, states: int) -> None:
    declared = {f"s{number}": State(INPUT_SIZE) for number in range(states)}
    cell = cell_of(lambda self, x, *_: (x,) * count, **declared)
    with pytest.raises(
        CellError, match=f"Tried: step returns {count} values.*{states} states"
    ):
        traced(cell)


def test_a_state_keeps_its_size() -> None:
    cell = with_state(lambda self, x, h: x)
    with pytest.raises(CellError, match="2 units for state h, which has 4"):
        traced(cell)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x, h: 0.0, "must return values of the step"),
        (lambda x, h: h > 0, "must return values of the step"),
        (lambda x, h: None, "must return values of the step"),
    ],
)
def test_only_values_are_returned(result: Callable[..., Any], message: str) -> None:
    cell = with_state(lambda self, x, h: result(x, h))
    with pytest.raises(CellError, match=message):
        traced(cell)


def test_a_result_must_depend_on_the_step() -> None:
    cell = with_state(lambda self, x, h: self.b, b=Parameter("hidden"))
    with pytest.raises(CellError, match="depends on neither x nor a state"):
        traced(cell)


def test_step_takes_every_state_and_input() -> None:
    cell = with_state(lambda self, x: x)
    with pytest.raises(CellError, match=r"step must take \(x, h\)"):
        traced(cell)


def test_states_in_another_order_are_refused() -> None:
    class Swapped(cells.LSTM):
        def step(self, x: Value, c: Value, h: Value) -> tuple[Value, Value]:
            return super().step(x, h, c)

    with pytest.raises(
        CellError, match=r"step takes \(x, c, h\), the states were declared h, c"
    ):
        traced(Swapped())


def test_an_argument_of_step_may_have_another_name() -> None:
    class Renamed(Plain):
        def step(self, features: Value, before: Value) -> Value:
            return tanh(self.w @ before + math.sum(features))

    assert parameters(Renamed()) == ["w"]


def test_a_name_that_was_not_declared_is_told_with_its_line() -> None:
    class Typo(Plain):
        weight_h = Parameter("hidden", "hidden")

        def step(self, x: Value, h: Value) -> Value:
            return tanh(self.weigth_h @ h + self.w @ h + math.sum(x))

    line = Typo.step.__code__.co_firstlineno + 1
    place = rf"Typo: test_trace\.py:{line}: "
    with pytest.raises(
        CellError,
        match=place + r".*no weigth_h \(did you mean 'weight_h'\?\).*w, h, weight_h",
    ):
        traced(Typo())


def test_an_attribute_error_of_something_else_passes_through() -> None:
    with pytest.raises(AttributeError, match="missing"):
        traced(with_state(lambda self, x, h: math.missing(h)))


def test_a_parameter_that_nothing_depends_on_is_refused() -> None:
    class Forgotten(Plain):
        bias = Parameter("hidden", role="bias")
        u = Parameter("hidden")

        def step(self, x: Value, h: Value) -> Value:
            math.name(self.u * h, "aside")
            return tanh(self.w @ h + self.bias + math.sum(x))

    class Mended(Forgotten):
        u = None

        def step(self, x: Value, h: Value) -> Value:
            return tanh(self.w @ h + self.bias + math.sum(x))

    with pytest.raises(CellError, match=r"depends on the declared u; use .* u = None"):
        refuse_unused(traced(Forgotten()))
    for bias in (True, False):
        graph = trace(Mended(), INPUT_SIZE, HIDDEN_SIZE, bias=bias)
        assert refuse_unused(graph) is graph


# ------------------------------------------------------------------------------- names


def test_locals_are_names_and_a_state_means_the_new_one() -> None:
    assert names(Plain()) == {"a": "add", "h": "tanh"}


def test_rebinding_names_the_last_value() -> None:
    found = names(cells.LSTM())
    assert (found["i"], found["g"], found["c"]) == ("sigmoid", "tanh", "add")


def test_an_argument_that_stays_as_it_came_is_no_value() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        same = x
        return tanh(h) + math.sum(same)

    assert names(with_state(step)) == {"h": "add"}


def test_names_of_the_base_step_count_and_the_outermost_wins() -> None:
    class Outer(Plain):
        def step(self, x: Value, h: Value) -> Value:
            h = super().step(x, h)
            b = h * 2
            a = b + 1
            return a * 1

    found = names(Outer())
    assert found.keys() == {"a", "b", "h"}
    # `a` of the base is a sum too, but the outer one is made from `b`.
    graph = traced(Outer())
    places = dict(graph.names)
    assert places["b"] in graph.nodes[places["a"]].arguments


def test_names_survive_a_decorator() -> None:
    def twice(step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)
        def wrapped(self: Any, x: Value, h: Value) -> Value:
            return step(self, x, h) * 2

        return wrapped

    class Decorated(Cell):
        h = State("hidden")

        @twice
        def step(self, x: Value, h: Value) -> Value:
            inner = tanh(h + math.sum(x))
            return inner * 1

    assert names(Decorated()) == {"inner": "tanh", "h": "multiply"}


def test_a_comprehension_is_an_ordinary_line() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        parts = [tanh(part) for part in split(h, 2)]
        both = math.concat(*parts)
        return both * 1

    class Comprehension(Cell):
        h = State("hidden")

    Comprehension.step = step
    assert names(Comprehension()) == {"both": "concat", "h": "multiply"}


def test_a_value_can_be_named_by_hand() -> None:
    cell = with_state(lambda self, x, h: math.name(tanh(h), "the candidate") * 2)
    assert names(cell) == {"the candidate": "tanh", "h": "multiply"}


def test_a_comparison_can_have_a_name() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        high = h > 0.5
        return math.where(high, h, 0)

    assert names(with_state(step)) == {"high": "greater", "h": "where"}


def test_lines_are_no_part_of_equality() -> None:
    first = traced(with_state(lambda self, x, h: tanh(h)))
    second = traced(
        with_state(
            lambda self, x, h: tanh(h),
        )
    )
    assert first == second
    assert hash(first) == hash(second)
    assert first.nodes[-1].source != second.nodes[-1].source


class Whole(Cell):
    v_r = Parameter("hidden")
    v_z = Parameter("hidden")
    h = State("hidden")

    def step(self, x: Value, h: Value) -> Value:
        return math.tanh(x + self.v_r * h + self.v_z)


@pytest.mark.parametrize(
    ("equation", "words"),
    [
        (lambda self, x, h: x + self.v_r * h, "`multiply` was given None; .* v_r to"),
        (lambda self, x, h: math.tanh(self.v_r), "`tanh` was given None; .* v_r to"),
        (lambda self, x, h: x + (self.v_r + self.v_r), "test_trace.py:.* v_r to None"),
        (lambda self, x, h: x + self.v_r.T @ h, "test_trace.py:.* v_r to None"),
    ],
)
def test_a_removed_declaration_that_is_used(equation: Any, words: str) -> None:
    kind = type("Less", (Whole,), {"v_r": None, "step": equation})
    with pytest.raises(CellError, match=words + ".* which removes the declaration"):
        trace(kind(), 4, 4)


def test_a_removed_declaration_can_be_asked_for() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        return x + (h if self.v_r is None else self.v_r * h)

    kind = type("Less", (Whole,), {"v_r": None, "v_z": None, "step": step})
    assert not trace(kind(), 4, 4).parameters


def test_a_removed_state_that_step_takes() -> None:
    with pytest.raises(CellError, match=r"must take \(x\): .*'h'; .* h = None, which"):
        trace(type("Stateless", (Whole,), {"h": None})(), 4, 4)
