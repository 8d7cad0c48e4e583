"""Products of bfloat16: two terms of a sum in every 32-bit word, summed in float32.

An operand's row is rounded once and lies in scratch memory, two terms in a word; so
do the terms of a panel. One instruction multiplies both and adds both products.
"""

from collections.abc import Sequence

from llvmlite import ir

from throughtime.backends.llvm.writer import Writer, index

DOT = "llvm.x86.avx512bf16.dpbf16ps.512"


class BFloat(ir.Type):
    """LLVM's ``bfloat``, which llvmlite does not name."""

    def __str__(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


def words_of(terms: int) -> int:
    """Words that so many terms take."""
    return -(-terms // 2)


def row_words(terms: int, lanes: int) -> int:
    """Words of an operand's row, which is written in so many lanes at a time."""
    return -(-terms // lanes) * lanes // 2


def add_dot(
    w: Writer, total: ir.Value, weights: ir.Value, repeated: ir.Value
) -> ir.Value:
    """``total`` and the products of both halves of each word."""
    halves = ir.VectorType(BFloat(), 2 * w.lanes)
    module = w.builder.module
    kind = ir.FunctionType(w.vector, [w.vector, halves, halves])
    function = module.globals.get(DOT) or ir.Function(module, kind, DOT)
    operands = [w.builder.bitcast(value, halves) for value in (weights, repeated)]
    return w.builder.call(function, [total, *operands])


def write_row(
    w: Writer, source: ir.Value, target: ir.Value, terms: int, words: int
) -> None:
    """Round a row of so many numbers; what fills its words and last vector is 0."""
    for first in range(0, max(terms, 2 * words), w.lanes):
        mask = w.mask(index(first), terms) if first + w.lanes > terms else None
        value = _rounded(w, w.load(w.at(source, first), mask))
        place = w.builder.gep(target, [index(first)], source_etype=ir.IntType(16))
        w.builder.store(value, place, align=2)


def write_pack_pairs_along(
    function: ir.Function, w: Writer, *, together: int = 1
) -> None:
    """Fill in `packing.pack_function` where units lie side by side.

    So many words ``together``: what lies behind the last term is 0.
    """
    # Products of pairs leave out no zeros: nobody reads the flag.
    target, stride, source, line_stride, units, terms, _ = function.args
    builder = w.builder
    mask = w.mask(builder.sub(index(w.lanes), units), w.lanes)
    none = ir.Constant(ir.VectorType(ir.IntType(1), w.lanes), None)
    whole = builder.add(_words(w, terms), index(together - 1))
    words = w.times(builder.sdiv(whole, index(together)), together)
    with w.loop(index(0), words) as word:
        first = w.times(word, 2)
        second = builder.add(first, index(1))
        masks = [
            builder.select(builder.icmp_signed("<", term, terms), mask, none)
            for term in (first, second)
        ]
        halves = [
            _rounded(w, w.load(w.at(source, builder.mul(term, line_stride)), own))
            for term, own in zip((first, second), masks, strict=True)
        ]
        w.store(_interleaved(w, halves), w.at(target, builder.mul(word, stride)))
    builder.ret_void()


def write_pack_pairs_across(function: ir.Function, w: Writer) -> None:
    """Fill in `packing.pack_function` where terms lie side by side.

    The last square may reach past the last word: panels leave room behind.
    """
    # Products of pairs leave out no zeros: nobody reads the flag.
    target, stride, source, line_stride, units, terms, _ = function.args
    builder, lanes = w.builder, w.lanes
    none = ir.Constant(ir.VectorType(ir.IntType(1), lanes), None)
    with w.loop(index(0), terms, 2 * lanes) as term:
        places = [term, builder.add(term, index(lanes))]
        masks = [w.mask(builder.sub(place, terms), 0) for place in places]
        square: list[ir.Value] = []
        for unit in range(lanes):
            there = builder.icmp_signed("<", index(unit), units)
            line = w.at(source, builder.mul(index(unit), line_stride))
            halves = [
                _rounded(w, w.load(w.at(line, p), builder.select(there, m, none)))
                for p, m in zip(places, masks, strict=True)
            ]
            square.append(_joined(w, halves))
        word = builder.sdiv(term, index(2))
        for number, value in enumerate(w.turned(square)):
            line = builder.mul(builder.add(word, index(number)), stride)
            w.store(value, w.at(target, line))
    builder.ret_void()


def _words(w: Writer, terms: ir.Value) -> ir.Value:
    return w.builder.sdiv(w.builder.add(terms, index(1)), index(2))


def _rounded(w: Writer, value: ir.Value) -> ir.Value:
    return w.builder.fptrunc(value, ir.VectorType(BFloat(), w.lanes))


def _joined(w: Writer, halves: Sequence[ir.Value]) -> ir.Value:
    """Two vectors of numbers, one behind the other, as words."""
    return _shuffled(w, halves, range(2 * w.lanes))


def _interleaved(w: Writer, halves: Sequence[ir.Value]) -> ir.Value:
    """Two vectors of numbers, taking turns, as words."""
    turns = [lane + half * w.lanes for lane in range(w.lanes) for half in (0, 1)]
    return _shuffled(w, halves, turns)


def _shuffled(w: Writer, halves: Sequence[ir.Value], order: Sequence[int]) -> ir.Value:
    kind = ir.IntType(32)
    lanes = [ir.Constant(kind, lane) for lane in order]
    mask = ir.Constant(ir.VectorType(kind, len(lanes)), lanes)
    first, second = halves
    shuffled = w.builder.shuffle_vector(first, second, mask)
    return w.builder.bitcast(shuffled, w.vector)
