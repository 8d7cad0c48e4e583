"""Step graphs and their δ equations as text, the way a textbook prints them.

A value with a name has a line of its own, unless it is only what another named
value's function takes: ``h_t = tanh(W_ih x_t + …)``. Every δ is ∂L/∂(what the node's
function takes); where the node is no function of one argument, ∂L/∂(the node).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from throughtime.graph.drawn_letters import drawn_letters
from throughtime.graph.expressions import Expression, SizeText, parameter, text, value
from throughtime.graph.letters import letters, merge
from throughtime.graph.lines import Lines, choose_lines
from throughtime.graph.names import start_name
from throughtime.graph.nodes import StepGraph
from throughtime.graph.reader import Reader
from throughtime.graph.show_adjoint import AdjointLines


@dataclass(frozen=True)
class Equations:
    """The lines of a cell, without any heading."""

    forward: tuple[str, ...]
    """One line per value, and what letters of several parameters, or of parameters and
    chance, stand for."""
    starts: tuple[str, ...]
    """One line per state that does not start at 0."""
    deltas: tuple[str, ...]
    """One line per δ, from the output back to the inputs."""
    gradients: tuple[str, ...]
    """One line per parameter, or per parameters with the same gradient; then one per
    learned start."""
    notes: tuple[str, ...]
    """What symbols of the δ equations mean that no equation defines."""


def equations(graph: StepGraph, size_text: SizeText = str) -> Equations:
    """What a graph computes and how error flows back through it.

    Parameters
    ----------
    graph
        As traced: with names.
    size_text
        How to write a number of units, such as the bounds of ``a_t[0:128]``.
    """
    lines = choose_lines(graph)
    short = letters([item.name for item in graph.parameters])
    drawn = drawn_letters(graph, short)
    symbols = {index: value(name) for index, name in lines.symbols.items()}
    symbols |= {index: parameter(letter) for index, letter in drawn.items()}
    reader = Reader(graph.nodes, short, symbols, forward=len(graph.nodes))
    forward = list(_forward(graph, lines, reader))
    forward += [(letter, reader.define(index)) for index, letter in drawn.items()]
    back = AdjointLines(graph, lines, short, drawn)
    backward = [*back.deltas(), *back.input_gradients()]
    merged_sides, merged = merge([side for _, side in (*forward, *backward)])
    written = [
        f"{left} = {text(right, size_text)}"
        for (left, _), right in zip((*forward, *backward), merged_sides, strict=True)
    ]
    return Equations(
        forward=(*written[: len(forward)], *(one.line() for one in merged)),
        starts=tuple(_starts(graph)),
        deltas=tuple(written[len(forward) :]),
        gradients=(*back.gradients(size_text), *back.start_gradients(size_text)),
        notes=tuple(back.notes()),
    )


def _starts(graph: StepGraph) -> Iterator[str]:
    for state in graph.states:
        if state.learned:
            start = start_name(state.name)
            yield f"{state.name} starts where it is learned, at {start}"
        elif state.number:
            yield f"{state.name} starts at {state.number:g}"


def _forward(
    graph: StepGraph, lines: Lines, reader: Reader
) -> Iterator[tuple[str, Expression]]:
    for index, name in sorted(lines.symbols.items()):
        yield text(value(name)), reader.define(index)
    for name, index in lines.aliases:
        yield text(value(name)), reader.read(index)
