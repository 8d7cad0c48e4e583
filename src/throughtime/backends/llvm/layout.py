"""Where everything is in memory: tiles of units, panels of weights, scratch rows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from throughtime.backends.llvm.matrix_tiles import ROWS, WORDS
from throughtime.backends.llvm.options import Settings
from throughtime.backends.llvm.pairs import row_words, words_of
from throughtime.backends.llvm.patterns import room_of_list
from throughtime.backends.llvm.rows import LINE_BYTES
from throughtime.backends.llvm.schedule import (
    SCRATCH as SCRATCH_PLACE,
)
from throughtime.backends.llvm.schedule import (
    Group,
    Location,
    Schedule,
    leaf_location,
    splittable,
)
from throughtime.backends.llvm.target import Target
from throughtime.graph.nodes import Node
from throughtime.graph.programs import SUMS, Program

CHUNK = 192
"""Rows that one thread takes through all phases before the next ones: they stay in
its cache."""
FEW = 2
"""Rows that go through phases without products one after the other: they stay in the
nearest cache."""


CACHE_BYTES = 512 * 1024
"""Panels larger than this may not stay in the L2 cache from step to step."""
NEAR_BYTES = 128 * 1024
"""Of panels no larger than this a good part stays in the L1 cache from step to step."""
LONG_SUM = 1024
"""Terms from which on tiles are narrow and high: panels are so large that a tile had
better read little of them for each of its rows."""
LEAST = 32
"""Units on both sides of a product that leaves out zeros: fewer are not worth it."""
LISTS = "lists"
"""Place of lists: scratch memory that is a thread's own even where they share rows."""


@dataclass(frozen=True)
class Listing:
    """Where each row's list lies of an operand's units that are not 0.

    ``flag`` is where, among the panels, a vector of zeros for each tile says that its
    weights are finite.
    """

    place: Location
    flag: int


