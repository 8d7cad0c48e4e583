"""Where δ may be written over what the forward pass stored.

A step of the backward loop reads what its forward step stored, and nobody reads it
again, while its δ go to memory of their own, which has to be fetched before it can be
written. Written over what was just read they cost no new memory: a tenth of a training
step, where the rows outgrow the caches.
"""

from collections.abc import Iterable, Iterator

from throughtime.backends.llvm.schedule import Schedule, buffer_place, schedule
from throughtime.graph.nodes import Node
from throughtime.graph.operations import Kind
from throughtime.graph.programs import (
    DELTA,
    SAVED,
    Contraction,
    Plan,
    Program,
    Span,
    meet,
)

PLACE = buffer_place(DELTA)
Columns = tuple[int, int]
"""The first one, and the first one behind."""


def overlay(plan: Plan) -> int | None:
    """The column of the saved rows from which on those of all δ lie; None: nowhere.

    There is room where every δ of the loop covers whole values, each read by nobody
    after the δ is written.
    """
    width, room = plan.widths.get(DELTA, 0), plan.widths.get(SAVED, 0)
    loops = [program for program in plan.backward if program.recurrent]
    if not width or not loops:
        return None
    (loop,) = loops
    others = [program for program in plan.backward if program is not loop]
    kept = [*_read_behind(others, plan.contractions), *_read_before(loop)]
    steps = _Steps(loop)
    for start in steps.candidates():
        block = (start, start + width)
        if start < 0 or block[1] > room:
            continue
        if not any(meet(block, columns) for columns in kept) and steps.fit(start):
            return start
    return None


def _read_behind(
    programs: Iterable[Program], contractions: Iterable[Contraction]
) -> Iterator[Columns]:
    """Saved columns that are read when the loop is done."""
    for program in programs:
        for node in program.nodes:
            if node.operation in {"stream", "previous"}:
                yield from _saved(node)
    for contraction in contractions:
        for side in (contraction.left, contraction.right):
            if side is not None and side.span.buffer == SAVED:
                yield _columns(side.span)


def _read_before(loop: Program) -> Iterator[Columns]:
    """Saved columns of other steps that a step reads."""
    for node in loop.nodes:
        if node.operation == "previous":
            yield from _saved(node)


def _saved(node: Node) -> Iterator[Columns]:
    buffer, start, size = node.attributes[:3]
    if buffer == SAVED:
        yield int(start), int(start) + int(size)


def _columns(span: Span) -> Columns:
    return span.start, span.start + span.size


class _Steps:
    """The groups of a backward step: which of them read a saved value, write a δ."""

    def __init__(self, loop: Program) -> None:
        self.nodes = loop.nodes
        self.users: list[list[int]] = [[] for _ in loop.nodes]
        for index, node in enumerate(loop.nodes):
            for argument in node.arguments:
                self.users[argument].append(index)
        plan: Schedule = schedule(loop, lanes=1)
        self.phases = plan.phases
        self.again = plan.again
        self.order = {(g.phase, g.size): n for n, g in enumerate(plan.groups)}
        self.written = self._written(plan)
        self.ends = {store.node for store in loop.stores}
        self.ends |= {carry.node for carry in loop.carries}
        self.ends |= {store.node for store in loop.sums}
        leaves = [i for i, n in enumerate(loop.nodes) if n.operation == "stream"]
        self.read = {
            columns: self._last_reads(leaf)
            for leaf in leaves
            for columns in _saved(loop.nodes[leaf])
        }

    def _written(self, plan: Schedule) -> dict[Columns, int]:
        """Columns of δ, each with the first group that writes it."""
        found: dict[Columns, int] = {}
        for number, group in enumerate(plan.groups):
            for write in group.writes:
                if write.place == PLACE:
                    size = self.nodes[write.node].size
                    found.setdefault((write.start, write.start + size), number)
            for node in group.reductions:
                # A sum is written when it is done, where it lies.
                location = plan.locations[node]
                if location.place == PLACE:
                    columns = location.start, location.start + 1
                    found[columns] = min(number, found.get(columns, number))
        return found

    def candidates(self) -> list[int]:
        """Columns from which on some δ would cover a whole value."""
        return sorted({c[0] - d[0] for c in self.read for d in self.written})

    def fit(self, start: int) -> bool:
        """Whether all δ can lie from this column on."""
        for (low, high), group in self.written.items():
            own = (low + start, high + start)
            for columns, (whole, unit) in self.read.items():
                if not meet(own, columns):
                    continue
                if own != columns or whole >= group or unit > group:
                    return False
        return True

    def _group(self, index: int) -> int:
        """Place of the group that computes a node; behind all where there is none."""
        key = (self.phases[index], self.nodes[index].size)
        return self.order.get(key, len(self.order))

    def _last_reads(self, leaf: int) -> tuple[int, int]:
        """The last group that reads any unit of a leaf, and that reads its own unit."""
        whole = unit = -1
        size = self.nodes[leaf].size
        if leaf in self.ends:
            return len(self.order), unit
        for index in self._readers(leaf):
            node, group = self.nodes[index], self._group(index)
            if node.family == "reduction" or node.operation in {"slice", "concat"}:
                group = len(self.order)  # their readers are not followed
            pointwise = node.size == size and node.operation != "product"
            if pointwise and group < len(self.order):
                unit = max(unit, group)
            else:
                whole = max(whole, group)
        return whole, unit

    def _readers(self, index: int) -> Iterator[int]:
        """Nodes that read a value; some are computed where they are used."""
        for user in self.users[index]:
            if self.nodes[user].kind is Kind.MASK or user in self.again:
                yield from self._readers(user)
            else:
                yield user
