"""A step in which error can be read: of each state what flows back into it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from throughtime.graph.builder import Builder, prune
from throughtime.graph.names import value_names
from throughtime.graph.nodes import InputDeclaration, StepGraph
from throughtime.graph.operations import Kind


@dataclass(frozen=True)
class Probed:
    """A graph that gives out its new states, and one step of it by itself.

    Parameters
    ----------
    graph
        The given one with an input for each state, `errors`, that is added to the new
        state: the gradient of such an input is ∂E/∂(new state), that through the
        output among it. Behind its own output stand the new states, what the step
        draws, and all named values if they are asked for.
    errors
        The names of these inputs, in the order of the states.
    ends
        For each new state and each drawn value the first unit in the output, and the
        unit behind its last one.
    spans
        Of each named value its name and such units.
    alone
        The given graph whose drawn vectors are inputs, `drawn`: so it can be run again
        on rows of any order. What it draws once per call it still draws.
    drawn
        The names of these inputs.
    """

    graph: StepGraph
    errors: tuple[str, ...]
    ends: tuple[tuple[int, int], ...]
    spans: tuple[tuple[str, int, int], ...]
    alone: StepGraph
    drawn: tuple[str, ...]


def probed(graph: StepGraph, named: bool = False) -> Probed:
    """The same step, with errors and states to be read.

    Parameters
    ----------
    graph
        As it would run.
    named
        Whether to give out all named values as well; error flows through the states
        among them, too.
    """
    errors = _free(graph, "error", len(graph.states))
    with_errors, sums = _with_errors(graph, errors)
    names = value_names(graph) if named else {}
    random = _drawn_vectors(graph)
    shown = [*with_errors.new_states, *random]
    values = [sums.get(index, index) for index in names.values()]
    longer, spans = _with_ends(with_errors, [*shown, *values])
    alone, drawn = _alone(graph, random)
    named_spans = zip(names, spans[len(shown) :], strict=True)
    return Probed(
        longer,
        errors,
        spans[: len(shown)],
        tuple((name, *span) for name, span in named_spans),
        alone,
        drawn,
    )


def _with_errors(
    graph: StepGraph, names: Sequence[str]
) -> tuple[StepGraph, dict[int, int]]:
    """Add an input to each new state, and so to what else is that value.

    The second is for each value that is a new state the position of the sum.
    """
    builder = Builder(graph.nodes)
    sums: dict[int, int] = {}
    ends: list[int] = []
    for name, end in zip(names, graph.new_states, strict=True):
        error = builder.leaf("input", name, graph.nodes[end].shape)
        ends.append(builder.emit("add", end, error))
        # Two states may be one value, of which the first is the output.
        sums.setdefault(end, ends[-1])
    declared = [
        InputDeclaration(name, state.size)
        for name, state in zip(names, graph.states, strict=True)
    ]
    added = replace(
        graph,
        nodes=tuple(builder.nodes),
        inputs=(*graph.inputs, *declared),
        output=sums.get(graph.output, graph.output),
        new_states=tuple(ends),
    )
    return added, sums


def _free(graph: StepGraph, word: str, count: int) -> tuple[str, ...]:
    """Names for so many inputs, which nothing else has."""
    declared = [*graph.states, *graph.inputs, *graph.parameters]
    while any(one.name.startswith(word) for one in declared):
        word = f"_{word}"
    return tuple(f"{word}_{place}" for place in range(count))


def _with_ends(
    graph: StepGraph, shown: Sequence[int]
) -> tuple[StepGraph, tuple[tuple[int, int], ...]]:
    """Put values behind the output, each once."""
    places, end = {graph.output: 0}, graph.output_size
    for index in shown:
        if index not in places:
            places[index] = end
            end += graph.nodes[index].size
    spans = [
        (places[index], places[index] + graph.nodes[index].size) for index in shown
    ]
    if len(places) == 1:
        return graph, tuple(spans)
    builder = Builder(graph.nodes)
    output = builder.emit("concat", *places)
    return replace(graph, nodes=tuple(builder.nodes), output=output), tuple(spans)


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
    """Read drawn vectors instead of drawing them."""
    if not random:
        return graph, ()
    builder = Builder()
    names = _free(graph, "drawn", len(random))
    leaves = dict(zip(random, names, strict=True))
    positions: list[int] = []
    for index, node in enumerate(graph.nodes):
        if index in leaves:
            positions.append(builder.leaf("input", leaves[index], node.shape))
            continue
        arguments = tuple(positions[argument] for argument in node.arguments)
        positions.append(builder.place(replace(node, arguments=arguments)))
    declared = [
        InputDeclaration(name, graph.nodes[index].size)
        for index, name in leaves.items()
    ]
    read = replace(
        graph,
        nodes=tuple(builder.nodes),
        inputs=(*graph.inputs, *declared),
        output=positions[graph.output],
        new_states=tuple(positions[index] for index in graph.new_states),
        names=tuple((name, positions[index]) for name, index in graph.names),
    )
    return prune(read), names
