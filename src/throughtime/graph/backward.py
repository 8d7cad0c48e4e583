"""The backward half of a plan: the programs and contractions of the δ equations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from throughtime.graph.adjoint import OUTPUT_GRADIENT
from throughtime.graph.builder import Builder
from throughtime.graph.nodes import Node, StepGraph
from throughtime.graph.operations import Kind
from throughtime.graph.programs import (
    DELTA,
    EARLY_DELTA,
    OUTPUT,
    SAVED,
    SUMS,
    Carry,
    Contraction,
    Program,
    Source,
    Span,
    Store,
    gradient_of,
)
from throughtime.graph.saving import BackwardPlan, Term
from throughtime.graph.section import Operands, Section, heavy
from throughtime.graph.views import view
from throughtime.graph.watching import PROBE


def plan_backward(
    backward: BackwardPlan,
    graph: StepGraph,
    available: Mapping[int, Span],
    states: Sequence[Span | None],
    operands: Operands,
    widths: dict[str, int],
) -> tuple[tuple[Program, ...], tuple[Contraction, ...]]:
    """Programs and contractions of the backward pass; widens ``widths``."""
    kept = {i: s for i, s in available.items() if s.buffer in {SAVED, OUTPUT}}
    return _Backward(backward, graph, kept, states, operands, widths).programs()


class _Backward:
    def __init__(
        self,
        backward: BackwardPlan,
        graph: StepGraph,
        available: dict[int, Span],
        states: Sequence[Span | None],
        operands: Operands,
        widths: dict[str, int],
    ) -> None:
        self.plan = backward
        self.nodes = backward.nodes
        self.graph = graph
        self.available = available
        self.states = states
        self.operands = operands
        self.widths = widths
        self.state_names = [state.name for state in graph.states]

    def programs(self) -> tuple[tuple[Program, ...], tuple[Contraction, ...]]:
        self.late = self._dependents({"carry", "previous"})
        carried = self._behind_barrier(self.plan.states)
        self.after = self._after(carried)
        cut = self._cut()
        self._place_deltas(cut)
        wanted = {*self.deltas, *self.plan.inputs.values()}
        inside = {index for index in wanted if self._in_loop(index)}
        cut -= set(self.deltas)
        for index in sorted(cut):
            self.deltas[index] = self._place(DELTA, index)
        programs = [
            self._before(carried | inside | cut),
            self._loop(inside | cut),
            self._behind(wanted - inside),
        ]
        return tuple(p for p in programs if p is not None), self._contractions()

    def _place(self, buffer: str, index: int) -> Span:
        size = self.nodes[index].size
        start = self.widths.get(buffer, 0)
        self.widths[buffer] = start + size
        return Span(buffer, start, size)

    def _role(self, node: Node) -> str:
        """How a leaf of the graph reaches a backward program."""
        if node.operation == "gradient":
            return "stream" if node.attributes[0] == OUTPUT_GRADIENT else "carry"
        return "previous" if node.operation == "state" else "stream"

    def _dependents(self, roles: set[str]) -> set[int]:
        found: set[int] = set()
        leaves = {"gradient", "state", "input"}
        for index, node in enumerate(self.nodes):
            if index in self.available:
                continue
            root = node.operation in leaves and self._role(node) in roles
            if root or any(argument in found for argument in node.arguments):
                found.add(index)
        return found

    def _behind_barrier(self, ends: Iterable[int]) -> set[int]:
        """Ancestors of the ends that no buffer holds."""
        found: set[int] = set()
        waiting = list(ends)
        while waiting:
            index = waiting.pop()
            if index not in found and index not in self.available:
                found.add(index)
                waiting.extend(self.nodes[index].arguments)
        return found

    def _after(self, carried: set[int]) -> set[int]:
        """Products that no carried adjoint needs, and what is made of them."""
        found: set[int] = set()
        # A loop that sums over units anyway takes such sums in along with its own; and
        # what is reported of errors is nowhere else at hand.
        sums = any(self.nodes[index].family == "reduction" for index in carried)
        sums = sums or PROBE in self.plan.inputs
        for index, node in enumerate(self.nodes):
            if index in carried or index in self.available or index < self.plan.first:
                continue
            reduction = node.family == "reduction" and not sums
            own = node.operation == "product" or reduction
            if own or any(argument in found for argument in node.arguments):
                found.add(index)
        return found

    def _in_loop(self, index: int) -> bool:
        return index in self.late and index not in self.after

    def _place_deltas(self, cut: set[int]) -> None:
        """Columns of the δ buffer, so that ranges of one parameter lie side by side.

        δ of the loop that nothing but a sum over all rows reads lie nowhere: the loop
        adds them up.
        """
        self.deltas: dict[int, Span] = {}
        output = gradient_of(OUTPUT)
        products: list[int] = []
        terms = self._sorted_terms()
        self.read = cut | {delta for _, delta, operand in terms if operand is not None}
        for _, delta, operand in terms:
            node = self.nodes[delta]
            if delta in self.deltas or node.kind is Kind.PARAMETER:
                continue
            if node.operation == "gradient" and self._role(node) == "stream":
                self.deltas[delta] = Span(output, 0, node.size)
            elif operand is None and node.operation == "multiply":
                products.append(delta)
            else:
                self._place_delta(delta)
        self._place_products(products)

    def _place_delta(self, delta: int) -> None:
        summed = self._in_loop(delta) and delta not in self.read
        self.deltas[delta] = self._place(SUMS if summed else DELTA, delta)

    def _place_products(self, products: list[int]) -> None:
        """Room for δ that are products, unless both factors are kept anyway."""
        self.factors: dict[int, tuple[int, int]] = {}
        for delta in products:
            first, second = self.nodes[delta].arguments
            size = self.nodes[delta].size
            if all(self._kept(index, size) for index in (first, second)):
                self.factors[delta] = (first, second)
            elif delta not in self.deltas:
                self._place_delta(delta)

    def _kept(self, index: int, size: int) -> bool:
        """Whether a vector of that size lies in a buffer when all steps are done."""
        if self.nodes[index].size != size:
            return False
        if index in self.available or self.nodes[index].operation in {"input", "state"}:
            return True
        return index in self.deltas and self.deltas[index].buffer != SUMS

    def _sorted_terms(self) -> list[Term]:
        def key(term: Term) -> tuple[int, int, int]:
            part = view(self.nodes, term[0])
            # Ranges that are multiplied by one operand are one product if they adjoin.
            operand = len(self.nodes) if term[2] is None else term[2]
            return part.root, operand, part.rows[0]

        return sorted(self.plan.terms, key=key)

    def _cut(self) -> set[int]:
        """What the programs behind the loop need from inside it."""
        cut: set[int] = set()
        ends = [*self.plan.deltas, *self.plan.inputs.values()]
        needed = self._behind_barrier(ends)
        for index in self.after & needed:
            for argument in self.nodes[index].arguments:
                inside = argument in self.late and argument not in self.after
                if inside and self.nodes[argument].kind is Kind.MASK:
                    cut.update(
                        a for a in self.nodes[argument].arguments if a in self.late
                    )
                elif inside:
                    cut.add(argument)
        return cut

    def _leaf(self, builder: Builder, node: Node) -> int:
        name, role = str(node.attributes[0]), self._role(node)
        if role == "stream":
            buffer = gradient_of(OUTPUT) if node.operation == "gradient" else name
            return builder.emit("stream", attributes=(buffer, 0, node.size))
        position = self.state_names.index(name.removeprefix("state "))
        if role == "carry":
            return builder.emit("carry", attributes=(position, node.size))
        span = self.states[position]
        assert span is not None, "training keeps every state in a buffer"
        place = (span.buffer, span.start, span.size, position)
        return builder.emit("previous", attributes=place)

    def _section(self, extra: Mapping[int, Span]) -> Section:
        available = {**self.available, **extra}
        return Section(self.nodes, available, self._leaf, self.operands)

    def _stores(self, section: Section, wanted: Iterable[int]) -> tuple[Store, ...]:
        stores: list[Store] = []
        for index in sorted(wanted):
            span = self.deltas.get(index)
            if span is not None and span.buffer == DELTA:
                stores.append(Store(section.emit(index), span))
            stores += [
                Store(section.emit(index), Span(gradient_of(name), 0, node.size))
                for name, end in self.plan.inputs.items()
                if end == index
                for node in (self.nodes[index],)
            ]
        return tuple(stores)

    def _before(self, used: set[int]) -> Program | None:
        """Products of the output's gradient alone, over all rows at once."""
        if not self.graph.states:
            return None
        weighty = heavy(self.nodes, stop=self.available) - self.late
        loop = self._behind_barrier(used) & self.late
        frontier = {
            argument
            for index in loop
            for argument in self.nodes[index].arguments
            if argument in weighty and argument >= self.plan.first
        }
        frontier |= {index for index in used & weighty if index >= self.plan.first}
        filled = sorted(i for i in frontier if self.nodes[i].kind is Kind.STEP)
        if not filled:
            return None
        section = self._section({})
        spans = {index: self._place(EARLY_DELTA, index) for index in filled}
        stores = tuple(Store(section.emit(i), span) for i, span in spans.items())
        self.available |= spans
        return Program(nodes=tuple(section.builder.nodes), stores=stores)

    def _loop(self, inside: set[int]) -> Program | None:
        if not self.graph.states:
            return None
        section = self._section({})
        stores = self._stores(section, inside)
        sums = tuple(
            Store(section.emit(index), self.deltas[index])
            for index in sorted(inside)
            if index in self.deltas and self.deltas[index].buffer == SUMS
        )
        carries = tuple(
            Carry(position, section.emit(index), self.nodes[index].size)
            for position, index in enumerate(self.plan.states)
        )
        return Program(
            nodes=tuple(section.builder.nodes),
            stores=stores,
            carries=carries,
            sums=sums,
            recurrent=True,
            backwards=True,
        )

    def _behind(self, wanted: set[int]) -> Program | None:
        if not wanted:
            return None
        known = {i: s for i, s in self.deltas.items() if i not in wanted}
        section = self._section(known)
        stores = self._stores(section, wanted)
        if not stores:
            return None
        return Program(nodes=tuple(section.builder.nodes), stores=stores)

    def _source(self, index: int) -> Source:
        if index in self.deltas:
            return Source(self.deltas[index])
        if index in self.available:
            return Source(self.available[index])
        start, stop = 0, self.nodes[index].size
        while self.nodes[index].operation == "slice":
            offset = int(self.nodes[index].attributes[0])
            start, stop = start + offset, stop + offset
            index = self.nodes[index].arguments[0]
        node = self.nodes[index]
        name = str(node.attributes[0])
        if node.operation == "input":
            return Source(Span(name, start, stop - start))
        position = self.state_names.index(name)
        whole = self.states[position]
        assert whole is not None, "training keeps every state in a buffer"
        span = Span(whole.buffer, whole.start + start, stop - start)
        return Source(span, position)

    def _contractions(self) -> tuple[Contraction, ...]:
        found: list[Contraction] = []
        for parameter, delta, operand in self._sorted_terms():
            part = view(self.nodes, parameter)
            if delta in self.factors:
                first, second = map(self._source, self.factors[delta])
                position = self.operands.position(part.root)
                found.append(
                    Contraction(
                        position, part.rows, part.columns, first, second, unitwise=True
                    )
                )
                continue
            if delta not in self.deltas:
                continue
            left = self._source(delta)
            right = None if operand is None else self._source(operand)
            if part.transposed and right is not None:
                left, right = right, left
            position = self.operands.position(part.root)
            found.append(Contraction(position, part.rows, part.columns, left, right))
        return tuple(_merged(found))


def _merged(contractions: list[Contraction]) -> list[Contraction]:
    """Neighbouring row ranges of one parameter whose δ are neighbours as well."""
    merged: list[Contraction] = []
    for next_one in contractions:
        for position, last in enumerate(merged):
            if _adjoin(last, next_one):
                span = replace(
                    last.left.span, size=last.left.span.size + next_one.left.span.size
                )
                merged[position] = replace(
                    last,
                    rows=(last.rows[0], next_one.rows[1]),
                    left=replace(last.left, span=span),
                )
                break
        else:
            merged.append(next_one)
    return merged


def _adjoin(last: Contraction, following: Contraction) -> bool:
    left, right = last.left.span, following.left.span
    if last.unitwise or following.unitwise:
        return False
    same = (last.operand, last.columns, last.right, last.left.state)
    return (
        same
        == (
            following.operand,
            following.columns,
            following.right,
            following.left.state,
        )
        and last.rows[1] == following.rows[0]
        and left.buffer == right.buffer
        and left.start + left.size == right.start
        and last.left.span != following.left.span
    )
