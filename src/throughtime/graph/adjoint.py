"""Reverse mode: from a step graph to the graph of its δ equations.

For one step, given the adjoints of the output and of the new states, the adjoint of
every node; carried from step to step this is backpropagation through time
(Rumelhart, Hinton & Williams 1986; Werbos 1990).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from throughtime.graph.builder import Builder, Rule
from throughtime.graph.derivatives import DERIVATIVES
from throughtime.graph.nodes import Node, StepGraph
from throughtime.graph.operations import Kind
from throughtime.graph.simplify import ALGEBRA, SPLITTING

OUTPUT_GRADIENT = "output"


@dataclass(frozen=True, slots=True)
class ParameterTerm:
    """One term of a parameter's gradient, to be summed over steps and sequences.

    ``delta`` alone for a vector; for a matrix the outer product of ``delta`` with
    ``operand``.
    """

    parameter: int
    delta: int
    operand: int | None


@dataclass(frozen=True)
class AdjointGraph:
    """The forward nodes, followed by the nodes of the δ equations."""

    forward: StepGraph
    nodes: tuple[Node, ...]
    state_gradients: tuple[int, ...]
    """Adjoint of each previous state."""
    input_gradients: Mapping[str, int]
    """Adjoint of x and of each further input that has one."""
    terms: tuple[ParameterTerm, ...]
    deltas: Mapping[int, int]
    """Adjoint of each forward node that error reaches."""
    incoming: Mapping[int, int]
    """Adjoint of the argument of each function of one argument, through this
    function alone."""


def adjoint(
    graph: StepGraph, rules: Sequence[Rule] = (*ALGEBRA, *SPLITTING)
) -> AdjointGraph:
    """The δ equations of a step graph, written by the rules as they grow."""
    return _Reverse(graph, rules).run()


class _Reverse:
    def __init__(self, graph: StepGraph, rules: Sequence[Rule]) -> None:
        self.graph = graph
        self.builder = Builder(graph.nodes, rules=rules)
        # Parts of the adjoint of each node: (first unit, unit behind the last, value).
        self.parts: dict[int, list[tuple[int, int, int]]] = {}
        self.terms: list[ParameterTerm] = []
        self.deltas: dict[int, int] = {}
        self.incoming: dict[int, int] = {}

    def run(self) -> AdjointGraph:
        self._seed()
        for index in range(len(self.graph.nodes) - 1, -1, -1):
            if index in self.parts:
                self._visit(index, self.graph.nodes[index])
        leaves = self._leaves()
        states = tuple(
            leaves.get(("state", state.name), self._zeros(state.size))
            for state in self.graph.states
        )
        return AdjointGraph(
            forward=self.graph,
            nodes=tuple(self.builder.nodes),
            state_gradients=states,
            input_gradients={
                name: index for (kind, name), index in leaves.items() if kind == "input"
            },
            terms=tuple(self.terms),
            deltas=self.deltas,
            incoming=self.incoming,
        )

    def _zeros(self, size: int) -> int:
        zero = self.builder.constant(0.0)
        if size == 1:
            return zero
        return self.builder.emit("expand", zero, attributes=(size,))

    def _seed(self) -> None:
        size = self.graph.output_size
        leaf = self.builder.leaf("gradient", OUTPUT_GRADIENT, (size,))
        self._contribute(self.graph.output, leaf)
        for state, index in zip(self.graph.states, self.graph.new_states, strict=True):
            leaf = self.builder.leaf("gradient", f"state {state.name}", (state.size,))
            self._contribute(index, leaf)

    def _visit(self, index: int, node: Node) -> None:
        total = self._total(index)
        self.deltas[index] = total
        if node.family == "leaf":
            return
        if node.operation == "slice":
            start, stop = (int(bound) for bound in node.attributes)
            self._contribute(node.arguments[0], total, start, stop)
            return
        contributions = DERIVATIVES[node.operation](self.builder, node, index, total)
        if len(contributions) == 1 and contributions[0] is not None:
            self.incoming[index] = contributions[0]
        if node.operation == "product":
            self._term(node.arguments[0], total, node.arguments[1])
        for argument, contribution in zip(node.arguments, contributions, strict=True):
            if contribution is not None:
                self._deliver(argument, contribution)

    def _deliver(self, argument: int, contribution: int) -> None:
        target = self.builder.nodes[argument]
        if _is_fixed(target) or target.kind is Kind.MASK:
            return
        if target.size == 1 and self.builder.size(contribution) > 1:
            contribution = self.builder.emit("sum", contribution)
        if target.kind is Kind.PARAMETER:
            self._term(argument, contribution, None)
        else:
            self._contribute(argument, contribution)

    def _term(self, parameter: int, delta: int, operand: int | None) -> None:
        if not _is_fixed(self.builder.nodes[parameter]):
            self.terms.append(ParameterTerm(parameter, delta, operand))

    def _contribute(
        self, index: int, value: int, start: int = 0, stop: int | None = None
    ) -> None:
        size = self.builder.size(index)
        end = size if stop is None else stop
        if end - start > 1 and self.builder.size(value) == 1:
            value = self.builder.emit("expand", value, attributes=(end - start,))
        self.parts.setdefault(index, []).append((start, end, value))

    def _total(self, index: int) -> int:
        """Sum of the parts of an adjoint, piece by piece between their bounds."""
        parts, size = self.parts[index], self.builder.size(index)
        bounds = sorted(
            {0, size, *(b for start, stop, _ in parts for b in (start, stop))}
        )
        pieces: list[int] = []
        for low, high in pairwise(bounds):
            total = None
            for start, stop, value in parts:
                if start <= low and high <= stop:
                    span = (low - start, high - start)
                    piece = self.builder.emit("slice", value, attributes=span)
                    total = (
                        piece
                        if total is None
                        else self.builder.emit("add", total, piece)
                    )
            pieces.append(self._zeros(high - low) if total is None else total)
        return self.builder.emit("concat", *pieces)

    def _leaves(self) -> dict[tuple[str, str], int]:
        return {
            (node.operation, str(node.attributes[0])): self.deltas[index]
            for index, node in enumerate(self.graph.nodes)
            if index in self.deltas and node.operation in {"state", "input"}
        }


def _is_fixed(node: Node) -> bool:
    """Whether nothing that could be learned is in a value."""
    return node.operation in {"constant", "zeros"} or node.family == "random"
