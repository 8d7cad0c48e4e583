"""Measurements as tables for people."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.comparing import OURS, Row
from benchmarks.measuring import Timing
from benchmarks.profile import add_parts
from benchmarks.shapes import WORKS
from benchmarks.summaries import summaries, summary


def tables(rows: list[Row], peak: float) -> Iterator[Table]:
    """Give a table per cell and work: shapes down, contestants across."""
    for cell, work in dict.fromkeys((row.cell, row.work) for row in rows):
        chosen = [row for row in rows if (row.cell, row.work) == (cell, work)]
        yield table_of(f"{cell}, {work}", chosen, peak)


def table_of(title: str, rows: list[Row], peak: float) -> Table:
    """Give the table of one cell and work, with means of its ratios below."""
    peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
    table = empty_table(title)
    table.add_column("\n\nT, B, I, H", no_wrap=True)
    for heading in (f"\n{OURS}\nms", "\n\nGFLOP/s", "\nof\npeak", "\n\nnoise"):
        table.add_column(heading, justify="right", no_wrap=True)
    for peer in peers:
        table.add_column(f"{heading_of(peer)}\nms ratio", justify="right", no_wrap=True)
    if peers:
        table.add_column("\ntheir\nnoise", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*cells_of(row, peers, peak))
    if peers:
        add_means(table, rows, peers)
    return table


def add_means(table: Table, rows: list[Row], peers: list[str]) -> None:
    """Add the means of the ratios of one cell and work."""
    table.add_section()
    found = [
        summary(peer, rows[0].work, [row for row in rows if peer in row.timings])
        for peer in peers
    ]
    for heading, ratios in (
        ("mean, B > 1", [one.mean_of_batches for one in found]),
        ("mean, all", [one.mean for one in found]),
        ("worst", [one.worst for one in found]),
    ):
        table.add_row(heading, *[""] * 4, *map(ratio_text, ratios), "", style="bold")


def profiles(rows: list[Row], peak: float) -> Iterator[Table]:
    """Give a table per cell and work: where a step's time goes, shape by shape."""
    seen = [row for row in rows if row.parts]
    for cell, work in dict.fromkeys((row.cell, row.work) for row in seen):
        table = empty_table(f"{cell}, {work}: where the time of {OURS} goes")
        table.add_column("T, B, I, H", no_wrap=True)
        table.add_column("part", no_wrap=True)
        for heading in ("ms", "of step", "GFLOP/s", "of peak"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in seen:
            if (row.cell, row.work) == (cell, work):
                add_parts(table, row.shape, row.parts, peak)
        yield table


def empty_table(title: str) -> Table:
    """Give a table that loses no room between its columns."""
    return Table(
        title=title,
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def cells_of(row: Row, peers: list[str], peak: float) -> list[str]:
    """Give the texts of one row."""
    ours = row.timings[OURS]
    theirs = [row.timings[peer] for peer in row.peers]
    return [
        str(row.shape),
        milliseconds(ours),
        f"{row.gflops(OURS):.1f}",
        f"{row.gflops(OURS) / peak:.0%}",
        noise_of([ours]),
        *(
            f"{milliseconds(row.timings[peer])} {ratio_text(row.ratio(peer)):>5}"
            if peer in row.timings
            else "–"
            for peer in peers
        ),
        *([noise_of(theirs)] if peers else []),
    ]


def overview(rows: list[Row]) -> Table:
    """Give ours beside every peer in few numbers, over all cells."""
    title = f"{OURS}: times as quick, all cells"
    table = empty_table(title)
    table.add_column("beside", no_wrap=True)
    table.add_column("work", no_wrap=True)
    for heading in ("rows", "mean, B > 1", "mean, all", "worst"):
        table.add_column(heading, justify="right")
    table.add_column("at", no_wrap=True)
    for one in sorted(summaries(rows), key=lambda one: WORKS.index(one.work)):
        ratios = (one.mean_of_batches, one.mean, one.worst)
        table.add_row(
            *(one.peer, one.work, str(one.rows), *map(ratio_text, ratios)),
            one.worst_at,
        )
    return table


def heading_of(peer: str) -> str:
    """Give a name two lines, the second for what stands in parentheses."""
    return peer.replace(" (", "\n(") if " (" in peer else f"\n{peer}"


def milliseconds(timing: Timing) -> str:
    """Give a time with the three digits that it deserves, down to microseconds."""
    number = timing.seconds * 1e3
    digits = 3 if number < 1 else 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:.{digits}f}"


def ratio_text(ratio: float | None) -> str:
    """Give a ratio, where there is one."""
    if ratio is None:
        return "–"
    return f"{ratio:.2f}×" if ratio < 10 else f"{ratio:.0f}×"


def noise_of(timings: list[Timing]) -> str:
    """Give the largest noise, where there is more than one sample."""
    noises = [timing.noise for timing in timings]
    known = [noise for noise in noises if noise is not None]
    return f"{max(known):.0%}" if known and len(known) == len(noises) else "?"
