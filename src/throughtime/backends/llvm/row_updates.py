"""Rows of a table, decayed and changed where they lie: one pass, nothing in between.

Three functions for tables of float32 or float64, each row with a stamp, the time up to
which it was decayed: ``catch_up`` follows d|w|/dt = −l1 − l2|w| from a row's stamp to
now, ``stale`` looks for a row that is behind, ``update`` takes a step with a gradient.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from llvmlite import ir

from throughtime.backends.llvm.compile import Code, load, object_code
from throughtime.backends.llvm.object_cache import cached, version
from throughtime.backends.llvm.target import Target, host
from throughtime.backends.llvm.vector_math import VectorMath
from throughtime.backends.llvm.vector_math.lanes import Lanes
from throughtime.backends.llvm.writer import INDEX, POINTER, Writer, index

DOUBLE = ir.DoubleType()
BLOCK = 8
"""Rows whose decay is computed together, in one vector of doubles."""

AHEAD = 4
"""Rows that are fetched before they are changed."""
FETCHED = 512
"""Numbers of a row that are fetched at most."""

ELEMENTS: dict[int, ir.Type] = {4: ir.FloatType(), 8: DOUBLE}
Kind = ir.PointerType | ir.IntType | ir.DoubleType


def _signature(pointers: int, counts: int, numbers: int) -> list[Kind]:
    return [*[POINTER] * pointers, *[INDEX] * counts, *[DOUBLE] * numbers]


SIGNATURES = {
    # weight, stamps, rows (null: all), count, rows of the table, width, now, l1, l2
    "catch_up": _signature(3, 3, 3),
    # stamps, rows, count, rows of the table, now
    "stale": _signature(2, 2, 1),
    # weight, stamps, rows, gradient, count, width, now, keep, rate, amount, scale
    "update": _signature(4, 2, 5),
}


@dataclass(frozen=True)
class RowKernels:
    """The functions for one type of number; they take addresses and plain numbers.

    Row numbers are 64-bit, stamps doubles; rows lie one after the other. ``update``
    does not look whether a row exists: ``stale`` does.
    """

    catch_up: Callable[..., None]
    """``(weight, stamps, rows, count, d, width, now, l1, l2)``; rows may be repeated.
    Where one of them does not exist nothing is changed."""
    stale: Callable[..., int]
    """``(stamps, rows, count, d, now)``: the place of the first row that is behind or
    not there, or −1."""
    update: Callable[..., None]
    """``(weight, stamps, rows, gradient, count, width, now, keep, rate, amount,
    scale)``: u = keep·w − rate·g, w = sign(u)·max(|u| − amount, 0)·scale."""
    code: Code
    """What the functions live in."""


@cache
def row_kernels(item_bytes: int) -> RowKernels:
    """Compile, or read what was compiled before."""
    target = host()

    def make() -> tuple[dict[str, object], bytes]:
        return {}, object_code(write_rows(item_bytes, target), target)

    _, code = cached(f"row updates {item_bytes} {target.key} {version()}", make)
    loaded = load(code, target)
    kinds: dict[Kind, type[ctypes._SimpleCData[Any]]] = {
        POINTER: ctypes.c_void_p,
        INDEX: ctypes.c_int64,
        DOUBLE: ctypes.c_double,
    }
    made = {}
    for name, signature in SIGNATURES.items():
        result = ctypes.c_int64 if name == "stale" else None
        prototype = ctypes.CFUNCTYPE(result, *(kinds[kind] for kind in signature))
        made[name] = prototype(loaded.address(name))
    return RowKernels(**made, code=loaded)


def write_rows(item_bytes: int, target: Target) -> str:
    """Write LLVM IR of the functions."""
    module = ir.Module("rows")
    for name, body in (("catch_up", _catch_up), ("stale", _stale), ("update", _update)):
        result = INDEX if name == "stale" else ir.VoidType()
        kind = ir.FunctionType(result, SIGNATURES[name])
        function = ir.Function(module, kind, name)
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        body(_Rows(builder, item_bytes, target), function.args)
    return str(module)


class _Rows:
    """What the three functions are written with."""

    def __init__(self, builder: ir.IRBuilder, item_bytes: int, target: Target) -> None:
        element, lanes = ELEMENTS[item_bytes], target.lanes(item_bytes)
        module, fused = builder.module, target.fused
        self.builder = builder
        self.writer = Writer(builder, element, lanes, item_bytes)
        self.doubles = Writer(builder, DOUBLE, BLOCK, 8)
        self.math = VectorMath(module, element, lanes, fused=fused)
        self.math_of_rows = VectorMath(module, DOUBLE, BLOCK, fused=fused)

    def outside(self, rows: ir.Value, place: ir.Value, last: ir.Value) -> ir.Value:
        """Whether a listed row does not exist; a negative one is a very large one."""
        row = self.writer.count(rows, place)
        return self.builder.icmp_unsigned(">=", row, last)

    def all_lanes(self, number: ir.Value) -> ir.Value:
        """A double, rounded to the table's numbers, in every lane."""
        if self.writer.element is not DOUBLE:
            number = self.builder.fptrunc(number, self.writer.element)
        return self.writer.splat(number)

    def each_vector(
        self, width: ir.Value, write: Callable[[ir.Value, ir.Value | None], None]
    ) -> None:
        """Go through a row: where each vector begins, and which lanes are its own.

        None: all are. Only the last vector has a mask, for which some processors take
        ten times as long.
        """
        w, builder = self.writer, self.builder
        left = builder.urem(width, index(w.lanes))
        whole = builder.sub(width, left)
        with w.loop(index(0), whole, w.lanes) as place:
            write(place, None)
        with builder.if_then(builder.icmp_unsigned("!=", left, index(0))):
            write(whole, w.mask(builder.sub(index(w.lanes), left), w.lanes))

    def fetch(self, base: ir.Value, width: ir.Value) -> None:
        """Ask for a row before it is needed: rows lie anywhere in memory.

        Of a long one for its beginning; the rest follows by itself.
        """
        w = self.writer
        with w.loop(index(0), w.minimum(width, index(FETCHED)), w.lanes) as place:
            w.prefetch(w.at(base, place))

    def shrunk(self, value: ir.Value, size: ir.Value, amount: ir.Value) -> ir.Value:
        """Bring a size nearer to zero, never across, with the sign of the value."""
        nearer = self.builder.fsub(size, amount)
        positive = self.math.maximum(self.builder, nearer, self.math.splat(0.0))
        return Lanes(self.builder, self.writer.vector, fused=False).with_sign_of(
            value, positive
        )


