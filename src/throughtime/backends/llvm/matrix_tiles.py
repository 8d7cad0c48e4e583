"""Tiles of products by the processor's own tiles: sixteen rows by a vector at once.

Where a processor has them (Intel's AMX), one instruction multiplies sixteen rows of 32
numbers in bfloat16 by 32 terms of the weights of sixteen units, and adds the products
in float32, in an order of its own that is the same for every row. Panels and rounded
rows lie as it wants them already. It takes smaller numbers than float32's normal ones
for 0.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llvmlite import ir

from throughtime.backends.llvm.writer import BYTE, INDEX, POINTER, VOID, Writer, index

if TYPE_CHECKING:
    from throughtime.backends.llvm.tiles import TileShape

ROWS = 16
"""Of sequences in a tile, and of words of the weights."""
WORDS = 16
"""Of a row that one instruction takes, two terms in each."""
LINE = 64
"""Bytes of a row of a tile."""
SUMS, OPERAND, WEIGHTS = 4, 4, (5, 6, 7)
"""Tiles of sums, from the first one on; the one of the operand; those of weights."""
CONFIGURATION = 64
"""Bytes that say how large each tile is."""
INSTRUCTIONS: dict[str, list[ir.Type]] = {
    "ldtilecfg": [POINTER],
    "tilerelease": [],
    "tilezero": [BYTE],
    "tileloadd64": [BYTE, POINTER, INDEX],
    "tilestored64": [BYTE, POINTER, INDEX],
    "tdpbf16ps": [BYTE] * 3,
}


def _instruction(w: Writer, name: str, *arguments: ir.Value) -> None:
    kind = ir.FunctionType(VOID, INSTRUCTIONS[name])
    full, module = f"llvm.x86.{name}", w.builder.module
    function = module.globals.get(full) or ir.Function(module, kind, full)
    w.builder.call(function, arguments)


def _number(tile: int) -> ir.Constant:
    """A tile as an instruction names it."""
    return ir.Constant(BYTE, tile)


def configure(w: Writer, height: ir.Value) -> None:
    """Give tiles of sums and of operands so many rows; all of them become 0."""
    place, builder = w.reserve(CONFIGURATION // (w.lanes * w.item_bytes)), w.builder
    once = sum(1 << 8 * tile for tile in (*range(SUMS), OPERAND))
    own = builder.mul(height, index(once))
    weights = sum(ROWS << 8 * tile for tile in WEIGHTS)
    line = index(sum(LINE << 16 * tile for tile in range(4)))
    none = index(0)
    palette = index(1)
    rows = builder.or_(own, index(weights))
    for word, value in enumerate((palette, none, line, line, none, none, rows, none)):
        builder.store(value, w.word(place, index(word)), align=8)
    _instruction(w, "ldtilecfg", place)


def release(w: Writer) -> None:
    """Give the tiles back, so that nobody saves what is in them."""
    _instruction(w, "tilerelease")


def write_matrix_tile(
    w: Writer,
    shape: "TileShape",
    sums: ir.Value,
    operands: Sequence[Sequence[ir.Value]],
    starts: Sequence[tuple[ir.Value, int] | None],
) -> None:
    """Add all parts to the sums of as many rows as are configured.

    ``starts`` are for each slot an address and the distance between its rows, or None
    for zeros.
    """
    for tile, start in enumerate(starts):
        if start is None:
            _instruction(w, "tilezero", _number(tile))
        else:
            address, stride = start
            _load(w, tile, address, stride)
    width = len(shape.slots) * w.lanes
    for part, (panel, operand, *_) in zip(shape.parts, operands, strict=True):
        with w.loop(index(0), index(part.terms), WORDS) as word:
            _load(w, OPERAND, w.at(operand, word), part.stride)
            line = w.times(word, width)
            for tile, (_, vector) in enumerate(shape.weights):
                weights = WEIGHTS[tile % len(WEIGHTS)]
                _load(w, weights, w.at(panel, line, vector * w.lanes), width)
                numbers = map(_number, (tile, OPERAND, weights))
                _instruction(w, "tdpbf16ps", *numbers)
    for tile, slot in enumerate(shape.slots):
        place = w.at(sums, slot * shape.block * w.lanes)
        stride = index(w.lanes * w.item_bytes)
        _instruction(w, "tilestored64", _number(tile), place, stride)


def _load(w: Writer, tile: int, address: ir.Value, stride: int) -> None:
    """Read a tile whose rows lie so many numbers apart."""
    distance = index(stride * w.item_bytes)
    _instruction(w, "tileloadd64", _number(tile), address, distance)
