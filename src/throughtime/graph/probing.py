"""A step in which error can be read whole: of each state what flows back into it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from throughtime.graph.builder import Builder, prune
from throughtime.graph.exposing import behind_output
from throughtime.graph.nodes import InputDeclaration, StepGraph
from throughtime.graph.operations import Kind
from throughtime.graph.simplify import unwatched


@dataclass(frozen=True)
class Probed:
    """A graph that gives out its new states, and one step of it by itself.

    Parameters
    ----------
    graph
        The given one with an input for each state, `errors`, that is added to the new
        state: the gradient of such an input is ∂E/∂(new state), that through the
        output among it. Behind its own output stand the new states, and what the step
        draws.
    errors
        The names of these inputs, in the order of the states.
    ends
        For each new state and each drawn value the first unit in the output, and the
        unit behind its last one.
    alone
        The new states of the given graph, whose drawn vectors are inputs, `drawn`: so
        it can be run again on rows of any order. What it draws once per call it still
        draws.
    drawn
        The names of these inputs.
    """

    graph: StepGraph
    errors: tuple[str, ...]
    ends: tuple[tuple[int, int], ...]
    alone: StepGraph
    drawn: tuple[str, ...]


def probed(graph: StepGraph) -> Probed:
    """The same step, with errors and states to be read."""
    errors = _free(graph, "error", len(graph.states))
    random = _drawn_vectors(graph)
    erring = _with_errors(graph, errors)
    longer, ends = behind_output(erring, [*erring.new_states, *random])
    alone, drawn = _alone(graph, random)
    return Probed(longer, errors, ends, alone, drawn)


def _free(graph: StepGraph, word: str, count: int) -> tuple[str, ...]:
    """Names for so many inputs, which nothing else has."""
    declared = [*graph.states, *graph.inputs, *graph.parameters]
    while any(one.name.startswith(word) for one in declared):
        word = f"_{word}"
    return tuple(f"{word}_{place}" for place in range(count))


def _with_errors(graph: StepGraph, names: Sequence[str]) -> StepGraph:
    """Add an input to each new state, also where the output is or shows that state."""
    builder = Builder(graph.nodes)
    sums: dict[int, int] = {}
    ends: list[int] = []
    for name, end in zip(names, graph.new_states, strict=True):
        error = builder.leaf("input", name, graph.nodes[end].shape)
        ends.append(builder.emit("add", end, error))
        # Two states may be one value, of which the first is the output.
        sums.setdefault(end, ends[-1])
    output, shown = sums.get(graph.output, graph.output), graph.nodes[graph.output]
    if shown.operation == "concat" and output == graph.output:
        output = builder.emit("concat", *(sums.get(i, i) for i in shown.arguments))
    declared = zip(names, graph.states, strict=True)
    return replace(
        graph,
        nodes=tuple(builder.nodes),
        inputs=(*graph.inputs, *(InputDeclaration(n, s.size) for n, s in declared)),
        output=output,
        new_states=tuple(ends),
    )


def _drawn_vectors(graph: StepGraph) -> list[int]:
    """What is drawn anew for steps or sequences."""
    return [
        index
        for index, node in enumerate(graph.nodes)
        if node.family == "random" and node.kind is Kind.STEP
    ]


def _alone(
    graph: StepGraph, random: Sequence[int]
) -> tuple[StepGraph, tuple[str, ...]]:
    """Read drawn vectors instead of drawing them; give new states, report nothing."""
    builder = Builder(rules=(unwatched,))
    names = _free(graph, "drawn", len(random))
    leaves = dict(zip(random, names, strict=True))
    positions: list[int] = []
    for index, node in enumerate(graph.nodes):
        arguments = tuple(positions[argument] for argument in node.arguments)
        if index in leaves:
            positions.append(builder.leaf("input", leaves[index], node.shape))
        else:
            attributes = node.attributes
            positions.append(
                builder.emit(node.operation, *arguments, attributes=attributes)
            )
    declared = [InputDeclaration(n, graph.nodes[i].size) for i, n in leaves.items()]
    states = tuple(positions[index] for index in graph.new_states)
    own = replace(
        graph,
        nodes=tuple(builder.nodes),
        inputs=(*graph.inputs, *declared),
        output=states[0],
        new_states=states,
        names=(),
    )
    return prune(own), names
