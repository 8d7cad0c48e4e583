"""Which vectors of a plan are exactly 0 in many units: those that a ReLU ends, and δ.

Found from the nodes alone. A product with such a vector may leave out what is 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from throughtime.graph.nodes import Node, StepGraph
from throughtime.graph.programs import Contraction, Program, Source, Span

KEEPING = frozenset("negate abs sign sqrt tanh erf expm1 log1p".split())
"""Functions that are 0 where their argument is."""


def mark_zeros(
    programs: Sequence[Program],
    contractions: Sequence[Contraction],
    spans: Iterable[Span],
) -> tuple[tuple[Program, ...], tuple[Contraction, ...]]:
    """Name the operands of products, and sides of contractions, with many zeros.

    Parameters
    ----------
    programs
        As they run.
    contractions
        Behind them.
    spans
        Columns that are known to be exactly 0 in many units.

    Returns
    -------
    programs, contractions
        The same ones, marked.
    """
    known = _Known(spans)
    while any(known.learn(program) for program in programs):
        pass
    marked = tuple(replace(one, zeros=known.operands(one)) for one in programs)
    return marked, tuple(map(known.marked, contractions))


def tell_layers(graphs: Sequence[StepGraph]) -> tuple[StepGraph, ...]:
    """Tell each layer whether the one below it leaves many zeros."""
    found = list(graphs[:1])
    for below, graph in pairwise(graphs):
        many = below.output in zero_values(below)
        found.append(replace(graph, zeros=("x",)) if many else graph)
    return tuple(found)


def zero_values(graph: StepGraph) -> set[int]:
    """Nodes of a step that are exactly 0 in many units."""
    names = [state.name for state in graph.states]
    new = dict(zip(names, graph.new_states, strict=True))
    leaves: set[int] = set()
    while True:
        found: set[int] = set()
        for index, node in enumerate(graph.nodes):
            if index in leaves or _is_zero_often(graph.nodes, node, found):
                found.add(index)
        more = {
            index
            for index, node in enumerate(graph.nodes)
            if node.operation == "state" and new[str(node.attributes[0])] in found
        }
        if more <= leaves:
            return found
        leaves |= more


class _Known:
    """Columns of buffers, and carried values, with many zeros."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = set(spans)
        self.carries: set[tuple[bool, int]] = set()

    def learn(self, program: Program) -> bool:
        """Take in what a program leaves; whether that is new."""
        zeros = self._zeros(program)
        before = len(self.spans) + len(self.carries)
        self.spans |= {s.span for s in program.stores if s.node in zeros}
        self.carries |= {
            (program.backwards, carry.state)
            for carry in program.carries
            if carry.node in zeros
        }
        return len(self.spans) + len(self.carries) > before

    def operands(self, program: Program) -> tuple[int, ...]:
        """Vectors of products, by their positions in a program."""
        zeros = self._zeros(program)
        used = {n.arguments[1] for n in program.nodes if n.operation == "product"}
        return tuple(sorted(used & zeros))

    def marked(self, contraction: Contraction) -> Contraction:
        """The same one, its sides marked."""
        left, right = contraction.left, contraction.right
        return replace(
            contraction,
            left=self._side(left),
            right=None if right is None else self._side(right),
        )

    def _side(self, source: Source) -> Source:
        return replace(source, zeros=self._lies_in(source.span))

    def _lies_in(self, span: Span) -> bool:
        return any(
            span.buffer == whole.buffer
            and whole.start <= span.start
            and span.start + span.size <= whole.start + whole.size
            for whole in self.spans
        )

    def _zeros(self, program: Program) -> set[int]:
        found: set[int] = set()
        for index, node in enumerate(program.nodes):
            if node.operation in {"stream", "previous"}:
                buffer, start, size = node.attributes[:3]
                own = self._lies_in(Span(str(buffer), int(start), int(size)))
            elif node.operation == "carry":
                own = (program.backwards, int(node.attributes[0])) in self.carries
            else:
                own = _is_zero_often(program.nodes, node, found)
            if own:
                found.add(index)
        return found


def _is_zero_often(nodes: Sequence[Node], node: Node, found: set[int]) -> bool:
    """Whether a value is exactly 0 in many units, as some of its arguments are."""
    given = [argument in found for argument in node.arguments]
    match node.operation:
        case "relu":
            return True
        case "clip":
            return 0.0 in node.attributes
        case "maximum" | "minimum":
            return all(given) or any(_is_zero(nodes[a]) for a in node.arguments)
        case "where":
            chosen, *ways = node.arguments
            zero = [a in found or _is_zero(nodes[a]) for a in ways]
            # One choice for all units says nothing of how many of them are 0.
            apart = nodes[chosen].size == node.size > 1
            return all(zero) or (apart and any(_is_zero(nodes[a]) for a in ways))
        case "multiply":
            return any(given)
        case "divide" | "slice":
            return given[0]
        case "concat":
            return all(given)
    return node.operation in KEEPING and given[0]


def _is_zero(node: Node) -> bool:
    """Whether a node is the number 0, repeated or not."""
    return node.operation == "constant" and node.attributes[0] == 0.0
