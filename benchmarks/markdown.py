"""`results.md`: the tables for a page, a line per cell and shape."""

from collections.abc import Iterator

from benchmarks.comparing import OURS, Row
from benchmarks.shapes import WORKS, Work
from benchmarks.tables import milliseconds, ratio_text


def markdown(rows: list[Row], peak: float, notes: list[str]) -> str:
    """Give a table per kind of work: ours, then each peer's time in ours.

    Parameters
    ----------
    rows
        What was measured, at least one row.
    peak
        GFLOP/s of fused multiply-adds.
    notes
        Lines that say how to read the tables.
    """
    works = [work for work in WORKS if any(row.work == work for row in rows)]
    parts = [line for work in works for line in _table(rows, work, peak)]
    return "\n".join([*parts, *(f"- {note}" for note in notes)]) + "\n"


def _table(rows: list[Row], work: Work, peak: float) -> Iterator[str]:
    chosen = [row for row in rows if row.work == work]
    peers = list(dict.fromkeys(peer for row in chosen for peer in row.peers))
    yield f"**{work[0].upper()}{work[1:]}**"
    yield ""
    yield _line(["cell", "T, B, I, H", f"{OURS}, ms", "GFLOP/s", "of peak", *peers])
    yield _line(["---", "---", *["---:"] * (3 + len(peers))])
    for row in chosen:
        ratios = [
            ratio_text(row.ratio(peer) if peer in row.timings else None)
            for peer in peers
        ]
        speed = row.gflops(OURS)
        ours = [milliseconds(row.timings[OURS]), f"{speed:.1f}", f"{speed / peak:.0%}"]
        yield _line([row.cell, str(row.shape), *ours, *ratios])
    yield ""


def _line(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"
