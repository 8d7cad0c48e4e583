"""What a forward pass stores for the δ equations, and what they compute again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from throughtime.graph.nodes import Node, StepGraph, ancestors
from throughtime.graph.operations import Kind

CHEAP = frozenset(
    "negate add subtract multiply divide relu abs sign clip where minimum maximum "
    "less less_equal greater greater_equal equal not_equal slice expand mask".split()
)
"""Operations that cost less than reading their result from memory."""
OF_STATES = frozenset({"tanh", "sigmoid"})
"""Operations that cost less than writing and reading their result, if they are of a new
state: that lies in memory anyway, and a backward step mostly has just read it."""

Term = tuple[int, int, int | None]


@dataclass(frozen=True)
class BackwardPlan:
    """Forward nodes (before ``first``) and δ equations, in simple functions alone."""

    nodes: tuple[Node, ...]
    first: int
    states: list[int]
    inputs: dict[str, int]
    terms: list[Term]

    @property
    def deltas(self) -> list[int]:
        return [delta for _, delta, _ in self.terms]

    @property
    def operands(self) -> set[int]:
        """What δ are multiplied with in gradients of parameters."""
        return {operand for _, _, operand in self.terms if operand is not None}

    def saved(self, graph: StepGraph) -> tuple[int, ...]:
        """Forward values that the δ equations need and that are dear to recompute."""
        nodes = self.nodes
        ends = [*self.states, *self.inputs.values(), *self.deltas]
        used = ancestors_behind(nodes, ends, self.first)
        saved = {
            operand for operand in self.operands if not _in_place(nodes, operand, graph)
        }
        cheap: set[int] = set()
        for index in sorted(used):
            self._keep(index, graph, saved, cheap)
        return tuple(sorted(saved))

    def _keep(
        self, index: int, graph: StepGraph, saved: set[int], cheap: set[int]
    ) -> None:
        node = self.nodes[index]
        if index in cheap or index in saved or _free(node, index, graph):
            return
        if _cheap(node, graph):
            if all(self._at_hand(a, graph, saved, cheap) for a in node.arguments):
                cheap.add(index)
                return
            if node.kind is Kind.MASK:
                for argument in node.arguments:
                    self._keep(argument, graph, saved, cheap)
                return
        saved.add(index)

    def _at_hand(
        self, index: int, graph: StepGraph, saved: set[int], cheap: set[int]
    ) -> bool:
        node = self.nodes[index]
        if index in saved or index in cheap or _free(node, index, graph):
            return True
        found = _cheap(node, graph) and all(
            self._at_hand(argument, graph, saved, cheap) for argument in node.arguments
        )
        if found:
            cheap.add(index)
        return found


def _cheap(node: Node, graph: StepGraph) -> bool:
    """Whether to compute a value again, if all that it depends on is at hand."""
    states = node.operation in OF_STATES and {*node.arguments} <= {*graph.new_states}
    return node.operation in CHEAP or states


def _free(node: Node, index: int, graph: StepGraph) -> bool:
    leaf = node.family == "leaf" or node.kind is Kind.PARAMETER
    return leaf or index in {graph.output, *graph.new_states}


def _in_place(nodes: Sequence[Node], index: int, graph: StepGraph) -> bool:
    """Whether a value lies in a buffer anyway: an input, a state, a part of one."""
    if index in {graph.output, *graph.new_states}:
        return True
    while nodes[index].operation == "slice":
        index = nodes[index].arguments[0]
    return nodes[index].operation in {"input", "state"}


def ancestors_behind(
    nodes: Sequence[Node], ends: Iterable[int], first: int
) -> set[int]:
    """Forward nodes that the needed δ equations read directly."""
    needed = [index for index in ancestors(nodes, ends) if index >= first]
    direct = {a for index in needed for a in nodes[index].arguments if a < first}
    return direct | {end for end in ends if end < first}
