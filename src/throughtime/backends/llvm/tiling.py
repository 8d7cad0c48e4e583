"""How the product of a weight gradient is divided: tiles, panels, shares of threads."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm

from throughtime.backends.llvm.layout import LEAST
from throughtime.backends.llvm.outer import BLOCK
from throughtime.backends.llvm.patterns import room_of_list
from throughtime.backends.llvm.rows import odd_lines
from throughtime.backends.llvm.target import Target
from throughtime.graph.programs import Contraction

PANEL_BYTES = 200_000
"""Of the result, taken through all rows before the next part: it stays in the L2
cache, beside the rows of two blocks."""


@dataclass(frozen=True)
class Thin:
    """Sizes of a product by lists, and of the memory that a thread needs for it.

    Tiles are ``height`` units of the left by ``width`` vectors of the right; lists lie
    ``list_stride`` numbers apart.
    """

    height: int
    width: int
    strip: int
    """Columns of the right side that are packed side by side."""
    packed: int
    """Numbers of a packed block of the right side."""
    turned: int
    """Numbers of a block of the left side, one unit after the other."""
    list_stride: int
    size: int
    """Numbers of all memory."""


@dataclass(frozen=True)
class Tiling:
    """Sizes of a product of ``units`` on the left by ``columns`` on the right.

    Tiles are ``height`` units by ``width`` vectors, ``panel`` units at a time; threads
    take whole ``steps`` of units.
    """

    units: int
    columns: int
    left_stride: int
    right_stride: int
    result_stride: int
    height: int
    width: int
    step: int
    panel: int
    thin: Thin | None
    """None if zeros are not left out."""

    @property
    def room(self) -> int:
        """Numbers of a thread's own memory."""
        return self.thin.size if self.thin else 0


def tiling_of(
    contraction: Contraction,
    widths: Mapping[str, int],
    result_stride: int,
    target: Target,
    item_bytes: int,
    *,
    thin: bool,
) -> Tiling:
    """That of a contraction with a right side.

    ``thin`` says whether products may go by lists.
    """
    assert contraction.right is not None, "a sum has no right side"
    left, right = contraction.left.span, contraction.right.span
    vectors = -(-right.size // target.lanes(item_bytes))
    width = min(target.largest_tile, vectors)
    height = step = balanced_height(left.size, width, target.rows(width))
    may = thin and contraction.left.zeros and min(left.size, right.size) >= LEAST
    # Lists load a vector for every row: tiles that are wider load less beside it.
    thin_width = min(2 * target.largest_tile, vectors)
    thin_height = target.rows(thin_width)
    if may:
        step = lcm(height, thin_height)
    panel = step * max(1, PANEL_BYTES // (right.size * item_bytes * step))
    most = min(panel, -(-left.size // step) * step)
    lanes = target.lanes(item_bytes)
    return Tiling(
        left.size,
        right.size,
        widths[left.buffer],
        widths[right.buffer],
        result_stride,
        height,
        width,
        step,
        panel,
        _thin(thin_height, thin_width, most, right.size, lanes, item_bytes)
        if may
        else None,
    )


def _thin(
    height: int, width: int, units: int, columns: int, lanes: int, item_bytes: int
) -> Thin:
    strip = width * lanes
    packed = -(-columns // strip) * strip * BLOCK
    turned = -(-units // lanes) * lanes * BLOCK
    stride = odd_lines(room_of_list(BLOCK, item_bytes), item_bytes)
    size = packed + turned + units * stride
    return Thin(height, width, strip, packed, turned, stride, size)


@dataclass(frozen=True)
class Strip:
    """Columns from ``start`` to ``stop``, so many vectors of them at a time.

    ``masked``: a part of one vector.
    """

    start: int
    stop: int
    step: int
    vectors: int
    masked: bool


def strips(size: int, width: int, lanes: int) -> list[Strip]:
    """Columns of a product: whole tiles, then whole vectors, then a part of one."""
    step = width * lanes
    whole, vectors = size // step * step, size // lanes * lanes
    found = []
    if whole:
        found.append(Strip(0, whole, step, width, masked=False))
    if vectors > whole:
        rest = vectors - whole
        found.append(Strip(whole, vectors, rest, rest // lanes, masked=False))
    if size > vectors:
        found.append(Strip(vectors, size, lanes, 1, masked=True))
    return found


def balanced_height(size: int, width: int, most: int) -> int:
    """Rows of a tile so that two threads with whole tiles have the least to do."""

    def cost(height: int) -> tuple[int, int]:
        tiles = -(-size // height)
        own = tiles - tiles // 2
        last = size - (tiles - 1) * height
        several = (tiles // 2) * (height * width + 1)
        rest = (own - 1) * (height * width + 1) + last * width + 1
        return max(several, rest), -height

    return min(range(-(-most // 2), most + 1), key=cost)
