"""From a step graph to a plan: what leaves the loop, what is stored and where.

Forward, products that need no state run before the loop over all rows at once, and
what no state needs runs after it. Backward, the loop keeps only what the carried
adjoints need; gradients of inputs follow it, those of parameters are contractions
over time. Cheap forward values are computed again rather than stored.
"""

from collections.abc import Iterable
from dataclasses import replace

from throughtime.graph.adjoint import adjoint
from throughtime.graph.backward import plan_backward
from throughtime.graph.builder import Builder, prune
from throughtime.graph.linear_sums import linear_sum
from throughtime.graph.nodes import Node, StepGraph, ancestors, dependents
from throughtime.graph.operations import Kind
from throughtime.graph.programs import (
    EARLY,
    LATE,
    OUTPUT,
    SAVED,
    Carry,
    Plan,
    Program,
    Span,
    Store,
)
from throughtime.graph.saving import BackwardPlan
from throughtime.graph.section import Operands, Section, heavy
from throughtime.graph.simplify import (
    ALGEBRA,
    EXPANSION,
    SPLITTING,
    ordered_nodes,
    simplify,
)
from throughtime.graph.zeros import mark_zeros

RULES = (*EXPANSION, *ALGEBRA, *SPLITTING)


def plan(
    graph: StepGraph,
    *,
    training: bool,
    input_gradients: Iterable[str] = ("x",),
    hoist: bool = True,
) -> Plan:
    """How a step graph runs.

    Parameters
    ----------
    graph
        The step, as traced.
    training
        Store what the backward pass needs, and plan that pass.
    input_gradients
        The inputs whose gradient is wanted, ``x`` among them.
    hoist
        Whether products that need no state run before the loop, over all rows at
        once; else each step computes its own. The numbers are the same.
    """
    prepared = simplify(graph)
    if training:
        parts = _with_adjoint(prepared, tuple(input_gradients))
        return _Forward(*parts, hoist).plan()
    return _Forward(prune(_expand(prepared)[1]), None, hoist).plan()


def _expand(graph: StepGraph) -> tuple[Builder, StepGraph, list[int]]:
    """The graph in simple functions alone; forward plans of all kinds share it."""
    builder = Builder(rules=RULES)
    positions = builder.copy(graph.nodes)
    expanded = replace(
        graph,
        nodes=tuple(builder.nodes),
        output=positions[graph.output],
        new_states=tuple(positions[index] for index in graph.new_states),
    )
    return builder, expanded, positions


def _with_adjoint(
    graph: StepGraph, input_gradients: tuple[str, ...]
) -> tuple[StepGraph, BackwardPlan]:
    reverse = adjoint(graph, (*ALGEBRA, *SPLITTING, linear_sum))
    builder, expanded, positions = _expand(graph)
    first = len(builder.nodes)
    known = dict(enumerate(positions))
    positions = builder.copy(reverse.nodes, known)
    terms = [
        (
            positions[term.parameter],
            positions[term.delta],
            None if term.operand is None else positions[term.operand],
        )
        for term in reverse.terms
    ]
    states = [positions[index] for index in reverse.state_gradients]
    wanted = {
        name: positions[reverse.input_gradients[name]]
        for name in input_gradients
        if name in reverse.input_gradients
    }
    deltas = [delta for _, delta, _ in terms]
    nodes, order = ordered_nodes(
        builder.nodes,
        [*deltas, *states, *wanted.values()],
        _carried_gradients(builder.nodes),
        first,
    )
    backward = BackwardPlan(
        nodes=nodes,
        first=first,
        states=[order[index] for index in states],
        inputs={name: order[index] for name, index in wanted.items()},
        terms=[
            (order[p], order[d], None if o is None else order[o]) for p, d, o in terms
        ],
    )
    return replace(expanded, nodes=tuple(nodes[:first])), backward


def _carried_gradients(nodes: list[Node]) -> list[int]:
    return [
        index
        for index, node in enumerate(nodes)
        if node.operation == "gradient" and str(node.attributes[0]).startswith("state ")
    ]


