"""`python -m benchmarks.ngram TEXT`: n-gram models of all orders, on a text.

The first 90 % of the characters are counted, the next 5 % say which order is best, the
last 5 % are the test. Bits per character; `--split blocks` is the split of bundled
texts. `python scripts/make_shakespeare.py --all all.txt` writes the text that the
published row is about.
"""

import json
import time
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from throughtime.baselines.counting import count, stream_of
from throughtime.baselines.smoothing import SMOOTHINGS, each_order
from throughtime.data import TextDataset
from throughtime.data.text import read_text, text_dataset
from throughtime.data.types import Split

# Of all 5,057,198 characters of the package shakespeare 0.6, found by a separate
# program: for each order validation and test, one discount.
CHARACTERS: Final = 5_057_198
KNOWN: Final = (
    (4.856, 4.750),
    (3.646, 3.687),
    (2.999, 2.852),
    (2.490, 2.438),
    (2.258, 2.217),
    (2.178, 2.146),
    (2.182, 2.144),
    (2.196, 2.161),
    (2.210, 2.175),
)
PARTS: Final[tuple[Split, ...]] = ("validation", "test")


def measure(dataset: TextDataset, orders: int) -> dict[str, Any]:
    """Return bits per character of every smoothing, part and order."""
    size = len(dataset.vocabulary)
    started = time.perf_counter(), time.process_time()
    tables = count(stream_of([dataset.part("train")], size), size, orders)
    result: dict[str, Any] = {
        "counting": time.perf_counter() - started[0],
        "counting (CPU)": time.process_time() - started[1],
        "stretches": [len(one.codes) for one in tables],
    }
    for part in PARTS:
        stream = stream_of([dataset.part(part)], size)
        for name, smoothing in SMOOTHINGS.items():
            shares = each_order(smoothing, tables, stream, size)
            # The mark, and the first symbol after it, do not count.
            bits = [float(-np.log2(one[2:]).mean()) for one in shares]
            result.setdefault(name, {})[part] = bits
    return result


def table_of(result: dict[str, Any], known: bool) -> Table:
    """Lay the orders out in rows."""
    table = Table(title="bits per character: validation, test")
    table.add_column("n", justify="right")
    for name in [*SMOOTHINGS, *(["known"] if known else [])]:
        table.add_column(name, justify="right")
    for place in range(len(result["stretches"])):
        row = [
            "  ".join(f"{result[name][part][place]:.4f}" for part in PARTS)
            for name in SMOOTHINGS
        ]
        if known and place < len(KNOWN):
            row.append("  ".join(f"{bits:.3f}" for bits in KNOWN[place]))
        table.add_row(str(place + 1), *row)
    return table


@click.command(help=__doc__)
@click.argument("text", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--orders", default=9, show_default=True, help="The longest.")
@click.option("--split", type=click.Choice(["time", "blocks"]), default="time")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def main(text: Path, orders: int, split: str, as_json: bool) -> None:
    """Count, measure, and print."""
    given = read_text(text)
    dataset = text_dataset(given, text.name, split="time" if split == "time" else None)
    result = measure(dataset, orders)
    if as_json:
        click.echo(json.dumps(result))
        return
    console = Console()
    known = split == "time" and len(given) == CHARACTERS
    console.print(table_of(result, known))
    for name in SMOOTHINGS:
        validation, test = (np.array(result[name][part]) for part in PARTS)
        best = int(validation.argmin())
        console.print(f"{name}: order {best + 1} by validation, test {test[best]:.4f}")
    wall, busy = result["counting"], result["counting (CPU)"]
    console.print(f"counted in {wall:.1f} s, {busy:.1f} s of them at work")


if __name__ == "__main__":
    main()
