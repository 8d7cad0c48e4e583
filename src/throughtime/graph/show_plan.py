"""A plan in words: what leaves the loops, and what is stored."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from throughtime.graph.builder import Builder
from throughtime.graph.drawn_letters import drawn_letters
from throughtime.graph.expressions import (
    Expression,
    SizeText,
    Span,
    parameter,
    restrict,
    text,
    value,
    without_range,
)
from throughtime.graph.fingerprints import Fingerprints, GraphPrints
from throughtime.graph.letters import letters
from throughtime.graph.lines import choose_lines
from throughtime.graph.nodes import Node, StepGraph
from throughtime.graph.operations import Kind
from throughtime.graph.programs import (
    DELTA,
    OUTPUT,
    SAVED,
    SUMS,
    Plan,
    Program,
    gradient_of,
)
from throughtime.graph.reader import Reader
from throughtime.graph.reductions import part_ends, split_reductions
from throughtime.graph.simplify import ALGEBRA, EXPANSION

Product = tuple[Expression, Expression, Span | None, int]
"""Matrix without its range, vector, range of rows, all rows."""


@dataclass(frozen=True)
class PlanText:
    """What a plan does, as lines."""

    before: tuple[str, ...]
    """Products over all steps at once, before the loop."""
    inside: tuple[str, ...]
    """Products of each step."""
    behind: tuple[str, ...]
    """Products over all steps at once that only the output needs."""
    gradients: tuple[str, ...]
    """Gradients of inputs over all steps at once, behind the backward loop."""
    stored: tuple[str, ...]
    """What each step keeps until the backward pass."""
    summed: tuple[str, ...]
    """Gradients that the backward loop adds up, so that their δ are not stored."""
    numbers: int
    """How many numbers each step keeps for each sequence, δ that lie apart included."""


def plan_text(
    graph: StepGraph, plan: Plan, size_text: SizeText = str, *, overlaid: bool = False
) -> PlanText:
    """A training plan in words.

    Parameters
    ----------
    graph
        As traced: with the names of its values.
    plan
        Of this graph, for training.
    size_text
        How to write a number of units.
    overlaid
        Whether δ are written over what is saved.
    """
    return _PlanReader(graph, plan, size_text, overlaid).text()


class _PlanReader:
    def __init__(
        self, graph: StepGraph, plan: Plan, size_text: SizeText, overlaid: bool
    ) -> None:
        self.overlaid = overlaid
        self.graph = graph
        self.plan = plan
        self.size_text = size_text
        self.letters = letters([item.name for item in graph.parameters])
        self.shared = Fingerprints()
        lines = choose_lines(graph)
        self.drawn = dict(self._drawn())
        self.names = dict(self._names(lines.symbols))
        self.stored: dict[tuple[str, int, int], int] = {}
        self.texts: dict[tuple[str, int, int], str] = {}

    def _names(self, symbols: Mapping[int, str]) -> Iterator[tuple[int, Expression]]:
        """What values are called, and parts of those that are taken apart."""
        # With the simpler functions that a plan writes means and squares with.
        divided, places = split_reductions(self.graph)
        simpler = Builder(rules=(*ALGEBRA, *EXPANSION))
        moved = simpler.copy(divided.nodes)
        prints = self.shared.of(simpler.nodes, self._leaf)
        ends = part_ends(self.graph.nodes)
        for index, name in symbols.items():
            position = moved[places[index]]
            for span in pairwise((0, *ends[index])):
                yield prints.of(position, span), restrict(value(name), span)
            yield prints.of(position), value(name)

    def _drawn(self) -> Iterator[tuple[int, Expression]]:
        """Letters of parameters that chance has a part in."""
        prints = self.shared.of(self.graph.nodes, self._leaf)
        for index, letter in drawn_letters(self.graph, self.letters).items():
            yield prints.of(index), parameter(letter)

    def text(self) -> PlanText:
        before: list[Product] = []
        inside: list[Product] = []
        behind: list[Product] = []
        place = before
        for program in self.plan.forward:
            place = inside if program.recurrent else place
            place.extend(self._read(program))
            place = behind if program.recurrent else place
        widths = self.plan.widths
        stored = [line for name in (OUTPUT, SAVED) if (line := self._buffer(name))]
        if widths.get(DELTA):
            over = ", over such of these as were read" if self.overlaid else ""
            stored.append(f"δ: {self.size_text(widths[DELTA])} numbers{over}")
        kept = (OUTPUT, SAVED) if self.overlaid else (OUTPUT, SAVED, DELTA)
        return PlanText(
            before=tuple(self._products(before)),
            inside=tuple(self._products(inside)),
            behind=tuple(self._products(behind)),
            gradients=tuple(self._input_gradients()),
            stored=tuple(stored),
            summed=tuple(self._summed()),
            numbers=sum(widths.get(name, 0) for name in kept),
        )

    def _input_gradients(self) -> Iterator[str]:
        at_once = [p for p in self.plan.backward if not p.recurrent]
        filled = {store.span.buffer for p in at_once for store in p.stores}
        for name in ("x", *(declared.name for declared in self.graph.inputs)):
            if gradient_of(name) in filled:
                yield f"∂L/∂{text(value(name), self.size_text)}"

    def _summed(self) -> Iterator[str]:
        found = (c for c in self.plan.contractions if c.left.span.buffer == SUMS)
        for operand in dict.fromkeys(c.operand for c in found):
            name = text(self._operand(operand), self.size_text)
            yield f"∂L/∂({name})" if " " in name else f"∂L/∂{name}"

    def _read(self, program: Program) -> Iterator[Product]:
        prints = self.shared.of(program.nodes, self._leaf)
        symbols = dict(self._symbols(program.nodes, prints))
        reader = Reader(program.nodes, self.letters, symbols, len(program.nodes))
        for store in program.stores:
            span = store.span
            place = (span.buffer, span.start, span.size)
            self.stored[place] = prints.of(store.node)
            self.texts[place] = text(reader.read(store.node), self.size_text)
        for node in program.nodes:
            if node.operation == "product":
                matrix, vector = (reader.read(argument) for argument in node.arguments)
                root = program.nodes[node.arguments[0]]
                if root.operation == "slice":
                    root = program.nodes[root.arguments[0]]
                base, rows = without_range(matrix)
                yield base, vector, rows, root.size

    def _symbols(
        self, nodes: tuple[Node, ...], prints: GraphPrints
    ) -> Iterator[tuple[int, Expression]]:
        for index, node in enumerate(nodes):
            if node.operation == "operand":
                yield index, self._operand(int(node.attributes[0]))
            elif node.operation in {"previous", "carry"}:
                position = node.attributes[-1 if node.operation == "previous" else 0]
                yield index, value(self.graph.states[int(position)].name, -1)
            elif prints.of(index) in self.names:
                yield index, self.names[prints.of(index)]
            elif node.operation == "stream":
                yield index, value(str(node.attributes[0]))

    def _operand(self, position: int) -> Expression:
        nodes = self.plan.nodes
        prints = self.shared.of(nodes, self._leaf)
        symbols = {
            index: self.drawn[prints.of(index)]
            for index, node in enumerate(nodes)
            if node.kind is Kind.PARAMETER and prints.of(index) in self.drawn
        }
        return Reader(nodes, self.letters, symbols, len(nodes)).read(
            self.plan.operands[position]
        )

    def _leaf(self, node: Node, span: Span | None) -> int:
        number = self.shared.number
        first = node.attributes[0]
        match node.operation:
            case "zeros":
                return number("zero")
            case "constant":
                return number("zero" if first == 0 else ("constant", first))
            case "operand":
                nodes = self.plan.nodes
                inner = self.shared.of(nodes, self._leaf)
                return inner.of(self.plan.operands[int(first)], span)
            case "previous" | "carry":
                position = node.attributes[-1 if node.operation == "previous" else 0]
                return number(("state", self.graph.states[int(position)].name, span))
            case "stream":
                place = (str(first), int(node.attributes[1]), int(node.attributes[2]))
                if place in self.stored and span is None:
                    return self.stored[place]
                return number(("input", first, span))
        return number((node.operation, first, span))

    def _products(self, products: Iterable[Product]) -> Iterator[str]:
        """Each product once, neighbouring ranges of rows joined."""
        ranges: dict[tuple[Expression, Expression], list[Span]] = {}
        sizes: dict[Expression, int] = {}
        for matrix, vector, span, size in products:
            sizes[matrix] = size
            ranges.setdefault((matrix, vector), []).append(span or (0, size))
        for (matrix, vector), spans in ranges.items():
            for span in _joined(spans):
                whole = span == (0, sizes[matrix])
                part = matrix if whole else restrict(matrix, span)
                yield text(Expression("product", (part, vector)), self.size_text)

    def _buffer(self, name: str) -> str:
        width = self.plan.widths.get(name, 0)
        places = sorted(place for place in self.texts if place[0] == name)
        if not width:
            return ""
        values = ", ".join(dict.fromkeys(self.texts[place] for place in places))
        return f"{values}: {self.size_text(width)} numbers"


def _joined(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for span in sorted(set(spans)):
        if found and found[-1][1] == span[0]:
            found[-1] = (found[-1][0], span[1])
        else:
            found.append(span)
    return found
