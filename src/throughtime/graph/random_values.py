"""Random values: masks of 0 and 1, and normal noise, as nodes of a graph.

A node says what is drawn and from where, not the numbers: these are a function of the
call's key, the node's stream, and the place of the number (`threefry`). So forward and
backward pass, whatever the backend and its threads, draw the same.
"""

from collections.abc import Iterable
from typing import NamedTuple

from throughtime.graph.nodes import Node, StepGraph
from throughtime.graph.operations import Shape
from throughtime.graph.tracing import current_tracing
from throughtime.graph.values import Unsized, outside

STREAMS = {"mask": 1, "noise": 2}
"""Uniform numbers that one unit takes, each a stream of its own."""
BITS = 24
"""Of a uniform number, which float32 can hold."""


class Draw(NamedTuple):
    """What a random node draws."""

    amount: float
    """The probability of 0 in a mask, the standard deviation of noise."""
    period: str
    """``"step"``, ``"sequence"``, or for parameters ``"call"``."""
    stream: int
    """Tells it from all other draws of the step."""
    first: int
    """Number of its first unit: it may be a range of a longer vector."""

    @property
    def block(self) -> int:
        """Which words of the generator it takes its numbers from."""
        return self.stream // 2

    @property
    def word(self) -> int:
        """Which of the two words of a block is its first."""
        return self.stream % 2

    @property
    def threshold(self) -> int:
        """Uniform numbers of so many bits below this one make a mask 0."""
        scaled = self.amount * 2**BITS
        return int(scaled) + (scaled != int(scaled))


def draw_of(node: Node) -> Draw:
    """What a random node draws."""
    amount, period, stream, first = node.attributes[:4]
    return Draw(float(amount), str(period), int(stream), int(first))


def random_nodes(nodes: Iterable[Node]) -> list[Node]:
    """Those that draw."""
    return [node for node in nodes if node.family == "random"]


def is_random(graph: StepGraph) -> bool:
    """Whether something of a step is drawn."""
    return bool(random_nodes(graph.nodes))


def draws_per_sequence(graph: StepGraph) -> bool:
    """Whether something is drawn once for all steps of a sequence."""
    return any(draw_of(n).period == "sequence" for n in random_nodes(graph.nodes))


def free_stream(nodes: Iterable[Node]) -> int:
    """The first stream, an even one, that nothing draws from."""
    ends = [
        draw_of(node).stream + STREAMS[node.operation] for node in random_nodes(nodes)
    ]
    return -(-max(ends, default=0) // 2) * 2


def draw(operation: str, amount: float, per: str | None) -> Unsized:
    """A random value of the step that is traced, before it has a size.

    Raises
    ------
    OutsideTheLanguage
        There is no such period, or a matrix is to be drawn otherwise than per call.
    """
    if per not in (None, "step", "sequence"):
        outside(f"per is {per!r}", 'Give "step" or "sequence", or leave it out')
    tracing = current_tracing()
    stream = tracing.streams(STREAMS[operation])

    def make(shape: Shape, parameter: bool) -> int:
        period = per or ("call" if parameter else "step")
        if len(shape) == 2 and period != "call":
            outside(
                f"a matrix cannot take {operation} drawn per {period}",
                "Leave `per` out: it is then drawn once per call",
            )
        attributes = (amount, period, stream, 0, *shape)
        return tracing.emit(operation, attributes=attributes)

    return Unsized(make)