def _catch_up(r: _Rows, arguments: Sequence[ir.Value]) -> None:
    weight, stamps, rows, count, last, width, now, l1, l2 = arguments
    builder, w, d = r.builder, r.writer, r.doubles
    waited, kept, lost, numbers = (d.reserve(1) for _ in range(4))
    given = builder.icmp_unsigned("!=", rows, ir.Constant(POINTER, None))
    listed = builder.select(given, count, index(0))
    with (
        w.loop(index(0), listed) as place,
        builder.if_then(r.outside(rows, place, last)),
    ):
        builder.ret_void()
    with w.loop(index(0), count, BLOCK) as first:
        members = d.minimum(builder.sub(count, first), index(BLOCK))
        d.store(ir.Constant(d.vector, None), waited)
        with w.loop(index(0), members) as member:
            place, own = builder.add(first, member), r.writer.word(numbers, member)
            builder.store(place, own, align=8)
            listed = r.writer.word(rows, place)
            row = builder.load(builder.select(given, listed, own), typ=INDEX, align=8)
            builder.store(row, own, align=8)
            stamp = d.at(stamps, row)
            r.fetch(w.at(weight, builder.mul(row, width)), width)
            # At once: the same row a second time has waited for nothing.
            elapsed = builder.fsub(now, d.number(stamp))
            builder.store(elapsed, d.at(waited, member), align=8)
            builder.store(now, stamp, align=8)
        keep, lose = _decay(r, d.load(waited), l1, l2)
        d.store(keep, kept)
        d.store(lose, lost)
        with w.loop(index(0), members) as member:
            row = r.writer.count(numbers, member)
            base = w.at(weight, builder.mul(row, width))
            keep = r.all_lanes(d.number(d.at(kept, member)))
            lose = r.all_lanes(d.number(d.at(lost, member)))
            r.each_vector(width, partial(_decay_vector, r, base, keep, lose))
    builder.ret_void()