class _Forward:
    """Divides the forward nodes into programs before, in and after the loop."""

    def __init__(
        self, graph: StepGraph, backward: BackwardPlan | None, hoist: bool
    ) -> None:
        self.hoist = hoist
        self.graph = graph
        self.backward = backward
        self.nodes = graph.nodes if backward is None else backward.nodes
        self.operands = Operands(self.nodes)
        self.widths: dict[str, int] = {OUTPUT: graph.output_size}
        self.available: dict[int, Span] = {}
        self.spans: list[Span | None] = []
        self.state_places = {
            str(node.attributes[0]): index
            for index, node in enumerate(graph.nodes)
            if node.operation == "state"
        }

    def plan(self) -> Plan:
        graph = self.graph
        saved = () if self.backward is None else self.backward.saved(graph)
        self.late = dependents(graph.nodes, self.state_places.values())
        self.after = self._after()
        self._place_states()
        self._place_saved(saved)
        programs = [self._before(saved), self._loop(saved), self._behind(saved)]
        forward = tuple(program for program in programs if program is not None)
        self._hold_output()
        backward, contractions = (), ()
        if self.backward is not None:
            backward, contractions = plan_backward(
                self.backward,
                graph,
                self.available,
                self.spans,
                self.operands,
                self.widths,
            )
        sizes = {"x": graph.input_size} | {one.name: one.size for one in graph.inputs}
        given = [Span(name, 0, sizes[name]) for name in graph.zeros]
        programs = *forward, *backward
        marked, contractions = mark_zeros(programs, contractions, given)
        forward, backward = marked[: len(forward)], marked[len(forward) :]
        return Plan(
            graph=graph,
            nodes=tuple(self.nodes),
            operands=tuple(self.operands.positions),
            forward=forward,
            backward=backward,
            contractions=contractions,
            widths=self.widths,
            states=tuple(self.spans),
        )

    def _place_saved(self, saved: Iterable[int]) -> None:
        """In the same columns, whichever program computes it.

        What the backward loop alone reads lies side by side, as δ may be written over
        it; so single numbers lie behind all vectors.
        """
        operands = () if self.backward is None else self.backward.operands
        order = sorted(saved, key=lambda i: (self.nodes[i].size == 1, i in operands, i))
        self.saved_places = {
            index: self._place(SAVED, index)
            for index in order
            if index not in self.available
        }

    def _hold_output(self) -> None:
        """Say where the output lies when the backward pass comes."""
        held = self.available.get(self.graph.output)
        # Buffers from one forward program to the next are gone by then.
        if held is None or held.buffer in {EARLY, LATE}:
            span = Span(OUTPUT, 0, self.graph.output_size)
            self.available[self.graph.output] = span

    def _after(self) -> set[int]:
        """What depends on a state, but no state on it, from a product onwards."""
        nodes = self.graph.nodes
        needed = ancestors(nodes, self.graph.new_states)
        free = {i for i in self.late if i not in needed}
        roots = [
            i
            for i in free
            if nodes[i].operation == "product" or nodes[i].family == "reduction"
        ]
        return dependents(nodes, roots) & free

    def _place(self, buffer: str, index: int) -> Span:
        size = self.nodes[index].size
        start = self.widths.get(buffer, 0)
        self.widths[buffer] = start + size
        return Span(buffer, start, size)

    def _place_states(self) -> None:
        """The output's row is the first state's; training keeps all states."""
        graph = self.graph
        for state, index in zip(graph.states, graph.new_states, strict=True):
            if index == graph.output and index not in self.available:
                span: Span | None = Span(OUTPUT, 0, state.size)
            elif self.backward is not None:
                span = self._place(SAVED, index)
            else:
                span = None
            self.spans.append(span)
            if span is not None:
                self.available.setdefault(index, span)

    def _stream(self, index: int, transient: str) -> None:
        if index not in self.available:
            place = self.saved_places.get(index)
            self.available[index] = place or self._place(transient, index)

    def _leaf(self, builder: Builder, node: Node) -> int:
        name = str(node.attributes[0])
        if node.operation == "input":
            return builder.emit("stream", attributes=(name, 0, node.size))
        position = [state.name for state in self.graph.states].index(name)
        span = self.spans[position]
        if span is None:
            return builder.emit("carry", attributes=(position, node.size))
        return builder.emit(
            "previous", attributes=(span.buffer, span.start, span.size, position)
        )

    def _section(self, available: dict[int, Span]) -> Section:
        return Section(self.nodes, available, self._leaf, self.operands)

    def _fill(
        self, section: Section, filled: Iterable[int], finals: Iterable[int] = ()
    ) -> tuple[Store, ...]:
        stores = [
            Store(section.emit(index), self.available[index])
            for index in sorted(set(filled))
        ]
        output = Span(OUTPUT, 0, self.widths[OUTPUT])
        stores += [Store(section.emit(index), output) for index in finals]
        return tuple(stores)

    def _before(self, saved: Iterable[int]) -> Program | None:
        """Products that need no state, over all rows at once."""
        if not self.graph.states:
            return self._stateless(saved)
        if not self.hoist:
            return None
        filled = [i for i in self._frontier(saved) if i not in self.available]
        for index in filled:
            self._stream(index, EARLY)
        if not filled:
            return None
        section = self._section({})
        return Program(stores=self._fill(section, filled), nodes=_nodes(section))

    def _frontier(self, saved: Iterable[int]) -> list[int]:
        """What products that need no state hand to the loop."""
        graph, nodes = self.graph, self.graph.nodes
        free = heavy(nodes) - self.late
        weighty = {i for i in free if nodes[i].kind is not Kind.PARAMETER}
        used = {a for i in self.late for a in nodes[i].arguments}
        used |= {graph.output, *graph.new_states, *saved}
        frontier = set()
        for index in weighty & used:
            if nodes[index].kind is Kind.STEP:
                frontier.add(index)
            else:
                frontier.update(a for a in nodes[index].arguments if a in weighty)
        return sorted(frontier)

    def _stateless(self, saved: Iterable[int]) -> Program:
        for index in saved:
            self._stream(index, SAVED)
        filled = [i for i in self.available if i != self.graph.output]
        section = self._section({})
        stores = self._fill(section, filled, [self.graph.output])
        return Program(stores=stores, nodes=_nodes(section))

    def _loop(self, saved: Iterable[int]) -> Program | None:
        graph = self.graph
        if not graph.states:
            return None
        early = dict(self.available)
        spans = {
            index: span
            for index, span in zip(graph.new_states, self.spans, strict=True)
            if span is not None
        }
        for index in saved:
            if index not in self.after:
                self._stream(index, SAVED)
        for index in self._cut():
            self._stream(index, LATE)
        filled = {i for i in self.available if i not in early or i in spans}
        section = self._section({i: s for i, s in early.items() if i not in filled})
        stored = any(self.available[i].buffer == OUTPUT for i in filled)
        finals = [] if stored or graph.output in self.after else [graph.output]
        stores = self._fill(section, filled, finals) + self._copies(section)
        carries = tuple(
            Carry(position, section.emit(index), self.nodes[index].size)
            for position, index in enumerate(graph.new_states)
            if self.spans[position] is None
        )
        return Program(
            nodes=_nodes(section),
            stores=stores,
            carries=carries,
            recurrent=True,
        )

    def _copies(self, section: Section) -> tuple[Store, ...]:
        """A value that two states take lies in the rows of both: they start apart."""
        return tuple(
            Store(section.emit(index), span)
            for index, span in zip(self.graph.new_states, self.spans, strict=True)
            if span is not None and span != self.available[index]
        )

    def _cut(self) -> list[int]:
        """What programs behind the loop need from inside it."""
        nodes, cut = self.graph.nodes, set()
        for index in self.after:
            for argument in nodes[index].arguments:
                inside = argument in self.late and argument not in self.after
                if inside and nodes[argument].kind is Kind.MASK:
                    cut.update(a for a in nodes[argument].arguments if a in self.late)
                elif inside:
                    cut.add(argument)
        return sorted(cut)

    def _behind(self, saved: Iterable[int]) -> Program | None:
        graph = self.graph
        if not graph.states or graph.output not in self.after:
            return None
        filled = [i for i in saved if i in self.after]
        section = self._section(
            {i: s for i, s in self.available.items() if i not in filled}
        )
        for index in filled:
            self._stream(index, SAVED)
        return Program(
            stores=self._fill(section, filled, [graph.output]), nodes=_nodes(section)
        )


def _nodes(section: Section) -> tuple[Node, ...]:
    return tuple(section.builder.nodes)
