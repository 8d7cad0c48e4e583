"""Tables as they are printed: plain and aligned, for a log, too."""

import io
from collections.abc import Sequence


def aligned(headers: Sequence[str], rows: Sequence[Sequence[str | float]]) -> list[str]:
    """Write the lines of a table; columns of numbers alone stand to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for place, header in enumerate(headers):
        numbers = all(not isinstance(row[place], str) for row in rows)
        table.add_column(header, justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*map(_cell, row))
    # As wide as it needs to be, and no escape codes: a log holds it, too.
    console = Console(file=io.StringIO(), width=10_000, color_system=None)
    with console.capture() as text:
        console.print(table)
    return [line.rstrip() for line in text.get().splitlines()]


def _cell(given: str | float) -> str:
    """Write a number with four digits; a rounded one shows that its zeros are known."""
    if isinstance(given, str):
        return given
    short = f"{given:.4g}"
    return short if float(short) == given else f"{given:#.4g}"
