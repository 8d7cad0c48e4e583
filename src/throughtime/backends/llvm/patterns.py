"""Vectors that are 0 in many units, as lists of the units that are not.

A list is its length and, behind it, the numbers of the units, in their order. A product
by such a list adds in the order of the whole sum; what it leaves out are zeros, which
change no sum but the sign of one that is 0 itself.
"""

from collections.abc import Callable, Sequence

from llvmlite import ir

from throughtime.backends.llvm.writer import BYTE, INDEX, POINTER, Writer, index

BITS = 64
"""Units that are looked at together."""
GROUP = 8
"""Units whose numbers are written together, as a table says for each of their masks."""
COMPRESSING = 64
"""Bytes of vectors whose processors move chosen lanes together."""
MOST_LANES = 16
"""Entries that are written together at most, the last of them for nothing."""
ENTRY = ir.IntType(32)
ENTRY_BYTES = 4
HEADER = 8
"""Bytes before the entries of a list: its length."""
SELDOM = 8
"""Zeros are counted in one row, or step, of so many."""
NARROW = 256
"""Units from which on a layer is not narrow."""
SHARES = 1024
"""Shares are compared in whole numbers of 1/1024."""


def room_of_list(terms: int, item_bytes: int) -> int:
    """Numbers that a list of so many units takes at most."""
    return -(-(HEADER + ENTRY_BYTES * (terms + MOST_LANES)) // item_bytes)


def worth(most: float, units: int) -> float:
    """Of a share up to which lists pay, the one in a layer of so many units.

    What lists cost by themselves weighs more in a narrow one. A share of 1 takes lists
    in any case.
    """
    return most if units >= NARROW or most >= 1 else 0.8 * most


def length_of(w: Writer, list_: ir.Value) -> ir.Value:
    """Entries of a list."""
    return w.builder.load(list_, typ=INDEX, align=w.item_bytes)


def set_length(w: Writer, list_: ir.Value, length: ir.Value) -> None:
    """Say how many entries a list has."""
    w.builder.store(length, list_, align=w.item_bytes)


def unit_of(w: Writer, list_: ir.Value, place: ir.Value) -> ir.Value:
    """Unit of an entry."""
    own = w.builder.load(_entry(w, list_, place), typ=ENTRY, align=ENTRY_BYTES)
    return w.builder.zext(own, INDEX)


def _entry(w: Writer, list_: ir.Value, place: ir.Value) -> ir.Value:
    first = w.builder.add(place, index(HEADER // ENTRY_BYTES))
    return w.builder.gep(list_, [first], source_etype=ENTRY)


def count_function(w: Writer) -> ir.Function:
    """``count(source, terms)``: how many units are not 0; NaN is not."""

    def write(own: Writer, function: ir.Function) -> None:
        source, terms = function.args
        total = _counter(own)

        def visit(_: ir.Value, bits: ir.Value) -> None:
            _raise(own, total, own.builder.ctpop(bits))

        _over_units(own, source, terms, visit)
        own.builder.ret(own.builder.load(total))

    return made_once(w, "count", [POINTER, INDEX], write)


def list_function(w: Writer) -> ir.Function:
    """``list(source, target, terms)``: writes a list and gives its length."""

    def write(own: Writer, function: ir.Function) -> None:
        source, target, terms = function.args
        length = _counter(own)
        if own.lanes * own.item_bytes == COMPRESSING:
            _list_by_vectors(own, source, target, terms, length)
        else:
            _list_by_groups(own, source, target, terms, length)
        found = own.builder.load(length)
        set_length(own, target, found)
        own.builder.ret(found)

    return made_once(w, "list", [POINTER, POINTER, INDEX], write)


def _list_by_vectors(
    w: Writer, source: ir.Value, target: ir.Value, terms: ir.Value, length: ir.Value
) -> None:
    """Write the units of a whole vector at once, moved together."""
    builder, kind = w.builder, ir.VectorType(ENTRY, w.lanes)
    masks = ir.VectorType(ir.IntType(1), w.lanes)
    name = f"llvm.experimental.vector.compress.v{w.lanes}i32"
    compress = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(kind, [kind, masks, kind]), name
    )
    numbers = ir.Constant(kind, [ir.Constant(ENTRY, lane) for lane in range(w.lanes)])
    nothing = ir.Constant(kind, None)

    def visit(unit: ir.Value, mask: ir.Value | None) -> None:
        found = _not_zero(w, w.load(w.at(source, unit), mask))
        first = w.repeated(builder.trunc(unit, ENTRY), kind)
        units = builder.call(compress, [builder.add(first, numbers), found, nothing])
        place = builder.load(length)
        builder.store(units, _entry(w, target, place), align=ENTRY_BYTES)
        bits = builder.zext(builder.bitcast(found, ir.IntType(w.lanes)), INDEX)
        builder.store(builder.add(place, builder.ctpop(bits)), length)

    whole = w.times(builder.sdiv(terms, index(w.lanes)), w.lanes)
    with w.loop(index(0), whole, w.lanes) as unit:
        visit(unit, None)
    with builder.if_then(builder.icmp_signed("<", whole, terms)):
        visit(whole, first_lanes(w, builder.sub(terms, whole)))


def _list_by_groups(
    w: Writer, source: ir.Value, target: ir.Value, terms: ir.Value, length: ir.Value
) -> None:
    """Write the units of a few lanes at once, as a table says for each mask."""
    builder, table = w.builder, _table(w.builder.module)
    numbers, narrow = ir.VectorType(ENTRY, GROUP), ir.VectorType(BYTE, GROUP)

    def visit(first: ir.Value, bits: ir.Value) -> None:
        for group in range(0, BITS, GROUP):
            mask = builder.lshr(bits, index(group))
            mask = builder.and_(mask, index(2**GROUP - 1))
            line = builder.gep(table, [mask], source_etype=narrow)
            places = builder.load(line, typ=narrow, align=GROUP)
            start = builder.trunc(builder.add(first, index(group)), ENTRY)
            units = builder.add(
                builder.zext(places, numbers), w.repeated(start, numbers)
            )
            place = builder.load(length)
            entry = _entry(w, target, place)
            builder.store(units, entry, align=ENTRY_BYTES)
            builder.store(builder.add(place, builder.ctpop(mask)), length)

    _over_units(w, source, terms, visit)


def _table(module: ir.Module) -> ir.GlobalVariable:
    """For each mask the places of its bits, from the lowest one on."""
    line = ir.VectorType(BYTE, GROUP)
    kind = ir.ArrayType(line, 2**GROUP)
    table = ir.GlobalVariable(module, kind, "places")
    lines = []
    for mask in range(2**GROUP):
        places = [place for place in range(GROUP) if mask >> place & 1]
        lines.append((places + [0] * GROUP)[:GROUP])
    own = [ir.Constant(line, [ir.Constant(BYTE, p) for p in one]) for one in lines]
    table.initializer = ir.Constant(kind, own)
    table.linkage, table.global_constant = "internal", True
    table.align = 64
    return table


def turn_function(w: Writer, source_stride: int, target_stride: int) -> ir.Function:
    """``turn(source, target, listed, units, rows)``: rows become units of rows.

    The list says where each row lies.
    """

    def write(own: Writer, function: ir.Function) -> None:
        source, target, listed, units, rows = function.args
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
                        line = own.count(listed, place)
                        line = own.at(columns, own.times(line, source_stride))
                        square.append(own.load(line, mask))
                    for number, line in enumerate(own.turned(square)):
                        place = own.at(target, lines, row, number * target_stride)
                        own.store(line, place)
        builder.ret(rows)

    arguments = [POINTER, POINTER, POINTER, INDEX, INDEX]
    return made_once(w, f"turn.{source_stride}.{target_stride}", arguments, write)


def lengthen_function(w: Writer) -> ir.Function:
    """``lengthen(list, length)``: repeats a unit that is 0, up to a length.

    A list that is shorter than another of as many units lacks one; the first that it
    lacks follows on those whose number is that of their entry.
    """

    def write(own: Writer, function: ir.Function) -> None:
        list_, length = function.args
        builder, missing = own.builder, _counter(own)
        before = length_of(own, list_)
        with own.loop(index(0), before) as place:
            same = builder.icmp_signed("==", unit_of(own, list_, place), place)
            _raise(own, missing, builder.zext(same, INDEX))
        unit = builder.trunc(builder.load(missing), ENTRY)
        with own.loop(before, length) as place:
            builder.store(unit, _entry(own, list_, place), align=ENTRY_BYTES)
        set_length(own, list_, length)
        builder.ret(length)

    return made_once(w, "lengthen", [POINTER, INDEX], write)


def made_once(
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


def _not_zero(w: Writer, value: ir.Value) -> ir.Value:
    """Lanes that are not 0; NaN is not."""
    return w.builder.fcmp_unordered("!=", value, ir.Constant(w.vector, None))


def _bits_of(w: Writer, value: ir.Value) -> ir.Value:
    """A bit for each lane that is not 0."""
    bits = w.builder.bitcast(_not_zero(w, value), ir.IntType(w.lanes))
    return w.builder.zext(bits, INDEX)


def note_finite(w: Writer, value: ir.Value, total: ir.Value) -> None:
    """Leave NaN in a total of zeros where a lane is no finite number."""
    nothing = w.builder.fmul(value, ir.Constant(w.vector, None))
    w.store(w.builder.fadd(w.load(total), nothing), total)


def all_numbers(w: Writer, value: ir.Value) -> ir.Value:
    """Whether no lane is NaN."""
    kind = ir.IntType(w.lanes)
    bits = w.builder.bitcast(w.builder.fcmp_ordered("==", value, value), kind)
    return w.builder.icmp_signed("==", bits, ir.Constant(kind, -1))


def first_lanes(w: Writer, count: ir.Value) -> ir.Value:
    """So many lanes from the first one on, or all or none of them."""
    left = w.minimum(w.maximum(count, index(0)), index(w.lanes))
    return w.mask(w.builder.sub(index(w.lanes), left), w.lanes)
