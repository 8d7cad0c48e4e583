"""Where everything is: the table of arguments, panels of weights, scratch rows.

A compiled function takes one table of 64-bit words: sizes and addresses. Its order is
decided here, so that the code that is written and the caller agree.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from throughtime.backends.llvm.schedule import (
    SCRATCH as SCRATCH_PLACE,
)
from throughtime.backends.llvm.schedule import (
    Group,
    Location,
    Schedule,
    leaf_location,
)
from throughtime.backends.llvm.target import Target
from throughtime.graph.nodes import Node
from throughtime.graph.programs import Program

STEPS, BATCH, ROWS, TABLE, PARALLEL, THREAD, TEAM, PANELS, SCRATCH, SEGMENTS, COUNT = (
    range(11)
)
"""Fixed words: time steps, sequences, rows of all steps, the table of rows (starts,
starts of the step before, counts), addresses of three OpenMP functions, workspaces,
and the segments of rows behind the first step that contractions with the step before
run over."""
FIXED = 11
CHUNK = 192
"""Rows that one thread takes through all phases before the next ones: they stay in
its cache."""


@dataclass
class Arguments:
    """Positions of named words behind the fixed ones."""

    names: list[str] = field(default_factory=list)

    def position(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
        return FIXED + self.names.index(name)


@dataclass(frozen=True)
class Batch:
    """Products that share an operand, done by one tile function per height.

    ``members`` are pairs of an accumulator's position in its group and the node of
    the product; ``panel`` is where their packed weights begin.
    """

    members: tuple[tuple[int, int], ...]
    location: Location
    terms: int
    panel: int


@dataclass(frozen=True)
class Sweep:
    """How a group runs over its units: vectors side by side, rows at a time."""

    group: Group
    vectors: int
    tiles: int
    block: int
    masked: bool
    batches: tuple[Batch, ...]


class Layout:
    """Tiles, panels and scratch of one program."""

    def __init__(
        self,
        program: Program,
        schedule: Schedule,
        target: Target,
        item_bytes: int,
        panel_start: int,
    ) -> None:
        self.program = program
        self.schedule = schedule
        self.target = target
        self.lanes = target.lanes(item_bytes)
        self.panel_end = panel_start
        self.sweeps = tuple(self._sweep(group) for group in schedule.groups)

    def operand_location(self, index: int) -> Location:
        """Where the vector of a product lies."""
        nodes, start = self.program.nodes, 0
        while nodes[index].operation == "slice":
            start += int(nodes[index].attributes[0])
            index = nodes[index].arguments[0]
        found = self.schedule.locations.get(index) or leaf_location(nodes[index])
        assert found is not None, "operands of products lie in memory"
        return Location(found.place, found.start + start)

    def _sweep(self, group: Group) -> Sweep:
        whole = -(-group.size // self.lanes)
        side_by_side = max(1, min(len(group.accumulators), self.target.largest_tile))
        limit = max(1, self.target.largest_tile // side_by_side)
        vectors = max(v for v in range(1, limit + 1) if whole % v == 0)
        batches = tuple(self._batches(group, vectors))
        width = max((len(b.members) for b in batches), default=1) * vectors
        return Sweep(
            group=group,
            vectors=vectors,
            tiles=whole // vectors,
            block=self.target.rows(width),
            masked=group.size % self.lanes != 0,
            batches=batches,
        )

    def _batches(self, group: Group, vectors: int) -> Iterable[Batch]:
        nodes = self.program.nodes
        depth = max((len(a.products) for a in group.accumulators), default=0)
        for place in range(depth):
            shared: dict[tuple[Location, int], list[tuple[int, int]]] = {}
            for position, accumulator in enumerate(group.accumulators):
                if place < len(accumulator.products):
                    product = nodes[accumulator.products[place]]
                    vector = product.arguments[1]
                    key = (self.operand_location(vector), nodes[vector].size)
                    member = (position, accumulator.products[place])
                    shared.setdefault(key, []).append(member)
            for (location, terms), members in shared.items():
                yield from self._cut(members, location, terms, group, vectors)

    def _cut(
        self,
        members: list[tuple[int, int]],
        location: Location,
        terms: int,
        group: Group,
        vectors: int,
    ) -> Iterable[Batch]:
        most = max(1, self.target.largest_tile // vectors)
        tiles = -(-group.size // self.lanes) // vectors
        for first in range(0, len(members), most):
            chosen = tuple(members[first : first + most])
            start = self.panel_end
            self.panel_end += tiles * terms * len(chosen) * vectors * self.lanes
            yield Batch(chosen, location, terms, start)


def row_stride(place: str, widths: dict[str, int], sizes: dict[str, int]) -> int:
    """Numbers from one row of a place to the next."""
    kind, _, name = place.partition(" ")
    if kind in {"buffer", "previous"}:
        return widths[name]
    return sizes[place]


def carried_sizes(program: Program) -> dict[str, int]:
    """Units of each place that holds a carried value."""
    found: dict[str, int] = {}
    for carry in program.carries:
        found[f"old {carry.state}"] = carry.size
        found[f"new {carry.state}"] = carry.size
    return found


def places(nodes: Iterable[Node], schedule: Schedule) -> list[str]:
    """Every place that a program reads or writes, in order of first use."""
    found: dict[str, None] = {}
    for node in nodes:
        location = leaf_location(node)
        if location is not None:
            found[location.place] = None
    for location in schedule.locations.values():
        found[location.place] = None
    for group in schedule.groups:
        for write in group.writes:
            found[write.place] = None
    if schedule.partials:
        found[SCRATCH_PLACE] = None
    return list(found)
