"""`python -m benchmarks.larger_than_memory`: data beyond memory against data in it.

A folder of Parquet files is written, read, and passed through once in batches, with
few rows in memory and with all; each way in a process of its own, whose resident
memory is looked at all the time. Then an LSTM learns from some batches of both.
"""

import json
import multiprocessing
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.picture_of_memory import draw_memory
from throughtime.cells import LSTM
from throughtime.data import Reading, SequenceBatches, SequenceDataset, read
from throughtime.nn import Recurrent

FEATURES = 13
HIDDEN = 128
BATCH_SIZE = 32
ROWS_OF_A_FILE = 500_000
STEPS = 250  # of a sequence, on average
STATUS = Path("/proc/self/status")
EVERYTHING = "1TB"


@dataclass
class Watch:
    """Looks at what its process holds beyond the start, while it is open."""

    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def __enter__(self) -> "Watch":
        self._start, self._before = time.perf_counter(), _resident()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.05):
            self.seconds.append(time.perf_counter() - self._start)
            self.megabytes.append(_resident() - self._before)


def _resident() -> float:
    lines = (line.split() for line in STATUS.read_text().splitlines())
    kibibytes = next(int(words[1]) for words in lines if words[0] == "VmRSS:")
    return kibibytes * 1024 / 1e6


def write_folder(folder: Path, gigabytes: float) -> int:
    """Write sequences of random steps, each with a class; return the number of rows."""
    generator = np.random.default_rng(0)
    rows = int(gigabytes * 1e9 / (4 * (FEATURES + 1)))
    first = 0
    for number, start in enumerate(range(0, rows, ROWS_OF_A_FILE)):
        count = min(ROWS_OF_A_FILE, rows - start)
        sequences = first + np.sort(generator.integers(0, count // STEPS + 1, count))
        first = int(sequences[-1]) + 1
        x = generator.standard_normal((count, FEATURES), dtype=np.float32)
        table: dict[str, Any] = {"id": sequences.astype(np.int32)}
        table |= {f"x{k}": x[:, k] for k in range(FEATURES)}
        table["label"] = (sequences % 7 < 3).astype(np.int8)
        file = folder / f"part-{number:04}.parquet"
        pl.DataFrame(table).write_parquet(file, compression="uncompressed")
    return rows


def batches_of(dataset: SequenceDataset) -> SequenceBatches:
    """Give the training part in an order that is drawn."""
    generator = torch.Generator().manual_seed(0)
    return SequenceBatches(
        dataset.frames, dataset.splits["train"], BATCH_SIZE, generator
    )


def measure(folder: str, memory: str, steps: int, threads: int) -> dict[str, Any]:
    """Read, pass through the training part, and learn from some batches of it."""
    torch.set_num_threads(threads)
    module = Recurrent(LSTM(), FEATURES, HIDDEN)
    found: dict[str, Any] = {}
    with Watch() as watch:
        start = time.perf_counter()
        dataset = read(folder, Reading(sequence="id", target="label", memory=memory))
        assert isinstance(dataset, SequenceDataset)
        found["reading"] = time.perf_counter() - start
        start = time.perf_counter()
        rows = sum(int(batch.lengths.sum()) for batch in batches_of(dataset))
        found["rows_per_second"] = rows / (time.perf_counter() - start)
        found["learning"] = learn(module, dataset, steps)
    found |= {"peak": max(watch.megabytes), "seconds": watch.seconds}
    return found | {"megabytes": watch.megabytes}


def learn(module: Recurrent, dataset: SequenceDataset, steps: int) -> float:
    """Return how many sequences a second are loaded and learned from."""
    batches = iter(batches_of(dataset))
    start = count = 0.0
    for number, batch in zip(range(steps + 3), batches, strict=False):
        if number == 3:  # the first ones compile, and find their memory
            start = time.perf_counter()
        x = batch.frames[..., :FEATURES].float()
        output, _ = module(x, lengths=batch.lengths)
        output.sum().backward()
        count += len(batch.pieces) if number >= 3 else 0
    return count / (time.perf_counter() - start)


@click.command(help=__doc__)
@click.option("--gigabytes", default=2.0, show_default=True, help="Of numbers.")
@click.option("--memory", default="256MB", show_default=True, help="As Reading has it.")
@click.option("--steps", default=100, show_default=True, help="Batches to learn from.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--picture", type=click.Path(), help="Where to draw memory over time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(
    gigabytes: float,
    memory: str,
    steps: int,
    threads: int,
    picture: str | None,
    as_json: bool,
) -> None:
    """Measure both ways, one after the other."""
    fresh = multiprocessing.get_context("spawn")
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        rows = write_folder(Path(folder), gigabytes)
        for name, given in ((f"memory={memory}", memory), ("in memory", EVERYTHING)):
            with fresh.Pool(1) as alone:
                found[name] = alone.apply(measure, (folder, given, steps, threads))
    if picture is not None:
        Path(picture).write_bytes(draw_memory(found, gigabytes))
    if as_json:
        click.echo(json.dumps(found))
        return
    table = Table(title=f"{rows} rows of {FEATURES} features, {gigabytes:g} GB")
    for heading in ("", "peak MB", "reading s", "rows/s", "sequences/s learned"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, one in found.items():
        figures = ("peak", "reading", "rows_per_second", "learning")
        table.add_row(name, *(f"{one[figure]:,.0f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
