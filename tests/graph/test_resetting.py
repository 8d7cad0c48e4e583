"""A step that begins anew where an input says so."""

from throughtime.cells import LSTM, Elman, Feedforward
from throughtime.graph.resetting import RESETS, resettable
from throughtime.graph.zeros import zero_values
from throughtime.nn import Recurrent


def test_nothing_to_begin_anew() -> None:
    assert resettable(Recurrent(Feedforward(), 3, 5).graphs[0]) is None


def test_every_state_is_chosen() -> None:
    graph = resettable(Recurrent(LSTM(), 3, 5).graphs[0])
    assert graph is not None
    assert graph.inputs[-1].name == RESETS
    states = {i for i, node in enumerate(graph.nodes) if node.operation == "state"}
    assert len(states) == 2
    for node in graph.nodes:
        assert node.operation == "where" or not states & {*node.arguments}


def test_what_a_relu_leaves_stays_zero_and_nothing_else() -> None:
    for activation, many in (("relu", True), ("tanh", False)):
        graph = resettable(Recurrent(Elman(activation), 3, 5).graphs[0])
        assert graph is not None
        found = zero_values(graph)
        chosen = [i for i, node in enumerate(graph.nodes) if node.operation == "where"]
        assert (graph.output in found) == many
        assert ({*chosen} <= found) == many
