"""Rows of the next block, asked for while the tiles of a block are computed.

The processor finds no pattern in rows that lie far apart.
"""

from llvmlite import ir

from throughtime.backends.llvm.outer import BLOCK
from throughtime.backends.llvm.rows import LINE_BYTES
from throughtime.backends.llvm.tiling import Tiling
from throughtime.backends.llvm.writer import INDEX, Writer, index

Side = tuple[ir.Value, ir.Value]
"""One side of a product: its columns of row 0, and the list of a block's rows."""


class NextBlock:
    """Asks for some rows of the left side with every tile, for the last ones at last.

    Parameters
    ----------
    writer
        Of the function.
    tiling
        Of the product.
    left
        Its left side.
    extent
        First unit, first one behind, and number of rows of the block.
    distance
        Rows from a block to the next one.
    """

    def __init__(
        self,
        writer: Writer,
        tiling: Tiling,
        left: Side,
        extent: tuple[ir.Value, ir.Value, ir.Value],
        distance: ir.Value,
    ) -> None:
        self.writer = writer
        self._stride = tiling.left_stride
        self._left, self._listed = left
        self._low, self._high, self._rows = extent
        self._distance = distance
        tiles = -(-tiling.panel // tiling.height)
        tiles *= -(-tiling.columns // (tiling.width * writer.lanes))
        self._at_once = -(-BLOCK // tiles)
        with writer.builder.goto_entry_block():
            self._row = writer.builder.alloca(INDEX)
        writer.builder.store(index(0), self._row)

    def fetch(self) -> None:
        """Ask for the rows whose turn it is."""
        w, builder = self.writer, self.writer.builder
        first = builder.load(self._row, typ=INDEX)
        following = builder.add(first, index(self._at_once))
        builder.store(following, self._row)
        with w.loop(first, w.minimum(following, self._rows)) as number:
            row = builder.add(w.count(self._listed, number), self._distance)
            line = w.at(self._left, w.times(row, self._stride))
            with w.loop(self._low, self._high, LINE_BYTES // w.item_bytes) as unit:
                w.prefetch(w.at(line, unit))
