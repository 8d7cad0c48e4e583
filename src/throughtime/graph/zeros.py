"""Which vectors of a plan are exactly 0 in many units: those that a ReLU ends, and δ.

Found from the nodes alone. A product with such a vector may leave out what is 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from throughtime.graph.nodes import Node
from throughtime.graph.programs import Contraction, Program, Source, Span

KEEPING = frozenset("negate abs sign sqrt tanh erf expm1 log1p".split())
"""Functions that are 0 where their argument is."""


def mark_zeros(
    programs: Sequence[Program],
    contractions: Sequence[Contraction],
    spans: Iterable[Span],
) -> tuple[tuple[Program, ...], tuple[Contraction, ...], frozenset[Span]]:
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
    spans
        All columns of buffers with many zeros.
    """
    known = _Known(spans)
    while any([known.learn(program) for program in programs]):
        pass
    marked = tuple(replace(one, zeros=known.operands(one)) for one in programs)
    found = tuple(
        replace(one, left=known.side(one.left), right=known.side(one.right))
        for one in contractions
    )
    return marked, found, frozenset(known.spans)


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

    def side(self, source: Source | None) -> Source | None:
        """One side of a contraction, marked."""
        if source is None:
            return None
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
            ways = node.arguments[1:]
            return all(given[1:]) or any(_is_zero(nodes[a]) for a in ways)
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
