"""The step graph: a typed, immutable list of nodes, each after its arguments."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from throughtime.errors import InvalidGraph
from throughtime.graph.operations import (
    ANY_NUMBER,
    OPERATIONS,
    Attribute,
    Kind,
    Shape,
    ShapeError,
    check_attributes,
)

LEARNED = "learned"
STEP_LEAVES = frozenset({"input", "state", "gradient", "stream", "previous", "carry"})


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a time step; arguments are positions of earlier nodes."""

    operation: str
    arguments: tuple[int, ...]
    shape: Shape
    kind: Kind
    attributes: tuple[Attribute, ...] = ()
    source: str = field(default="", compare=False)
    """File and line of the equation; no part of equality, hash or JSON."""

    def __post_init__(self) -> None:
        # Every NaN becomes the one NaN, which is the same object as itself: else a
        # node with it would not equal its copy.
        if any(value != value for value in self.attributes):
            one = tuple(math.nan if v != v else v for v in self.attributes)
            object.__setattr__(self, "attributes", one)

    @property
    def size(self) -> int:
        """Number of units of a vector, number of rows of a matrix."""
        return self.shape[0]

    @property
    def family(self) -> str:
        return OPERATIONS[self.operation].family


@dataclass(frozen=True, slots=True)
class ParameterDeclaration:
    """A parameter with its sizes resolved."""

    name: str
    shape: Shape
    init: str | float
    role: str | None = None


@dataclass(frozen=True, slots=True)
class StateDeclaration:
    """A value carried from step to step.

    ``init`` is where it starts, ``"learned"`` if that is a parameter of its own.
    """

    name: str
    size: int
    init: float | str

    @property
    def learned(self) -> bool:
        """Whether the start is a parameter, and nothing that code knows."""
        return self.init == LEARNED

    @property
    def number(self) -> float:
        """Where it starts if nobody says; 0 if that is learned."""
        return 0.0 if isinstance(self.init, str) else self.init


@dataclass(frozen=True, slots=True)
class InputDeclaration:
    """One more input per step beside ``x``."""

    name: str
    size: int


@dataclass(frozen=True)
class StepGraph:
    """One time step of a cell for fixed sizes."""

    cell: str
    input_size: int
    hidden_size: int
    parameters: tuple[ParameterDeclaration, ...]
    states: tuple[StateDeclaration, ...]
    inputs: tuple[InputDeclaration, ...]
    nodes: tuple[Node, ...]
    output: int
    new_states: tuple[int, ...]
    names: tuple[tuple[str, int], ...] = ()
    references: tuple[str, ...] = ()
    """The papers of the cell, as BibTeX entries."""
    title: str = ""
    """The cell with those of its settings that are not the default ones."""
    heads: int = 1
    """Parts of the units that see themselves alone, see `block_diagonal`."""
    zeros: tuple[str, ...] = ()
    """Inputs that are exactly 0 in many units, as a ReLU before them leaves them."""

    @property
    def output_size(self) -> int:
        return self.nodes[self.output].size

    @property
    def has_separate_output(self) -> bool:
        """Whether the output is a value of its own rather than the first state."""
        return not self.new_states or self.output != self.new_states[0]


def infer(
    operation: str, arguments: Sequence[Node], attributes: Sequence[Attribute]
) -> tuple[Shape, Kind]:
    """Shape and kind of an operation's result.

    Raises
    ------
    ShapeError
        The arguments do not fit the operation.
    """
    row = OPERATIONS[operation]
    if row.arity not in {ANY_NUMBER, len(arguments)}:
        raise ShapeError(f"It takes {row.arity} operands, not {len(arguments)}.")
    shape = row.shape([node.shape for node in arguments], attributes)
    if row.family == "random":
        return shape, Kind.PARAMETER if attributes[1] == "call" else Kind.STEP
    kinds = [node.kind for node in arguments]
    if row.family == "comparison":
        return shape, Kind.MASK
    if operation == "where":
        if kinds[0] is not Kind.MASK:
            raise ShapeError("The first operand must be a comparison.")
        kinds = kinds[1:]
    if Kind.MASK in kinds:
        raise ShapeError("A comparison is a mask; only `where` takes it.")
    if operation in STEP_LEAVES:
        return shape, Kind.STEP
    if operation == "where" or Kind.STEP in kinds:
        _refuse_matrix(operation, arguments)
        return shape, Kind.STEP
    return shape, Kind.PARAMETER


