"""The order of work within one step: phases, tiles of units, accumulators.

A phase ends where a whole vector is needed: as operand of a product, by a reduction,
or across sizes. Within a phase, all nodes of one size are computed together, tile of
units by tile of units, products accumulating in registers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from throughtime.graph.nodes import Node
from throughtime.graph.operations import KTH_LARGEST, Kind
from throughtime.graph.programs import SUMS, Program


@dataclass(frozen=True)
class Accumulator:
    """A sum that ends in products: ``init + Σ matrix @ operand``."""

    root: int
    init: int | None
    products: tuple[int, ...]


@dataclass(frozen=True)
class Write:
    """Where a node's value is written: columns of a place in memory."""

    node: int
    place: str
    start: int


@dataclass
class Group:
    """Nodes of one phase and one size, computed in one sweep over the units."""

    phase: int
    size: int
    accumulators: list[Accumulator] = field(default_factory=list)
    reductions: list[int] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)


@dataclass(frozen=True)
class Location:
    """A row's values in memory: columns from ``start`` of a place."""

    place: str
    start: int


@dataclass(frozen=True)
class Schedule:
    """Groups in order; where values that cross groups lie; columns of scratch."""

    groups: tuple[Group, ...]
    phases: dict[int, int]
    locations: dict[int, Location]
    partials: dict[int, int]
    """Columns of scratch in which a reduction beside tiles of products adds up one
    vector of lanes (others do so in registers), a selection keeps every unit."""
    again: frozenset[int]
    """Values that each phase computes again, from what lies in memory anyway."""
    scratch_width: int


SCRATCH = "scratch"
QUICK = frozenset("negate add subtract multiply relu abs sign".split())
UNITWISE = frozenset({"pointwise", "comparison", "reduction"})
MOST_AGAIN = 4
"""Operations and numbers to read, for a value that is computed again."""


def buffer_place(buffer: str) -> str:
    """Place of a buffer at this step."""
    return f"buffer {buffer}"


def old_carry(state: int) -> str:
    """Place of a carried value as the last step left it."""
    return f"old {state}"


def new_carry(state: int) -> str:
    """Place of a carried value as this step leaves it."""
    return f"new {state}"


def leaf_location(node: Node) -> Location | None:
    """Where a leaf of the step lies."""
    match node.operation:
        case "stream":
            return Location(
                buffer_place(str(node.attributes[0])), int(node.attributes[1])
            )
        case "previous":
            place = f"previous {node.attributes[0]}"
            return Location(place, int(node.attributes[1]))
        case "carry":
            return Location(old_carry(int(node.attributes[0])), 0)
    return None


def splittable(program: Program) -> bool:
    """Whether threads may share the units of each step: no sum over units does.

    Its order, and so its bits, would depend on the number of threads.
    """
    whole = all(node.family != "reduction" for node in program.nodes)
    return program.recurrent and whole


def schedule(program: Program, lanes: int) -> Schedule:
    """Divide a program's nodes into groups; ``lanes`` numbers make a vector."""
    return _Scheduler(program, lanes).run()


