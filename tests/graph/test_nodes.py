"""verify() accepts what tracing makes, and nothing else."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from throughtime import cells
from throughtime.errors import InvalidGraph
from throughtime.graph import Node, StepGraph, trace, verify
from throughtime.graph.operations import Kind

LSTM = trace(cells.LSTM(), 2, 3)


def with_node(index: int, **changes: object) -> StepGraph:
    nodes = list(LSTM.nodes)
    nodes[index] = replace(nodes[index], **changes)
    return replace(LSTM, nodes=tuple(nodes))


def place(operation: str) -> int:
    return next(i for i, n in enumerate(LSTM.nodes) if n.operation == operation)


BROKEN: dict[str, tuple[Callable[[], StepGraph], str]] = {
    "unknown operation": (
        lambda: with_node(place("tanh"), operation="tanhh"),
        "no such operation",
    ),
    "later argument": (
        lambda: with_node(place("tanh"), arguments=(23,)),
        "does not come before",
    ),
    "itself": (
        lambda: with_node(place("tanh"), arguments=(place("tanh"),)),
        "does not come before",
    ),
    "wrong shape": (lambda: with_node(place("tanh"), shape=(4,)), "expected"),
    "wrong kind": (lambda: with_node(place("tanh"), kind=Kind.MASK), "expected"),
    "too many arguments": (
        lambda: with_node(place("tanh"), arguments=(0, 0)),
        "takes 1 operands",
    ),
    "shapes that do not fit": (
        lambda: with_node(place("add"), arguments=(0, 7)),
        "must be equal",
    ),
    "range outside": (
        lambda: with_node(place("slice"), attributes=(10, 13)),
        "leaves 12 values",
    ),
    "attributes of another type": (
        lambda: with_node(place("slice"), attributes=(0.0, 3.0)),
        "expected int, int",
    ),
    "attributes too many": (
        lambda: with_node(place("tanh"), attributes=(1,)),
        "expected nothing",
    ),
    "undeclared parameter": (lambda: replace(LSTM, parameters=()), "is declared"),
    "undeclared state": (
        lambda: replace(LSTM, states=(), new_states=()),
        "no state 'h'",
    ),
    "other input": (lambda: replace(LSTM, input_size=5), "no input 'x'"),
    "declared twice": (
        lambda: replace(LSTM, states=LSTM.states[:1] * 2),
        "declared twice",
    ),
    "missing new state": (
        lambda: replace(LSTM, new_states=LSTM.new_states[:1]),
        "2 states, 1 new values",
    ),
    "new state of another size": (
        lambda: replace(LSTM, new_states=(place("add"), LSTM.new_states[1])),
        "state h has 3 units",
    ),
    "no output": (lambda: replace(LSTM, output=99), "no such node"),
    "parameter as output": (
        lambda: replace(LSTM, output=place("parameter")),
        "must be a value of the step",
    ),
    "name of nothing": (lambda: replace(LSTM, names=(("a", -1),)), "no such node"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_graph_is_refused(name: str) -> None:
    broken, message = BROKEN[name]
    with pytest.raises(InvalidGraph, match=message):
        verify(broken())


def test_verify_gives_the_graph_back() -> None:
    assert verify(LSTM) is LSTM


def test_nodes_with_nan_equal_their_copies() -> None:
    def node() -> Node:
        return Node("constant", (), (1,), Kind.PARAMETER, (float("nan"),))

    assert node() == node()
    assert hash(node()) == hash(node())
