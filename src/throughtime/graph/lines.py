"""Which values of a step are printed on a line of their own, and under which name."""

from collections.abc import Sequence
from dataclasses import dataclass

from throughtime.graph.names import value_names
from throughtime.graph.nodes import Node, StepGraph
from throughtime.graph.operations import Kind

DERIVED_FROM_RESULT = frozenset({"sigmoid", "tanh", "relu", "exp", "softmax"})
"""Functions whose derivative is written with their result alone."""


@dataclass(frozen=True)
class Lines:
    """The lines of a step."""

    symbols: dict[int, str]
    """Name of each node that has a line of its own."""
    aliases: tuple[tuple[str, int], ...]
    """States and outputs that are a value printed under another name."""
    inside: dict[int, str]
    """Named nodes written only inside the line of the function that takes them."""
    output: str
    """What the output is called."""


def choose_lines(graph: StepGraph) -> Lines:
    """Decide on the lines of a graph as traced."""
    symbols: dict[int, str] = {}
    for name, index in graph.names:
        # What a step calls x once it has assigned something to it.
        symbols.setdefault(index, f"{name}′" if name in _given(graph) else name)
    ends = list(zip(graph.new_states, graph.states, strict=True))
    for index, state in reversed(ends):
        symbols[index] = state.name
    wanted = [(state.name, index) for index, state in ends]
    output = graph.states[0].name if graph.states else ""
    if graph.has_separate_output:
        output = "output" if "y" in _taken(graph) else "y"
        symbols.setdefault(graph.output, output)
        wanted.append((output, graph.output))
    symbols = {i: s for i, s in symbols.items() if graph.nodes[i].family != "leaf"}
    inside = _inside(graph, symbols)
    symbols = {i: name for i, name in symbols.items() if i not in inside}
    symbols |= _automatic(graph, {**symbols, **inside}, set(inside))
    aliases = tuple((name, i) for name, i in wanted if symbols.get(i) != name)
    return Lines(symbols, aliases, inside, output)


def consumers(nodes: Sequence[Node]) -> list[list[int]]:
    """Positions of the nodes that take each node."""
    found: list[list[int]] = [[] for _ in nodes]
    for index, node in enumerate(nodes):
        for argument in node.arguments:
            found[argument].append(index)
    return found


def costs(nodes: Sequence[Node], symbols: set[int]) -> list[int]:
    """How many nodes each one's text has, where symbols count as one."""
    found: list[int] = []
    for index, node in enumerate(nodes):
        inner = sum(found[argument] for argument in node.arguments)
        own = 0 if node.operation in {"slice", "transpose", "expand"} else 1
        found.append(1 if index in symbols else max(inner + own, 1))
    return found


def _given(graph: StepGraph) -> set[str]:
    return {"x", *(item.name for item in graph.inputs)}


def _taken(graph: StepGraph) -> set[str]:
    declared = {item.name for item in (*graph.states, *graph.parameters)}
    return {name for name, _ in graph.names} | declared | _given(graph)


def _inside(graph: StepGraph, symbols: dict[int, str]) -> dict[int, str]:
    ends = {graph.output, *graph.new_states}
    found: dict[int, str] = {}
    for index, users in enumerate(consumers(graph.nodes)):
        if index in symbols and index not in ends and len(users) == 1:
            user = graph.nodes[users[0]]
            if users[0] in symbols and user.operation in DERIVED_FROM_RESULT:
                found[index] = symbols[index]
    return found


def _automatic(
    graph: StepGraph, named: dict[int, str], inside: set[int]
) -> dict[int, str]:
    """Names of what would else be written out more than once."""
    activations = {index: name for name, index in value_names(graph).items()}
    users = consumers(graph.nodes)
    found: dict[int, str] = {}
    count = 0
    for index, node in enumerate(graph.nodes):
        if index in named or node.family == "leaf" or node.operation == "slice":
            continue
        if all(graph.nodes[user].operation == "slice" for user in users[index]):
            continue
        if index in activations:
            known = (set(named) - inside) | set(found)
            long = costs(graph.nodes[:index], known)[node.arguments[0]] > 1
            if long or len(users[index]) > 1:
                found[index] = activations[index]
        elif len(users[index]) > 1 and node.kind is not Kind.PARAMETER:
            count += 1
            while f"u{count}" in _taken(graph):
                count += 1
            found[index] = f"u{count}"
    return found
