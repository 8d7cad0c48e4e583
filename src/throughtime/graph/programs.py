"""What a plan is made of: programs over rows of buffers, and contractions."""

from collections.abc import Mapping
from dataclasses import dataclass

from throughtime.graph.nodes import Node, StepGraph

OUTPUT = "output rows"
SAVED = "saved rows"
EARLY = "early rows"
LATE = "late rows"
DELTA = "delta rows"
EARLY_DELTA = "early delta rows"
SUMS = "sum rows"
GRADIENT = "gradient"
"""Buffers beside those of inputs, of which none can have such a name.

``gradient NAME`` is the gradient of an input or of the output. A row of sums is that of
one sequence or of several, over all of their steps.
"""


def gradient_of(name: str) -> str:
    """Buffer with the gradient of an input, or of the output."""
    return f"{GRADIENT} {name}"


@dataclass(frozen=True, slots=True)
class Span:
    """Columns of a buffer; its rows are the packed rows of all steps."""

    buffer: str
    start: int
    size: int


def meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two ranges, of columns or of rows, have something in common."""
    return one[0] < other[1] and other[0] < one[1]


@dataclass(frozen=True, slots=True)
class Store:
    """A node whose value is written to this step's row of a buffer."""

    node: int
    span: Span


@dataclass(frozen=True, slots=True)
class Carry:
    """A value handed from step to step outside the buffers.

    ``node`` is its new value; the leaf ``("carry", state, size)`` its old one.
    """

    state: int
    node: int
    size: int


@dataclass(frozen=True)
class Program:
    """Nodes computed for every row, over time (``recurrent``) or all rows at once.

    Leaves are ``stream`` (this step's row of a buffer), ``previous`` (the last
    step's row, at the first step an initial state), ``carry``, ``operand`` and
    ``constant``. ``backwards`` runs from the last step to the first.
    """

    nodes: tuple[Node, ...]
    stores: tuple[Store, ...]
    carries: tuple[Carry, ...] = ()
    sums: tuple[Store, ...] = ()
    """What is added up over all steps rather than written."""
    recurrent: bool = False
    backwards: bool = False
    zeros: tuple[int, ...] = ()
    """Operands of products that are exactly 0 in many units, see `mark_zeros`."""


def multiply_adds(program: Program) -> int:
    """How many of them the products of one row take."""
    nodes = program.nodes
    return sum(
        node.size * nodes[node.arguments[1]].size
        for node in nodes
        if node.operation == "product"
    )


@dataclass(frozen=True, slots=True)
class Source:
    """One side of a contraction: a span, at the step itself or the one before."""

    span: Span
    state: int | None = None
    """Position of the state whose initial value precedes the first step."""
    zeros: bool = False
    """Whether it is exactly 0 in many units."""


@dataclass(frozen=True, slots=True)
class Contraction:
    """Part of an operand's gradient: ``Σ left ⊗ right`` over all rows.

    It is added to the given rows and columns. Without ``right`` it is ``Σ left``;
    where ``unitwise``, ``Σ left · right``, unit by unit.
    """

    operand: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    left: Source
    right: Source | None
    unitwise: bool = False


@dataclass(frozen=True)
class Plan:
    """How a step graph runs: what leaves the loop, what is stored, in which buffers.

    ``operands`` are positions in ``nodes`` of the expressions of parameters alone
    that programs read, computed once per call.
    """

    graph: StepGraph
    nodes: tuple[Node, ...]
    operands: tuple[int, ...]
    forward: tuple[Program, ...]
    backward: tuple[Program, ...]
    contractions: tuple[Contraction, ...]
    widths: Mapping[str, int]
    """Columns of each buffer that the plan owns."""
    states: tuple[Span | None, ...]
    """Where the forward loop keeps each state; None for a carry."""