@dataclass(frozen=True)
class Part:
    """One operand of a batch; ``panel`` is where its packed weights begin."""

    location: Location
    terms: int
    panel: int
    pairs: Location | None = None
    """Where the operand lies in bfloat16, if products take it so."""
    zeros: bool = False
    """Whether the operand is 0 in many units: no sum behind it is −0, then."""
    listing: Listing | None = None
    together: int = 1
    """Words that are read at once: there are whole times so many."""

    @property
    def words(self) -> int:
        """Numbers, or pairs of them, that a tile reads one after the other."""
        found = self.terms if self.pairs is None else words_of(self.terms)
        return -(-found // self.together) * self.together


@dataclass(frozen=True)
class Member:
    """An accumulator of a batch: its place in the group, its product in each part."""

    accumulator: int
    products: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """Accumulators that take the same operands, part by part, in registers."""

    members: tuple[Member, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Sweep:
    """How a group runs over its units: vectors side by side, rows at a time."""

    group: Group
    vectors: int
    tiles: int
    block: int
    masked: bool
    batches: tuple[Batch, ...]
    panels: int = 1
    """Tiles of panels that lie side by side in one of these tiles."""
    row_by_row: bool = False
    """Whether lists are added for one row of a block after the other."""

    def slots(self, batch: Batch) -> tuple[int, ...]:
        """Accumulators of a row in a batch, vector by vector."""
        return tuple(
            member.accumulator * self.vectors + vector
            for member in batch.members
            for vector in range(self.vectors)
        )

    def weights(self, batch: Batch) -> tuple[tuple[int, int], ...]:
        """In which panel the weights of each slot lie, and how many vectors behind."""
        vectors = self.vectors // self.panels
        return tuple(
            (vector // vectors, place * vectors + vector % vectors)
            for place in range(len(batch.members))
            for vector in range(self.vectors)
        )

    @property
    def leaves_out(self) -> bool:
        """Whether products may go by lists."""
        return any(part.listing for batch in self.batches for part in batch.parts)


def has_products(sweep: Sweep) -> bool:
    """Whether a sweep computes tiles of products, or unit after unit alone."""
    return bool(sweep.group.accumulators)


class Layout:
    """Tiles, panels and scratch of one program."""

    def __init__(
        self,
        program: Program,
        schedule: Schedule,
        target: Target,
        settings: Settings,
        panel_start: int,
    ) -> None:
        self.options = settings.options
        self.split_units = settings.split_units and splittable(program)
        self.bfloat16 = settings.bfloat16
        self.matrices = settings.matrices(target)
        self.scratch_width = schedule.scratch_width
        self._pairs: dict[tuple[Location, int], Location] = {}
        self._item_bytes = settings.item_bytes
        self._has_lists = False
        self.program = program
        self.schedule = schedule
        self.target = target
        self.lanes = target.lanes(settings.item_bytes)
        self.panel_start = self.panel_end = panel_start
        self._zeros = {self._operand_of(vector) for vector in program.zeros}
        self.sweeps = tuple(self._sweep(group) for group in schedule.groups)

    @property
    def outgrows_cache(self) -> bool:
        """Whether the weights of a step may come from farther away than L2."""
        return self._panel_bytes > CACHE_BYTES

    @property
    def stays_near(self) -> bool:
        """Whether a step may find weights where the step before has left them."""
        return self._panel_bytes <= NEAR_BYTES

    @property
    def _panel_bytes(self) -> int:
        return (self.panel_end - self.panel_start) * self._item_bytes

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
        if self._longest(group) > LONG_SUM:
            limit = min(limit, 2)
        # Threads that share the units need a tile each.
        fewest = min(whole, 2) if self.split_units else 1
        vectors = max(
            v for v in range(1, limit + 1) if whole % v == 0 and whole // v >= fewest
        )
        batches = tuple(self._batches(group, vectors))
        width = _width(batches, vectors)
        return Sweep(
            group=group,
            vectors=vectors,
            tiles=whole // vectors,
            block=ROWS if self.matrices else self.target.rows(width),
            masked=group.size % self.lanes != 0,
            batches=batches,
        )

    def _longest(self, group: Group) -> int:
        """Terms of the longest sum of a group, over all of its products."""
        nodes = self.program.nodes
        return max(
            (
                sum(nodes[nodes[one].arguments[1]].size for one in sum_.products)
                for sum_ in group.accumulators
            ),
            default=0,
        )

    def ways(self, sweep: Sweep) -> tuple[Sweep, ...]:
        """The sweep over all units and, where products may leave zeros out, by lists.

        By those of blocks of rows, and by those of single rows. Every row loads its own
        weights then: tiles side by side load less beside them, and keep enough sums in
        registers. What has no lists runs before them, in blocks of rows.
        """
        if not sweep.leaves_out:
            return (sweep,)
        pairs, last = self._side_by_side(sweep, 2), _lists_last(sweep)
        block = sweep.block if last else 1
        return sweep, pairs, replace(pairs, block=block, row_by_row=last)

    def _side_by_side(self, sweep: Sweep, panels: int) -> Sweep:
        """So many tiles in one, or fewer where those do not divide them."""
        threads = 2 if self.split_units else 1
        vectors = panels * sweep.vectors
        rows = self.target.rows(_width(sweep.batches, vectors))
        tiles, rest = divmod(sweep.tiles, panels)
        if panels == 1:
            return sweep
        registers = rows * _width(sweep.batches, vectors) < self.target.registers
        if rest or tiles < threads or not registers:
            return self._side_by_side(sweep, panels // 2)
        return replace(sweep, vectors=vectors, tiles=tiles, block=rows, panels=panels)

    def _batches(self, group: Group, vectors: int) -> list[Batch]:
        tiles = -(-group.size // self.lanes) // vectors
        most = max(1, self.target.largest_tile // vectors)
        found: list[Batch] = []
        for members, location, terms in self._rounds(group, most):
            pairs = self._pairs_of(location, terms) if self.bfloat16 else None
            zeros = (location, terms) in self._zeros and not pairs
            together = WORDS if self.matrices else 1
            part = Part(
                location, terms, self.panel_end, pairs, zeros, together=together
            )
            # A square of pairs may be packed past the last word.
            room = tiles * part.words + (self.lanes if pairs else 0)
            self.panel_end += room * len(members) * vectors * self.lanes
            if zeros and min(terms, group.size) >= LEAST:
                part = self._listed(part, tiles)
            if not (self.options.join_products and _join(found, members, part)):
                found.append(Batch(members, (part,)))
        return found

    def _rounds(
        self, group: Group, most: int
    ) -> Iterable[tuple[tuple[Member, ...], Location, int]]:
        """Products in an order that every sum agrees with, by operand.

        An operand waits until all that will need it have come to it.
        """
        waiting = {
            place: [(self._operand(product), product) for product in sum_.products]
            for place, sum_ in enumerate(group.accumulators)
        }
        while waiting:
            heads = [queue[0][0] for queue in waiting.values()]
            later = {key for queue in waiting.values() for key, _ in queue[1:]}
            key = next((head for head in heads if head not in later), heads[0])
            members = [
                Member(place, (queue.pop(0)[1],))
                for place, queue in waiting.items()
                if queue[0][0] == key
            ]
            waiting = {place: queue for place, queue in waiting.items() if queue}
            for first in range(0, len(members), most):
                yield tuple(members[first : first + most]), *key

    def _listed(self, part: Part, tiles: int) -> Part:
        """Give a part's operand room for lists, if there are to be any."""
        if not self.options.most_by_pattern:
            return part
        self._has_lists = True
        lines = -(-self.scratch_width * self._item_bytes // LINE_BYTES)
        start = lines * LINE_BYTES // self._item_bytes
        width = start + room_of_list(part.terms, self._item_bytes)
        # An odd number of lines: else rows would fall on the same lines of a cache.
        lines = -(-width * self._item_bytes // LINE_BYTES) | 1
        self.scratch_width = lines * LINE_BYTES // self._item_bytes
        listing = Listing(Location(LISTS, start), self.panel_end)
        self.panel_end += tiles * self.lanes
        return replace(part, listing=listing)

    def _pairs_of(self, location: Location, terms: int) -> Location:
        """Room in scratch memory for an operand in bfloat16."""
        if (location, terms) not in self._pairs:
            self._pairs[location, terms] = Location(SCRATCH_PLACE, self.scratch_width)
            lanes = 2 * WORDS if self.matrices else self.lanes
            self.scratch_width += row_words(terms, lanes)
        return self._pairs[location, terms]

    @property
    def places(self) -> list[str]:
        """Every place that the program reads or writes, in order of first use."""
        found = _places(self.program.nodes, self.schedule)
        if self._pairs and SCRATCH_PLACE not in found:
            found.append(SCRATCH_PLACE)
        return [*found, LISTS] if self._has_lists else found

    def _operand(self, product: int) -> tuple[Location, int]:
        return self._operand_of(self.program.nodes[product].arguments[1])

    def _operand_of(self, vector: int) -> tuple[Location, int]:
        return self.operand_location(vector), self.program.nodes[vector].size


def _lists_last(sweep: Sweep) -> bool:
    """Whether sums take what has no lists before what has, and there is some."""
    whole = [[part.listing is None for part in batch.parts] for batch in sweep.batches]
    last = all(own == sorted(own, reverse=True) for own in whole)
    return last and any(map(any, whole))


def _width(batches: Iterable[Batch], vectors: int) -> int:
    """Accumulators of a row in the largest batch."""
    return max((len(b.members) for b in batches), default=1) * vectors


def _join(found: list[Batch], members: tuple[Member, ...], part: Part) -> bool:
    """Add a part to the batch that the same accumulators came from, if there is one."""
    own = [member.accumulator for member in members]
    for place in reversed(range(len(found))):
        batch = found[place]
        theirs = [member.accumulator for member in batch.members]
        if own == theirs:
            joined = tuple(
                Member(before.accumulator, before.products + after.products)
                for before, after in zip(batch.members, members, strict=True)
            )
            found[place] = Batch(joined, (*batch.parts, part))
            return True
        if not set(own).isdisjoint(theirs):
            return False
    return False


def row_stride(place: str, widths: dict[str, int], sizes: dict[str, int]) -> int:
    """Numbers from one row of a place to the next."""
    kind, _, name = place.partition(" ")
    if kind in {"buffer", "previous"}:
        return widths[name]
    return widths[SUMS] if place == SUMS else sizes[place]


def carried_sizes(program: Program) -> dict[str, int]:
    """Units of each place that holds a carried value."""
    found: dict[str, int] = {}
    for carry in program.carries:
        found[f"old {carry.state}"] = carry.size
        found[f"new {carry.state}"] = carry.size
    return found


def _places(nodes: Iterable[Node], schedule: Schedule) -> list[str]:
    """Places of a program's own values."""
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
