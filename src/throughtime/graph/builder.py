"""Growing a graph: equal nodes are made once, rules may replace a node."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from throughtime.graph.nodes import Node, StepGraph, ancestors, infer
from throughtime.graph.operations import Attribute, Kind, Shape

Rule = Callable[["Builder", str, tuple[int, ...], tuple[Attribute, ...]], int | None]


class Builder:
    """A graph under construction.

    Rules see an operation before it becomes a node and may answer with the
    position of an equal, simpler node.
    """

    def __init__(self, nodes: Iterable[Node] = (), rules: Sequence[Rule] = ()) -> None:
        self.nodes: list[Node] = list(nodes)
        self._positions = {node: index for index, node in enumerate(self.nodes)}
        self._rules = rules

    def emit(
        self,
        operation: str,
        *arguments: int,
        attributes: tuple[Attribute, ...] = (),
        source: str = "",
    ) -> int:
        """Position of the node for this operation, made if it is new."""
        for rule in self._rules:
            found = rule(self, operation, arguments, attributes)
            if found is not None:
                return found
        operands = [self.nodes[argument] for argument in arguments]
        shape, kind = infer(operation, operands, attributes)
        return self.place(Node(operation, arguments, shape, kind, attributes, source))

    def place(self, node: Node) -> int:
        """Position of exactly this node, made if it is new."""
        known = self._positions.get(node)
        if known is None:
            known = len(self.nodes)
            self.nodes.append(node)
            self._positions[node] = known
        return known

    def leaf(self, operation: str, name: str, shape: Shape) -> int:
        return self.emit(operation, attributes=(name, *shape))

    def constant(self, value: float) -> int:
        return self.emit("constant", attributes=(float(value),))

    def constant_of(self, index: int) -> float | None:
        """The number that a node stands for, if it is a constant."""
        node = self.nodes[index]
        return float(node.attributes[0]) if node.operation == "constant" else None

    def is_parameter(self, index: int) -> bool:
        return self.nodes[index].kind is Kind.PARAMETER

    def size(self, index: int) -> int:
        return self.nodes[index].size

    def copy(
        self, nodes: Sequence[Node], known: dict[int, int] | None = None
    ) -> list[int]:
        """Emit all nodes of another list; gives their new positions.

        ``known`` maps positions that are already here.
        """
        positions: list[int] = []
        for index, node in enumerate(nodes):
            if known is not None and index in known:
                positions.append(known[index])
                continue
            positions.append(
                self.emit(
                    node.operation,
                    *(positions[argument] for argument in node.arguments),
                    attributes=node.attributes,
                    source=node.source,
                )
            )
        return positions


def rebuild(graph: StepGraph, rules: Sequence[Rule]) -> StepGraph:
    """The same graph after the rules, without what its ends do not need."""
    builder = Builder(rules=rules)
    positions = builder.copy(graph.nodes)
    return prune(
        replace(
            graph,
            nodes=tuple(builder.nodes),
            output=positions[graph.output],
            new_states=tuple(positions[index] for index in graph.new_states),
            names=tuple((name, positions[index]) for name, index in graph.names),
        )
    )


def prune(graph: StepGraph) -> StepGraph:
    """Drop the nodes that no end needs."""
    ends = (graph.output, *graph.new_states, *(index for _, index in graph.names))
    kept = sorted(ancestors(graph.nodes, ends))
    position = {old: new for new, old in enumerate(kept)}
    nodes = tuple(
        replace(
            graph.nodes[old],
            arguments=tuple(position[a] for a in graph.nodes[old].arguments),
        )
        for old in kept
    )
    return replace(
        graph,
        nodes=nodes,
        output=position[graph.output],
        new_states=tuple(position[index] for index in graph.new_states),
        names=tuple((name, position[index]) for name, index in graph.names),
    )
