"""A step that begins anew where one more input says so.

Each state is read as where its declaration says it starts, wherever that input is not
0. It is a choice between two values: nothing flows over from before, no error flows
back, and a NaN stays where it was.
"""

from dataclasses import replace

from throughtime.graph.builder import Builder
from throughtime.graph.names import start_name
from throughtime.graph.nodes import (
    InputDeclaration,
    ParameterDeclaration,
    StepGraph,
)

RESETS = "_begins_anew"
"""The input, of one number."""


def resettable(graph: StepGraph) -> StepGraph | None:
    """The same step with that input; None if it has no state to begin anew.

    Behind its parameters it has those states' starts that are learned, by `start_name`.
    """
    if not graph.states:
        return None
    builder = Builder()
    mark = builder.leaf("input", RESETS, (1,))
    begins = builder.emit("not_equal", mark, builder.constant(0.0))
    learned = tuple(
        ParameterDeclaration(start_name(state.name), (state.size,), state.number)
        for state in graph.states
        if state.learned
    )
    starts = {
        state.name: builder.leaf("parameter", start_name(state.name), (state.size,))
        if state.learned
        else builder.constant(state.number)
        for state in graph.states
    }
    chosen = {
        index: builder.emit(
            "where", begins, starts[str(node.attributes[0])], builder.place(node)
        )
        for index, node in enumerate(graph.nodes)
        if node.operation == "state"
    }
    positions = builder.copy(graph.nodes, chosen)
    return replace(
        graph,
        parameters=(*graph.parameters, *learned),
        inputs=(*graph.inputs, InputDeclaration(RESETS, 1)),
        nodes=tuple(builder.nodes),
        output=positions[graph.output],
        new_states=tuple(positions[index] for index in graph.new_states),
        names=tuple((name, positions[index]) for name, index in graph.names),
    )
