"""The lines of the δ equations and of the parameters' gradients."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from throughtime.graph.adjoint import OUTPUT_GRADIENT, AdjointGraph, adjoint
from throughtime.graph.builder import Builder
from throughtime.graph.expressions import (
    Expression,
    SizeText,
    number,
    parameter,
    shifted,
    text,
    value,
    whole,
)
from throughtime.graph.lines import Lines, consumers, costs
from throughtime.graph.names import FUNCTIONS, start_name, value_names
from throughtime.graph.nodes import StepGraph, ancestors, dependents
from throughtime.graph.operations import Attribute, Kind
from throughtime.graph.reader import Reader
from throughtime.graph.simplify import ALGEBRA

ROOTS = {"input", "state", "parameter"}
"""Leaves that error flows back to."""
LARGEST_REPEATED = 8
"""Nodes that an expression may have and still be written out at every use."""


def _ranges(
    b: Builder, op: str, args: tuple[int, ...], attributes: tuple[Attribute, ...]
) -> int | None:
    """Drop ranges that are the whole, and joints of one piece; leave the rest.

    Backends push ranges to the leaves; a reader wants ``W_hhᵀ δa_{t+1}`` in one piece.
    """
    if op == "slice" and attributes == (0, b.size(args[0])):
        return args[0]
    return args[0] if op == "concat" and len(args) == 1 else None


@dataclass(frozen=True)
class _Delta:
    """A value and the node of the adjoint graph that is its δ."""

    name: str
    node: int
    target: int | None
    printed: bool
    """Whether the value has a line, so that its δ is worth one."""


class AdjointLines:
    """Reads the adjoint of a graph, with a symbol for each δ."""

    def __init__(
        self,
        graph: StepGraph,
        lines: Lines,
        letters: Mapping[str, str],
        drawn: Mapping[int, str],
    ) -> None:
        self.graph = graph
        self.lines = lines
        self.adjoint: AdjointGraph = adjoint(graph, (*ALGEBRA, _ranges))
        self.delta_list = list(self._find())
        self.main = self._main()
        self.outside = "ε" if "e" in {d.name for d in self.delta_list} else "e"
        symbols = {index: value(name) for index, name in lines.symbols.items()}
        symbols |= {i: value(f"δ{delta.name}") for i, delta in self.main.items()}
        symbols |= {index: parameter(letter) for index, letter in drawn.items()}
        symbols |= self._repeated(symbols)
        self.reader = Reader(
            self.adjoint.nodes, letters, symbols, len(graph.nodes), self._arriving
        )

    def deltas(self) -> Iterator[tuple[str, Expression]]:
        """Each δ with what it is, from the output back."""
        forward = len(self.graph.nodes)
        for target, symbol in sorted(self.reader.symbols.items()):
            if target >= forward:
                yield text(symbol), self.reader.define(target)
        for delta in self.delta_list:
            left = text(value(f"δ{delta.name}"))
            if not delta.printed:
                continue
            if delta.target is None:
                yield left, number(0)
            elif self.main.get(delta.target) != delta:
                yield left, self.reader.read(delta.target)
        for state, index in self._passed_through():
            gradient = self.adjoint.state_gradients[index]
            yield text(value(f"δ{state}", -1)), self.reader.read(gradient)

    def input_gradients(self) -> Iterator[tuple[str, Expression]]:
        for name, index in self.adjoint.input_gradients.items():
            yield f"∂L/∂{text(value(name))}", self.reader.read(index)

    def gradients(self, size_text: SizeText) -> Iterator[str]:
        """Each parameter's gradient; those with the same share a line."""
        sides: dict[int, list[Expression]] = {}
        for term in self.adjoint.terms:
            right = self.reader.read(term.delta)
            if term.operand is not None:
                across = Expression("transpose", (self.reader.read(term.operand),))
                right = Expression("product", (right, across))
            summed = Expression("summed", (right,))
            sides.setdefault(term.parameter, []).append(summed)
        lines: dict[str, list[str]] = {}
        for index in sorted(sides):
            right = " + ".join(text(side, size_text) for side in sides[index])
            name = whole(self.reader.read(index), size_text)
            lines.setdefault(right, []).append(f"∂L/∂{name}")
        for right, left in lines.items():
            yield f"{' = '.join(left)} = {right}"

    def start_gradients(self, size_text: SizeText) -> Iterator[str]:
        """What reaches each learned start."""
        states = zip(self.graph.states, self.adjoint.state_gradients, strict=True)
        for state, index in states:
            if state.learned:
                right = text(self.reader.read(index), size_text)
                start = start_name(state.name)
                yield f"∂L/∂{start} = {right} at each sequence's first step"

    def notes(self) -> Iterator[str]:
        yield (
            f"{self.outside}_t: the error that reaches {self.lines.output}_t from "
            "outside, from the loss or the layer above"
        )
        printed = {delta.name for delta in self.main.values()}
        for index, name in self.lines.inside.items():
            if name in printed:
                user = consumers(self.graph.nodes)[index][0]
                function = self.graph.nodes[user].operation
                yield f"{name}_t: what {function} takes in {self.lines.symbols[user]}_t"

    def _find(self) -> Iterator[_Delta]:
        names = {index: name for name, index in value_names(self.graph).items()}
        names |= self.lines.symbols
        names |= self.lines.inside
        nodes = self.graph.nodes
        roots = [i for i, node in enumerate(nodes) if node.operation in ROOTS]
        reached = dependents(nodes, roots)
        for index, name in sorted(names.items(), reverse=True):
            node = nodes[index]
            # What chance alone makes has no δ.
            if node.kind is not Kind.STEP or index not in reached:
                continue
            found = self.adjoint.deltas
            if node.operation in FUNCTIONS:
                found = self.adjoint.incoming
            printed = index in self.lines.symbols
            yield _Delta(name, index, found.get(index), printed)

    def _main(self) -> dict[int, _Delta]:
        """The δ that gives each node of the adjoint its symbol: the latest value.

        A named incoming activation goes before the value made from it.
        """
        by_node = {delta.node: delta for delta in self.delta_list}
        found: dict[int, _Delta] = {}
        for delta in self.delta_list:
            has_line = delta.node in self.lines.symbols
            named = has_line or delta.node in self.lines.inside
            if delta.target is None or not named or delta.target in found:
                continue
            node = self.graph.nodes[delta.node]
            taken = by_node.get(node.arguments[0]) if node.arguments else None
            same = taken is not None and taken.target == delta.target
            if node.operation in FUNCTIONS and same and taken is not None:
                found[delta.target] = taken
            else:
                found[delta.target] = delta
        return found

    def _repeated(self, symbols: Mapping[int, Expression]) -> dict[int, Expression]:
        """Symbols of long parts of the adjoint that occur more than once."""
        nodes, forward = self.adjoint.nodes, len(self.graph.nodes)
        terms = [term.delta for term in self.adjoint.terms]
        ends = [*symbols, *self.adjoint.state_gradients, *terms]
        needed = ancestors(nodes, [*ends, *self.adjoint.input_gradients.values()])
        found: dict[int, Expression] = {}
        users = consumers(nodes)
        for index in range(forward, len(nodes)):
            used = sum(user in needed for user in users[index])
            if index in symbols or used < 2 or nodes[index].kind is not Kind.STEP:
                continue
            known = {*symbols, *found}
            if costs(nodes[: index + 1], known)[index] > LARGEST_REPEATED:
                found[index] = value(f"s{len(found) + 1}")
        return found

    def _passed_through(self) -> list[tuple[str, int]]:
        """States that become a value of the last step unchanged."""
        return [
            (state.name, position)
            for position, state in enumerate(self.graph.states)
            if self.graph.nodes[self.graph.new_states[position]].family == "leaf"
        ]

    def _arriving(self, leaf: str) -> Expression:
        """What the leaves of the adjoint stand for."""
        if leaf == OUTPUT_GRADIENT:
            return value(self.outside)
        name = leaf.removeprefix("state ")
        if any(name == state for state, _ in self._passed_through()):
            return value(f"δ{name}")
        position = [state.name for state in self.graph.states].index(name)
        return shifted(self.reader.read(self.adjoint.state_gradients[position]), 1)