class _Scheduler:
    def __init__(self, program: Program, lanes: int) -> None:
        self.program = program
        self.lanes = lanes
        self.nodes = program.nodes
        self.uses = [0] * len(self.nodes)
        for node in self.nodes:
            for argument in node.arguments:
                self.uses[argument] += 1
        ends = [store.node for store in program.stores]
        ends += [carry.node for carry in program.carries]
        ends += [store.node for store in program.sums]
        for end in ends:
            self.uses[end] += 1
        self.phases: dict[int, int] = {}
        self.locations: dict[int, Location] = {}
        self.groups: dict[tuple[int, int], Group] = {}
        self.partials: dict[int, int] = {}
        self.scratch_width = 0

    def run(self) -> Schedule:
        for index, node in enumerate(self.nodes):
            self.phases[index] = self._phase(node)
            location = leaf_location(node)
            if location is not None:
                self.locations[index] = location
        self.chains = self._chains()
        self._place_ends()
        self._place_crossings()
        for index, node in enumerate(self.nodes):
            if node.family == "reduction":
                size = self.nodes[node.arguments[0]].size
                self._group(index, size).reductions.append(index)
        for chain in self.chains.values():
            self._group(chain.root, self.nodes[chain.root].size).accumulators.append(
                chain
            )
        self._place_partials()
        order = sorted(self.groups, key=lambda key: (key[0], key[1] != 1, key[1]))
        groups = tuple(self.groups[key] for key in order)
        return Schedule(
            groups=groups,
            phases=self.phases,
            locations=self.locations,
            partials=self.partials,
            again=frozenset(self.again),
            scratch_width=self._room(self.lanes),
        )

    def _place_partials(self) -> None:
        """Give reductions the memory that they need while units are swept over."""
        for group in self.groups.values():
            for node in group.reductions:
                if self.nodes[node].operation == KTH_LARGEST:
                    self.partials[node] = self._room(group.size)
                elif group.accumulators:
                    self.partials[node] = self._room(self.lanes)

    def _group(self, index: int, size: int) -> Group:
        key = (self.phases[index], size)
        return self.groups.setdefault(key, Group(*key))

    def _phase(self, node: Node) -> int:
        """The first phase in which a node can be computed."""
        if node.kind is Kind.PARAMETER or not node.arguments:
            return 0
        if node.operation == "product":
            return self._complete(node.arguments[1])
        if node.operation == "slice":
            return self._complete(node.arguments[0])
        return max(self._usable(argument) for argument in node.arguments)

    def _complete(self, index: int) -> int:
        """The first phase in which every unit of a value can be read."""
        node = self.nodes[index]
        if node.family == "leaf" or node.kind is Kind.PARAMETER:
            return 0
        if node.operation == "slice" and self._is_leaf_part(index):
            return 0
        return self.phases[index] + 1

    def _is_leaf_part(self, index: int) -> bool:
        while self.nodes[index].operation == "slice":
            index = self.nodes[index].arguments[0]
        return self.nodes[index].family == "leaf"

    def _usable(self, index: int) -> int:
        """The first phase in which one unit of a value can be used."""
        node = self.nodes[index]
        whole = node.family == "reduction" or node.operation == "concat"
        return self._complete(index) if whole else self.phases[index]

    def _chains(self) -> dict[int, Accumulator]:
        """Sums that end in products, each product used by its sum alone."""
        found: dict[int, Accumulator] = {}
        for index, node in enumerate(self.nodes):
            if node.operation == "product":
                found[index] = Accumulator(index, None, (index,))
            elif node.operation == "add" and node.kind is Kind.STEP:
                chain = self._extended(index, node, found)
                if chain is not None:
                    found[index] = chain
        return found

    def _extended(
        self, index: int, node: Node, found: dict[int, Accumulator]
    ) -> Accumulator | None:
        base, product = node.arguments
        phase = self.phases[index]
        own = self.nodes[product].operation == "product" and self.uses[product] == 1
        if not own or self.phases[product] != phase:
            return None
        if base in found and self.uses[base] == 1 and self.phases[base] == phase:
            chain = found.pop(base)
            del found[product]
            return Accumulator(index, chain.init, (*chain.products, product))
        if not self._known_before(base, index, found):
            return None
        del found[product]
        return Accumulator(index, base, (product,))

    def _known_before(
        self, base: int, index: int, found: dict[int, Accumulator]
    ) -> bool:
        """Whether a sum's start can be computed before the tile's products are."""
        phase, waiting = self.phases[index], [base]
        while waiting:
            current = waiting.pop()
            if current in found and self.phases[current] == phase:
                return False
            if self.phases[current] == phase and self.nodes[current].family != "leaf":
                waiting.extend(self.nodes[current].arguments)
        return True

    def _place_ends(self) -> None:
        """Write what the program stores, a concat piece by piece."""
        for store in self.program.stores:
            place = buffer_place(store.span.buffer)
            self._write(store.node, place, store.span.start)
            if self.nodes[store.node].family != "leaf":
                self.locations.setdefault(store.node, Location(place, store.span.start))
        for carry in self.program.carries:
            self._write(carry.node, new_carry(carry.state), 0)
        for store in self.program.sums:
            self._write(store.node, SUMS, store.span.start)

    def _write(self, index: int, place: str, start: int) -> None:
        node = self.nodes[index]
        if node.operation == "concat":
            for part in node.arguments:
                self._write(part, place, start)
                start += self.nodes[part].size
            return
        if node.family == "reduction":
            key = (self._complete(index), 1)
            group = self.groups.setdefault(key, Group(*key))
        else:
            group = self._group(index, node.size)
        group.writes.append(Write(index, place, start))

    def _place_crossings(self) -> None:
        """Keep in scratch what another group, a product or a reduction reads."""
        self.again = self._found_again()
        crossing = {
            index
            for index in self._find_crossings()
            if self.nodes[index].kind is Kind.STEP and index not in self.locations
        }
        # Single numbers come last: vectors are to begin where vectors of lanes do.
        for index in sorted(crossing, key=lambda i: (self.nodes[i].size == 1, i)):
            node = self.nodes[index]
            start = self._room(node.size)
            self.locations[index] = Location(SCRATCH, start)
            if node.family != "reduction":
                self._write(index, SCRATCH, start)

    def _room(self, size: int) -> int:
        """Columns of scratch for so many numbers; vectors begin where lanes do."""
        lanes = self.lanes if size >= self.lanes else 1
        start = -(-self.scratch_width // lanes) * lanes
        self.scratch_width = start + size
        return start

    def _found_again(self) -> set[int]:
        """Values that cost no more to compute again than to write and to read."""
        found: dict[int, tuple[int, frozenset[int]]] = {}
        for index, node in enumerate(self.nodes):
            quick = node.operation in QUICK and node.size > 1
            if node.kind is not Kind.STEP or not quick or index in self.locations:
                continue
            if not all(a in found or self._at_hand(a) for a in node.arguments):
                continue
            parts = [found.get(a, (0, self._read(a))) for a in node.arguments]
            operations = 1 + sum(count for count, _ in parts)
            read = frozenset[int]().union(*(numbers for _, numbers in parts))
            if operations + len(read) <= MOST_AGAIN:
                found[index] = operations, read
        return set(found)

    def _read(self, index: int) -> frozenset[int]:
        return (
            frozenset()
            if self.nodes[index].operation == "constant"
            else frozenset({index})
        )

    def _at_hand(self, index: int) -> bool:
        """Whether a value lies in memory, where any phase can read it."""
        node = self.nodes[index]
        if node.kind is Kind.PARAMETER or index in self.locations or node.size == 1:
            return True
        return node.operation == "slice" and self._is_leaf_part(index)

    def _find_crossings(self) -> Iterable[int]:
        for index, node in enumerate(self.nodes):
            if node.kind is Kind.PARAMETER:
                continue
            if node.family == "reduction":
                yield index
            if node.operation == "product":
                yield self._stored_root(node.arguments[1])
                continue
            for argument in node.arguments:
                if self._crosses(argument, index):
                    yield self._stored_root(argument)
        yield from self._late_masks()

    def _late_masks(self) -> Iterable[int]:
        """Arguments of masks that a later phase computes again."""
        for index, node in enumerate(self.nodes):
            for argument in node.arguments:
                mask = self.nodes[argument]
                if mask.kind is not Kind.MASK:
                    continue
                for inner in mask.arguments:
                    if self._crosses(inner, index):
                        yield self._stored_root(inner)

    def _stored_root(self, index: int) -> int:
        while self.nodes[index].operation == "slice":
            index = self.nodes[index].arguments[0]
        return index

    def _crosses(self, argument: int, user: int) -> bool:
        node = self.nodes[argument]
        if node.kind is not Kind.STEP or node.family == "leaf":
            return False
        if node.operation in {"slice", "concat"} or node.family == "reduction":
            return not self._is_leaf_part(argument)
        consumer = self.nodes[user]
        if argument in self.again and consumer.family in UNITWISE:
            return False
        size = consumer.size
        if consumer.family == "reduction":
            size = self.nodes[consumer.arguments[0]].size
        return (self.phases[argument], node.size) != (self.phases[user], size)
