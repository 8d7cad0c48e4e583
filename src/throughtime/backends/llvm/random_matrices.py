"""Random matrices, which are drawn once per call rather than inside a program."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from llvmlite import ir

from throughtime.backends.llvm.compile import Code, load, object_code
from throughtime.backends.llvm.object_cache import cached, version
from throughtime.backends.llvm.random_numbers import VectorWords, Words
from throughtime.backends.llvm.target import host
from throughtime.backends.llvm.writer import INDEX, POINTER, VOID, Writer, index
from throughtime.graph.random_values import BITS
from throughtime.graph.threefry import threefry

NAMES = ("word", "mask")
WORD = ir.IntType(32)
WORD_BYTES = 4
ONE = 0x3F800000
"""The bits of 1 in float32."""
Fill = Callable[[int, int, int, int, int, int, int], None]


class Drawer:
    """Fills matrices; the lines of each follow each other."""

    def __init__(self, code: Code, lanes: int) -> None:
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        kind = ctypes.CFUNCTYPE(None, pointer, *[number] * 5, pointer)
        self._code = code
        self._words, self._masks = (kind(code.address(name)) for name in NAMES)
        self.padding = lanes
        """Numbers behind a matrix that are written as well."""

    def fill_words(
        self, key: int, stream: tuple[int, int], rows: int, columns: int, out: int
    ) -> None:
        """Write whole numbers of `BITS` random bits, of 32 bits each.

        Parameters
        ----------
        key
            Address of the call's key.
        stream
            A block, and which of its two words.
        rows, columns
            Of the matrix.
        out
            Address of the matrix and the padding behind it.
        """
        self._words(key, *stream, 0, rows, columns, out)

    def fill_mask(
        self,
        key: int,
        stream: tuple[int, int],
        threshold: int,
        rows: int,
        columns: int,
        out: int,
    ) -> None:
        """Write float32: 0 where that number is below the threshold, else 1."""
        self._masks(key, *stream, threshold, rows, columns, out)


@cache
def drawer() -> Drawer:
    """The one for the processor of this process."""
    target = host()
    lanes = target.lanes(WORD_BYTES)

    def make() -> tuple[dict[str, object], bytes]:
        return {}, object_code(_written(lanes), target)

    _, code = cached(f"random matrices {lanes} {target.key} {version()}", make)
    return Drawer(load(code, target), lanes)


def _written(lanes: int) -> str:
    """The module's text."""
    module = ir.Module("random matrices")
    for name in NAMES:
        kind = ir.FunctionType(VOID, [POINTER, *[INDEX] * 5, POINTER])
        function = ir.Function(module, kind, name)
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        writer = Writer(builder, WORD, lanes, WORD_BYTES)
        vectors = VectorWords(builder, lanes)
        threshold, out = function.args[3], function.args[6]
        least = vectors.spread(threshold)
        with _numbers(writer, vectors, function.args) as (number, place):
            if name == "mask":
                below = builder.icmp_unsigned("<", number, least)
                zero, one = vectors.number(0), vectors.number(ONE)
                number = builder.select(below, zero, one)
            writer.store(number, writer.at(out, place))
        builder.ret_void()
    return str(module)


@contextmanager
def _numbers(
    writer: Writer, vectors: VectorWords, arguments: tuple[ir.Value, ...]
) -> Iterator[tuple[ir.Value, ir.Value]]:
    """Loop over a matrix: a vector of random numbers, and where it belongs."""
    builder = writer.builder
    key, block, word, _, rows, columns, _ = arguments
    number = writer.count(key, 0)
    halves = number, builder.lshr(number, index(32))
    whole: Words = (vectors.spread(halves[0]), vectors.spread(halves[1]))
    own = threefry(vectors, whole, (vectors.spread(block), vectors.number(0)))
    second = builder.icmp_signed("==", word, index(1))
    # What is written behind a row is written again by the next one.
    with (
        writer.loop(index(0), rows) as row,
        writer.loop(index(0), columns, vectors.lanes) as column,
    ):
        units = builder.add(vectors.spread(column), vectors.counting())
        found = threefry(vectors, own, (units, vectors.spread(row)))
        chosen = builder.select(second, found[1], found[0])
        leading = builder.lshr(chosen, vectors.number(32 - BITS))
        yield leading, builder.add(builder.mul(row, columns), column)
