"""Copies of rows that lie far apart, so that tiles find them close together."""

from llvmlite import ir

from throughtime.backends.llvm.patterns import first_lanes
from throughtime.backends.llvm.writer import Writer, index


def copy_rows(
    w: Writer,
    source: tuple[ir.Value, int],
    target: tuple[ir.Value, int],
    rows: ir.Value,
    columns: ir.Value,
    listed: ir.Value,
) -> None:
    """Copy so many columns of the rows of a list, which then follow each other.

    Both sides are an address and the distance between rows.
    """
    whole = w.times(w.builder.sdiv(columns, index(w.lanes)), w.lanes)
    with w.loop(index(0), rows) as row:
        (first, distance), (place, stride) = source, target
        own = w.at(first, w.times(w.count(listed, row), distance))
        copy = w.at(place, w.times(row, stride))
        with w.loop(index(0), whole, w.lanes) as column:
            w.store(w.load(w.at(own, column)), w.at(copy, column))
        mask = first_lanes(w, w.builder.sub(columns, whole))
        w.store(w.load(w.at(own, whole), mask), w.at(copy, whole), mask)
