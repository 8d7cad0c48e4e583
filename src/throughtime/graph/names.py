"""What the values of a step are called, and what their incoming activation is."""

from throughtime.graph.nodes import StepGraph
from throughtime.graph.operations import UNARY, Kind

ACTIVATIONS = ("sigmoid", "tanh", "relu", "softplus", "silu", "gelu", "softmax")
"""Functions whose nodes always have a name."""

FUNCTIONS = frozenset({*UNARY, "power", "clip", "softmax"} - {"negate"})
"""Functions of one argument; what they take is their incoming activation."""


def start_name(state: str) -> str:
    """The parameter that a state's learned start is."""
    return f"{state}_init"


def value_names(graph: StepGraph) -> dict[str, int]:
    """Node of every named value; an activation without a name is ``tanh#1``.

    Comparisons are left out: they have no derivative.
    """
    names = {
        name: index
        for name, index in graph.names
        if graph.nodes[index].kind is Kind.STEP
    }
    named = set(names.values())
    counts = dict.fromkeys(ACTIVATIONS, 0)
    for index, node in enumerate(graph.nodes):
        if node.operation in counts and node.kind is Kind.STEP and index not in named:
            counts[node.operation] += 1
            names[f"{node.operation}#{counts[node.operation]}"] = index
    return names
