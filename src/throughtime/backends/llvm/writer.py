"""A few words for writing LLVM IR: loops, vectors in memory, masks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

BYTE = ir.IntType(8)
SMALL = ir.IntType(32)
INDEX = ir.IntType(64)
POINTER = ir.PointerType()
VOID = ir.VoidType()


def index(value: int) -> ir.Constant:
    """A 64-bit constant."""
    return ir.Constant(INDEX, value)


def internal_function(
    module: ir.Module, name: str, arguments: Sequence[ir.Type], *, apart: int = 0
) -> ir.Function:
    """A function of this module alone that stays one; its body is written later.

    The memory behind the first ``apart`` arguments does not overlap.
    """
    function = ir.Function(module, ir.FunctionType(VOID, arguments), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    for argument in function.args[:apart]:
        argument.add_attribute("noalias")
    return function


class Writer:
    """An IR builder with numbers of one type and vectors of one width."""

    def __init__(
        self, builder: ir.IRBuilder, element: ir.Type, lanes: int, item_bytes: int
    ) -> None:
        self.builder = builder
        self.element = element
        self.lanes = lanes
        self.vector = ir.VectorType(element, lanes)
        self.item_bytes = item_bytes

    @contextmanager
    def loop(
        self, start: ir.Value, stop: ir.Value, step: int = 1
    ) -> Iterator[ir.Value]:
        """Count from ``start`` up to ``stop``, which is not reached."""
        function = self.builder.function
        before = self.builder.block
        head = function.append_basic_block("head")
        body = function.append_basic_block("body")
        behind = function.append_basic_block("behind")
        self.builder.branch(head)
        self.builder.position_at_end(head)
        counter = self.builder.phi(INDEX, "i")
        counter.add_incoming(start, before)
        inside = self.builder.icmp_signed("<", counter, stop)
        self.builder.cbranch(inside, body, behind)
        self.builder.position_at_end(body)
        yield counter
        following = self.builder.add(counter, index(step), flags=["nsw"])
        counter.add_incoming(following, self.builder.block)
        self.builder.branch(head)
        self.builder.position_at_end(behind)

    def reserve(self, vectors: int) -> ir.Value:
        """Address of memory for vectors on the stack, aligned for any of them."""
        with self.builder.goto_entry_block():
            place = self.builder.alloca(ir.ArrayType(self.vector, vectors))
        place.align = 64
        place.type = POINTER
        return place

    def minimum(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Smaller of two indices."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def maximum(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Larger of two indices."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), b, a)

    def share(
        self, whole: ir.Value, thread: ir.Value, team: ir.Value
    ) -> tuple[ir.Value, ir.Value]:
        """A thread's part of so many things: its first one and the next thread's."""
        builder, following = self.builder, self.builder.add(thread, index(1))
        low, high = (
            builder.sdiv(builder.mul(whole, number), team)
            for number in (thread, following)
        )
        return low, high

    def at(self, base: ir.Value, *offsets: ir.Value | int) -> ir.Value:
        """Address of the number that lies the sum of offsets behind the base."""
        total: ir.Value | None = None
        fixed = 0
        for offset in offsets:
            if isinstance(offset, int):
                fixed += offset
            elif total is None:
                total = offset
            else:
                total = self.builder.add(total, offset, flags=["nsw"])
        if total is None:
            total = index(fixed)
        elif fixed:
            total = self.builder.add(total, index(fixed), flags=["nsw"])
        return self.builder.gep(base, [total], source_etype=self.element)

    def times(self, value: ir.Value, factor: int) -> ir.Value:
        if factor == 1:
            return value
        return self.builder.mul(value, index(factor), flags=["nsw"])

    def load(self, pointer: ir.Value, mask: ir.Value | None = None) -> ir.Value:
        """A vector; lanes that the mask leaves out are 0 and not read."""
        if mask is None:
            return self.builder.load(pointer, typ=self.vector, align=self.item_bytes)
        function = self._masked("load", self.vector)
        zero = ir.Constant(self.vector, None)
        alignment = ir.Constant(ir.IntType(32), self.item_bytes)
        return self.builder.call(function, [pointer, alignment, mask, zero])

    def store(
        self, value: ir.Value, pointer: ir.Value, mask: ir.Value | None = None
    ) -> None:
        """Write a vector; lanes that the mask leaves out stay as they are."""
        if mask is None:
            self.builder.store(value, pointer, align=self.item_bytes)
            return
        function = self._masked("store", VOID)
        alignment = ir.Constant(ir.IntType(32), self.item_bytes)
        self.builder.call(function, [value, pointer, alignment, mask])

    def _masks(self) -> ir.Type:
        return ir.VectorType(ir.IntType(1), self.lanes)

    def _masked(self, name: str, result: ir.Type) -> ir.Function:
        letter = "f32" if self.item_bytes == 4 else "f64"
        full = f"llvm.masked.{name}.v{self.lanes}{letter}.p0"
        module = self.builder.module
        if full in module.globals:
            return module.globals[full]
        width = ir.IntType(32)
        if name == "load":
            arguments = [POINTER, width, self._masks(), self.vector]
        else:
            arguments = [self.vector, POINTER, width, self._masks()]
        return ir.Function(module, ir.FunctionType(result, arguments), full)

    def prefetch(self, pointer: ir.Value, *, write: bool = False) -> None:
        """Ask for the line at an address, which need not be valid, in the L2 cache.

        Where it will be written, no other core keeps it.
        """
        module = self.builder.module
        name, kind = "llvm.prefetch.p0", ir.IntType(32)
        function = module.globals.get(name) or ir.Function(
            module, ir.FunctionType(VOID, [POINTER, kind, kind, kind]), name
        )
        access, near, data = (ir.Constant(kind, n) for n in (int(write), 2, 1))
        self.builder.call(function, [pointer, access, near, data])

    def number(self, pointer: ir.Value) -> ir.Value:
        return self.builder.load(pointer, typ=self.element, align=self.item_bytes)

    def splat(self, number: ir.Value) -> ir.Value:
        """A vector with one number in every lane."""
        return self.repeated(number, self.vector)

    def repeated(self, number: ir.Value, kind: ir.VectorType) -> ir.Value:
        """The same of another kind of numbers."""
        undefined, lane = ir.Constant(kind, ir.Undefined), ir.IntType(32)
        first = self.builder.insert_element(undefined, number, ir.Constant(lane, 0))
        order = ir.Constant(ir.VectorType(lane, kind.count), None)
        return self.builder.shuffle_vector(first, undefined, order)

    def constant(self, value: float) -> ir.Constant:
        return ir.Constant(self.vector, [ir.Constant(self.element, value)] * self.lanes)

    def mask(self, first: ir.Value, size: int) -> ir.Value:
        """The lanes that hold units ``first + lane`` below ``size``."""
        kind = ir.IntType(32)
        wide = ir.VectorType(kind, self.lanes)
        left = self.builder.trunc(
            self.builder.sub(index(size), first, flags=["nsw"]), kind
        )
        undefined = ir.Constant(wide, ir.Undefined)
        one = self.builder.insert_element(undefined, left, ir.Constant(kind, 0))
        remaining = self.builder.shuffle_vector(one, undefined, ir.Constant(wide, None))
        lanes = ir.Constant(wide, [ir.Constant(kind, i) for i in range(self.lanes)])
        return self.builder.icmp_signed("<", lanes, remaining)

    def only(self, number: ir.Value, below: ir.Value) -> ir.Value:
        """All lanes if a number is below another, else none."""
        inside = self.builder.icmp_signed("<", number, below)
        none = ir.Constant(self._masks(), None)
        every = ir.Constant(self._masks(), [ir.Constant(ir.IntType(1), 1)] * self.lanes)
        return self.builder.select(inside, every, none)

    def turned(self, square: Sequence[ir.Value]) -> list[ir.Value]:
        """As many vectors as lanes, lines and columns exchanged, bit by bit."""
        found, kind = list(square), ir.IntType(32)
        distance = 1
        while distance < self.lanes:
            for line in range(self.lanes):
                if line & distance:
                    continue
                pair = found[line], found[line | distance]
                for own, shift in ((line, 0), (line | distance, distance)):
                    lanes = [
                        (lane | distance)
                        - distance
                        + shift
                        + (self.lanes if lane & distance else 0)
                        for lane in range(self.lanes)
                    ]
                    order = ir.Constant(
                        ir.VectorType(kind, self.lanes),
                        [ir.Constant(kind, lane) for lane in lanes],
                    )
                    found[own] = self.builder.shuffle_vector(*pair, order)
            distance *= 2
        return found

    def pointer(self, arguments: ir.Value, position: int) -> ir.NamedValue:
        """An address from the table of arguments."""
        place = self.word(arguments, index(position))
        return self.builder.load(place, typ=POINTER, align=8)

    def count(self, arguments: ir.Value, position: ir.Value | int) -> ir.Value:
        """A whole number from a table of them."""
        where = index(position) if isinstance(position, int) else position
        return self.builder.load(self.word(arguments, where), typ=INDEX, align=8)

    def word(self, table: ir.Value, place: ir.Value) -> ir.NamedValue:
        """Address of a word of a table."""
        return self.builder.gep(table, [place], source_etype=INDEX)


def callable_at(address: ir.NamedValue, kind: ir.FunctionType) -> ir.NamedValue:
    """An address as a function: llvmlite wants the type on the value itself."""
    address.type = kind.as_pointer()
    return address


def numbers_of_thread(
    w: Writer, table: ir.Value, words: tuple[int, int]
) -> list[ir.Value]:
    """A thread's number and the size of its team, from who knows them.

    The words of a table are the addresses of two functions of OpenMP.
    """
    asking = ir.FunctionType(SMALL, [])
    functions = [callable_at(w.pointer(table, word), asking) for word in words]
    return [w.builder.sext(w.builder.call(one, []), INDEX) for one in functions]