def _decay_vector(
    r: _Rows,
    base: ir.Value,
    keep: ir.Value,
    lose: ir.Value,
    place: ir.Value,
    mask: ir.Value | None,
) -> None:
    w, own = r.writer, r.writer.at(base, place)
    value = w.load(own, mask)
    size = r.builder.fmul(r.math.absolute(r.builder, value), keep)
    w.store(r.shrunk(value, size, lose), own, mask)


def _decay(
    r: _Rows, waited: ir.Value, l1: ir.Value, l2: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """Give what a wait leaves of a size as a factor, and what it takes from it."""
    builder, d, math = r.builder, r.doubles, r.math_of_rows
    exponent = builder.fneg(builder.fmul(d.splat(l2), waited))
    keep = math.call(builder, "exp", exponent)
    gone = builder.fneg(math.call(builder, "expm1", exponent))
    time = builder.fdiv(gone, d.splat(l2))
    none = builder.fcmp_ordered("==", d.splat(l2), ir.Constant(d.vector, None))
    time = builder.select(none, waited, time)
    return keep, builder.fmul(d.splat(l1), time)


def _stale(r: _Rows, arguments: Sequence[ir.Value]) -> None:
    stamps, rows, count, last, now = arguments
    builder, w, d = r.builder, r.writer, r.doubles
    with w.loop(index(0), count) as place:
        with builder.if_then(r.outside(rows, place, last)):
            builder.ret(place)
        row = r.writer.count(rows, place)
        behind = builder.fcmp_unordered("!=", d.number(d.at(stamps, row)), now)
        with builder.if_then(behind):
            builder.ret(place)
    builder.ret(index(-1))


def _update(r: _Rows, arguments: Sequence[ir.Value]) -> None:
    weight, stamps, rows, gradient, count, width, now = arguments[:7]
    settings = [r.all_lanes(number) for number in arguments[7:]]
    builder, w, d = r.builder, r.writer, r.doubles
    with w.loop(index(0), count) as member:
        row = r.writer.count(rows, member)
        later = w.minimum(
            builder.add(member, index(AHEAD)), builder.sub(count, index(1))
        )
        following = r.writer.count(rows, later)
        r.fetch(w.at(weight, builder.mul(following, width)), width)
        builder.store(now, d.at(stamps, row), align=8)
        base = w.at(weight, builder.mul(row, width))
        slope = w.at(gradient, builder.mul(member, width))
        r.each_vector(width, partial(_step_vector, r, base, slope, settings))
    builder.ret_void()


def _step_vector(
    r: _Rows,
    base: ir.Value,
    slope: ir.Value,
    settings: Sequence[ir.Value],
    place: ir.Value,
    mask: ir.Value | None,
) -> None:
    keep, rate, amount, scale = settings
    builder, w, own = r.builder, r.writer, r.writer.at(base, place)
    value = builder.fmul(w.load(own, mask), keep)
    step = builder.fneg(w.load(w.at(slope, place), mask))
    value = r.math.fma(builder, step, rate, value)
    shrunk = r.shrunk(value, r.math.absolute(builder, value), amount)
    w.store(builder.fmul(shrunk, scale), own, mask)
