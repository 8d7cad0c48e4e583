"""Rows of measurements as tables for people."""

from collections.abc import Iterator

from rich.table import Table

from benchmarks.comparing import Row
from benchmarks.shapes import WORKS, geometric_mean


def tables(rows: list[Row]) -> Iterator[Table]:
    """Give a table per cell and peer, with geometric means of its ratios."""
    pairs = dict.fromkeys((row.cell, row.peer) for row in rows)
    for cell, peer in pairs:
        chosen = [row for row in rows if (row.cell, row.peer) == (cell, peer)]
        table = Table(title=f"{cell}: throughtime beside {peer}", title_justify="left")
        table.add_column("T, B, I, H", no_wrap=True)
        table.add_column("work", no_wrap=True)
        for heading in (
            *("ours ms", "GFLOP/s", "of peak"),
            *(f"{peer} ms", "GFLOP/s", "ratio", "noise"),
        ):
            table.add_column(heading, justify="right")
        for row in chosen:
            table.add_row(*cells_of(row))
        for work in WORKS:
            ratios = [row.ratio for row in chosen if row.work == work]
            if ratios:
                mean = f"{geometric_mean(ratios):.2f}×"
                table.add_row("geometric mean", work, *[""] * 5, mean, "", style="bold")
        yield table


def cells_of(row: Row) -> list[str]:
    """Give the texts of one row."""
    return [
        str(row.shape),
        row.work,
        f"{row.ours.seconds * 1e3:.3f}",
        f"{row.gflops(row.ours):.1f}",
        f"{row.gflops(row.ours) / row.peak:.0%}",
        f"{row.theirs.seconds * 1e3:.3f}",
        f"{row.gflops(row.theirs):.1f}",
        f"{row.ratio:.2f}×",
        noise_of(row),
    ]


def noise_of(row: Row) -> str:
    """Give the noise of the noisier contestant, where there is more than one sample."""
    if row.ours.noise is None or row.theirs.noise is None:
        return "unknown"
    return f"{max(row.ours.noise, row.theirs.noise):.0%}"
