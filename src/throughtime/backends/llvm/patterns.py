"""Vectors that are 0 in many units, as lists of the units that are not.

A list is its length and, behind it, in order of the units: how far a unit's weights lie
from the first one's, and the unit's value. A product by such a list adds in the order
of the whole sum; what it leaves out are zeros, which change no sum but the sign of one
that is 0 itself.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

from throughtime.backends.llvm.writer import INDEX, POINTER, Writer, index

BITS = 64
"""Units that are looked at together."""
HEADER = 2
"""Numbers before the entries of a list: room for its length."""
ENTRY = 2
"""Numbers of an entry."""


def room_of_list(terms: int) -> int:
    """Numbers that a list of so many units takes at most."""
    return HEADER + ENTRY * terms


def length_of(w: Writer, list_: ir.Value) -> ir.Value:
    """Entries of a list."""
    return w.builder.load(list_, typ=INDEX, align=w.item_bytes)


def set_length(w: Writer, list_: ir.Value, length: ir.Value) -> None:
    """Say how many entries a list has."""
    w.builder.store(length, list_, align=w.item_bytes)


def entry_of(
    w: Writer, list_: ir.Value, place: ir.Value, offset: int
) -> tuple[ir.Value, ir.Value]:
    """Distance in bytes and value of an entry, of a list so many numbers further."""
    first = w.at(list_, w.times(place, ENTRY), offset + HEADER)
    kind = ir.IntType(8 * w.item_bytes)
    distance = w.builder.load(first, typ=kind, align=w.item_bytes)
    if w.item_bytes < 8:
        distance = w.builder.sext(distance, INDEX)
    return distance, w.number(w.at(first, 1))


def write_entry(
    w: Writer, list_: ir.Value, place: ir.Value, distance: ir.Value, value: ir.Value
) -> None:
    """Set an entry of a list."""
    first = w.at(list_, w.times(place, ENTRY), HEADER)
    if w.item_bytes < 8:
        distance = w.builder.trunc(distance, ir.IntType(8 * w.item_bytes))
    w.builder.store(distance, first, align=w.item_bytes)
    w.builder.store(value, w.at(first, 1), align=w.item_bytes)


def count_function(w: Writer) -> ir.Function:
    """``count(source, terms)``: how many units are not 0; NaN is not."""

    def write(own: Writer, function: ir.Function) -> None:
        source, terms = function.args
        total = _counter(own)

        def visit(_: ir.Value, bits: ir.Value) -> None:
            _raise(own, total, own.builder.ctpop(bits))

        _over_units(own, source, terms, visit)
        own.builder.ret(own.builder.load(total))

    return _made_once(w, "count", [POINTER, INDEX], write)


def list_function(w: Writer) -> ir.Function:
    """``list(source, target, terms, scale)``: writes a list and gives its length.

    ``scale`` are the bytes from one unit's weights to the next unit's.
    """

    def write(own: Writer, function: ir.Function) -> None:
        source, target, terms, scale = function.args
        builder = own.builder
        length = _counter(own)

        def visit(first: ir.Value, bits: ir.Value) -> None:
            with _each_bit(own, bits) as lowest:
                unit, place = builder.add(first, lowest), builder.load(length)
                value = own.number(own.at(source, unit))
                write_entry(own, target, place, builder.mul(unit, scale), value)
                _raise(own, length, index(1))

        _over_units(own, source, terms, visit)
        found = builder.load(length)
        set_length(own, target, found)
        builder.ret(found)

    return _made_once(w, "list", [POINTER, POINTER, INDEX, INDEX], write)


def turn_function(w: Writer, source_stride: int, target_stride: int) -> ir.Function:
    """``turn(source, target, units, rows)``: rows of units become units of rows."""

    def write(own: Writer, function: ir.Function) -> None:
        source, target, units, rows = function.args
        builder, lanes = own.builder, own.lanes
        whole = own.times(builder.sdiv(rows, index(lanes)), lanes)
        with own.loop(index(0), units, lanes) as unit:
            inside = first_lanes(own, builder.sub(units, unit))
            columns, lines = own.at(source, unit), own.times(unit, target_stride)
            for low, high, rest in ((index(0), whole, False), (whole, rows, True)):
                with own.loop(low, high, lanes) as row:
                    square = []
                    for number in range(lanes):
                        place = builder.add(row, index(number))
                        mask = inside
                        if rest:
                            mask = builder.and_(mask, own.only(place, rows))
                        line = own.at(columns, own.times(place, source_stride))
                        square.append(own.load(line, mask))
                    for number, line in enumerate(own.turned(square)):
                        place = own.at(target, lines, row, number * target_stride)
                        own.store(line, place)
        builder.ret(rows)

    arguments = [POINTER, POINTER, INDEX, INDEX]
    return _made_once(w, f"turn.{source_stride}.{target_stride}", arguments, write)


def lengthen_function(w: Writer) -> ir.Function:
    """``lengthen(list, length)``: entries that add nothing, up to a length."""

    def write(own: Writer, function: ir.Function) -> None:
        list_, length = function.args
        zero = ir.Constant(own.element, 0.0)
        with own.loop(length_of(own, list_), length) as place:
            write_entry(own, list_, place, index(0), zero)
        set_length(own, list_, length)
        own.builder.ret(length)

    return _made_once(w, "lengthen", [POINTER, INDEX], write)


def _made_once(
    w: Writer,
    name: str,
    arguments: Sequence[ir.Type],
    write: Callable[[Writer, ir.Function], None],
) -> ir.Function:
    """A function of the module that gives a whole number."""
    module: ir.Module = w.builder.module
    if name not in module.globals:
        kind = ir.FunctionType(INDEX, arguments)
        function = ir.Function(module, kind, name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        write(Writer(builder, w.element, w.lanes, w.item_bytes), function)
    return module.globals[name]


def _counter(w: Writer) -> ir.Value:
    """A variable that is 0."""
    with w.builder.goto_entry_block():
        place = w.builder.alloca(INDEX)
        w.builder.store(index(0), place)
    return place


def _raise(w: Writer, counter: ir.Value, by: ir.Value) -> None:
    w.builder.store(w.builder.add(w.builder.load(counter), by), counter)


@contextmanager
def _each_bit(w: Writer, bits: ir.Value) -> Iterator[ir.Value]:
    """A loop over the bits that are set, from the lowest one on: their numbers."""
    builder = w.builder
    left = _counter(w)
    builder.store(bits, left)
    with w.loop(index(0), builder.ctpop(bits)):
        rest = builder.load(left)
        builder.store(builder.and_(rest, builder.sub(rest, index(1))), left)
        yield builder.cttz(rest, ir.Constant(ir.IntType(1), 1))


def _over_units(
    w: Writer,
    source: ir.Value,
    terms: ir.Value,
    visit: Callable[[ir.Value, ir.Value], None],
) -> None:
    """Visit all units, `BITS` at a time: the first one, and a bit for each not 0."""
    builder = w.builder
    whole = w.times(builder.sdiv(terms, index(BITS)), BITS)
    for low, high, masked in ((index(0), whole, False), (whole, terms, True)):
        with w.loop(low, high, BITS) as first:
            bits = index(0)
            for vector in range(BITS // w.lanes):
                unit = builder.add(first, index(vector * w.lanes))
                mask = first_lanes(w, builder.sub(terms, unit)) if masked else None
                own = _bits_of(w, w.load(w.at(source, unit), mask))
                shifted = builder.shl(own, index(vector * w.lanes))
                bits = builder.or_(bits, shifted)
            visit(first, bits)


def _bits_of(w: Writer, value: ir.Value) -> ir.Value:
    """A bit for each lane that is not 0."""
    zero = ir.Constant(w.vector, None)
    lanes = w.builder.fcmp_unordered("!=", value, zero)
    bits = w.builder.bitcast(lanes, ir.IntType(w.lanes))
    return w.builder.zext(bits, INDEX)


def first_lanes(w: Writer, count: ir.Value) -> ir.Value:
    """So many lanes from the first one on, or all or none of them."""
    left = w.minimum(w.maximum(count, index(0)), index(w.lanes))
    return w.mask(w.builder.sub(index(w.lanes), left), w.lanes)