def _refuse_matrix(operation: str, arguments: Sequence[Node]) -> None:
    if operation == "product":
        if arguments[0].kind is not Kind.PARAMETER:
            raise ShapeError("The left side of `@` must be made of parameters alone.")
        return
    if any(len(node.shape) == 2 for node in arguments):
        raise ShapeError("A matrix meets a step's value only through `@`.")


def verify(graph: StepGraph) -> StepGraph:
    """Check the grammar of a graph and give it back.

    Raises
    ------
    InvalidGraph
        A node names a later one, its shape or kind is not what its operation
        makes of its arguments, or a leaf or an end is not as declared.
    """
    declared = _declared_leaves(graph)
    for index, node in enumerate(graph.nodes):
        _verify_node(graph.nodes, index, node)
        if node.operation in {"input", "state", "parameter"}:
            name, shape = str(node.attributes[0]), node.shape
            if declared.get((node.operation, name)) != shape:
                reason = f"no {node.operation} {name!r} of shape {shape} is declared"
                raise InvalidGraph(index=index, operation=node.operation, reason=reason)
    _verify_ends(graph)
    return graph


def _declared_leaves(graph: StepGraph) -> dict[tuple[str, str], Shape]:
    rows = [("input", "x", (graph.input_size,))]
    rows += [("input", item.name, (item.size,)) for item in graph.inputs]
    rows += [("state", item.name, (item.size,)) for item in graph.states]
    rows += [("parameter", item.name, item.shape) for item in graph.parameters]
    names = [name for _, name, _ in rows]
    for name in names:
        if names.count(name) > 1:
            reason = f"{name!r} is declared twice"
            raise InvalidGraph(index=-1, operation="declaration", reason=reason)
    return {(kind, name): shape for kind, name, shape in rows}


def _verify_ends(graph: StepGraph) -> None:
    def invalid(index: int, operation: str, reason: str) -> InvalidGraph:
        return InvalidGraph(index=index, operation=operation, reason=reason)

    for name in graph.zeros:
        if name not in {"x", *(declared.name for declared in graph.inputs)}:
            raise invalid(-1, "declaration", f"no input {name!r} is declared")
    named = [index for _, index in graph.names]
    for end in (graph.output, *graph.new_states, *named):
        if not 0 <= end < len(graph.nodes):
            raise invalid(end, "end", "no such node")
    if len(graph.states) != len(graph.new_states):
        counts = f"{len(graph.states)} states, {len(graph.new_states)} new values"
        raise invalid(-1, "end", f"it has {counts}")
    for end in (graph.output, *graph.new_states):
        node = graph.nodes[end]
        if node.kind is not Kind.STEP:
            reason = "an output or a new state must be a value of the step"
            raise invalid(end, node.operation, reason)
    for state, index in zip(graph.states, graph.new_states, strict=True):
        node = graph.nodes[index]
        if node.shape != (state.size,):
            reason = f"state {state.name} has {state.size} units"
            raise invalid(index, node.operation, reason)


def _verify_node(nodes: Sequence[Node], index: int, node: Node) -> None:
    def invalid(reason: str) -> InvalidGraph:
        return InvalidGraph(index=index, operation=node.operation, reason=reason)

    if node.operation not in OPERATIONS:
        raise invalid("there is no such operation")
    if any(not 0 <= argument < index for argument in node.arguments):
        raise invalid("an argument does not come before it")
    arguments = [nodes[argument] for argument in node.arguments]
    try:
        check_attributes(node.operation, node.attributes)
        expected = infer(node.operation, arguments, node.attributes)
    except ShapeError as error:
        raise invalid(error.advice) from None
    if expected != (node.shape, node.kind):
        raise invalid(f"expected {expected}, found {(node.shape, node.kind)}")


def ancestors(nodes: Sequence[Node], ends: Iterable[int]) -> set[int]:
    """Positions of all nodes that the given ones are made from, and themselves."""
    found: set[int] = set()
    waiting = list(ends)
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting.extend(nodes[index].arguments)
    return found


def dependents(nodes: Sequence[Node], roots: Iterable[int]) -> set[int]:
    """Positions of all nodes made from one of the given ones, and themselves."""
    found = set(roots)
    for index, node in enumerate(nodes):
        if any(argument in found for argument in node.arguments):
            found.add(index)
    return found
