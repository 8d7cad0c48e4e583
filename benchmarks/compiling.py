"""`python -m benchmarks.compiling`: how long the first calls of a layer take.

Inference, forward and backward of a cell and size are compiled when each is first run.
Cold: in a process whose cache of compiled code is empty. Cached: in a second process,
with what the first one left. Another cell has run before in both, so that no library
is loaded within the times.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table

import throughtime as tt
from benchmarks.options import read_cells
from benchmarks.peers import layer_of
from benchmarks.shapes import Shape
from throughtime.backends.llvm.object_cache import VARIABLE

ROOT = Path(__file__).parent.parent
PHASES = ("inference", "forward", "backward")


def first_calls(cell: str, size: int) -> dict[str, float]:
    """Give the seconds of each first call of a layer of I = H = size in this process.

    One sequence of two steps: what is left is tracing, planning, compiling, loading.
    """
    _run_once(tt.nn.Recurrent(tt.cells.Feedforward(), 3, 5, backend="llvm"), 3)
    module = layer_of(cell, Shape(2, 1, size, size))
    return _run_once(module, size)


def _run_once(module: tt.nn.Recurrent, size: int) -> dict[str, float]:
    x = torch.randn(2, 1, size)
    with torch.inference_mode():
        inference = _seconds(lambda: module(x))
    outputs: list[torch.Tensor] = []
    forward = _seconds(lambda: outputs.append(module(x)[0].sum()))
    backward = _seconds(outputs[0].backward)
    return dict(zip(PHASES, (inference, forward, backward), strict=True))


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_a_process(cell: str, size: int, cache: Path) -> dict[str, float]:
    """Give the first calls of a new process with its own folder of compiled code."""
    code = (
        "import json; from benchmarks.compiling import first_calls; "
        f"print(json.dumps(first_calls({cell!r}, {size})))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, VARIABLE: str(cache)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(answer.stdout)


def cold_and_cached(cell: str, size: int) -> dict[str, dict[str, float]]:
    """Give the first calls with an empty folder, and again with what is then there."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        return {
            "cold": in_a_process(cell, size, cache),
            "cached": in_a_process(cell, size, cache),
        }


@click.command(help=__doc__)
@click.option(
    "--cells",
    default="LSTM,GRU",
    show_default=True,
    callback=read_cells,
    help="Which cells.",
)
@click.option(
    "--size",
    default=128,
    show_default=True,
    type=click.IntRange(min=1),
    help="Input features and hidden units.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead.")
def main(cells: list[str], size: int, as_json: bool) -> None:
    found = {cell: cold_and_cached(cell, size) for cell in cells}
    if as_json:
        print(json.dumps({"size": size, "seconds": found}, indent=1))
        return
    table = Table(title=f"First call in milliseconds, I = H = {size}, float32")
    table.add_column("cell")
    table.add_column("code")
    for phase in PHASES:
        table.add_column(phase, justify="right")
    for cell, kinds in found.items():
        for kind, seconds in kinds.items():
            texts = (f"{seconds[phase] * 1e3:.1f}" for phase in PHASES)
            table.add_row(cell, kind, *texts)
    Console().print(table)


if __name__ == "__main__":
    main()
