"""Where the time of a step goes: each region of the compiled code, and the rest."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from benchmarks.shapes import Shape, columns
from throughtime.backends.llvm.profile import (
    BACKWARD,
    BEFORE,
    INPUT_GRADIENT,
    LOOP,
    WEIGHT_GRADIENTS,
    profiled,
)

OVERHEAD = "overhead"
"""Of a step what no region takes: Python, torch, autograd, memory."""


@dataclass(frozen=True)
class Part:
    """What one region takes of a step, in all its calls together."""

    name: str
    seconds: float
    """In the step that takes the median of all, so that its parts add up."""
    of_step: float
    flops: int | None
    """Useful ones; None: nobody counts them here, or there are none."""

    @property
    def gflops(self) -> float | None:
        """Useful GFLOP/s."""
        return None if self.flops is None else self.flops / self.seconds / 1e9

    def to_json(self, peak: float) -> dict[str, Any]:
        """Give all of it, and what follows from it."""
        speed = self.gflops
        of_peak = None if speed is None else speed / peak
        return {**asdict(self), "gflops": speed, "of_peak": of_peak}


def profile_steps(
    run: Callable[[], object], cell: str, shape: Shape, seconds: float, rounds: int
) -> tuple[Part, ...]:
    """Run a layer of ours again and again, its regions one at a time.

    Parameters
    ----------
    run
        A step.
    cell, shape
        Which layer.
    seconds
        How long to go on.
    rounds
        At least so many steps, however long they take.
    """
    run()  # compiles, allocates, fills caches
    steps: list[tuple[float, dict[str, float]]] = []
    end = time.perf_counter() + seconds
    while len(steps) < rounds or time.perf_counter() < end:
        with profiled() as found:
            start = time.perf_counter()
            run()
            whole = time.perf_counter() - start
        found[OVERHEAD] = whole - sum(found.values())
        steps.append((whole, found))
    steps.sort(key=lambda step: step[0])
    whole, found = steps[len(steps) // 2]
    counts = useful_flops(cell, shape, projected=BEFORE in found)
    return tuple(
        Part(name, taken, taken / whole, counts.get(name))
        for name, taken in found.items()
    )


def useful_flops(cell: str, shape: Shape, *, projected: bool) -> dict[str, int]:
    """Count what `shapes.flops` counts, region by region.

    ``projected``: whether the products with x stand before the loop.
    """
    steps, batch, *_, hidden = shape
    inputs, recurrent = columns(cell, shape)
    counts = {
        BEFORE: inputs if projected else 0,
        LOOP: recurrent if projected else inputs + recurrent,
        BACKWARD + LOOP: recurrent,
        INPUT_GRADIENT: inputs,
        WEIGHT_GRADIENTS: inputs + recurrent,
    }
    one = 2 * steps * batch * hidden
    return {name: round(one * count) for name, count in counts.items()}


def add_parts(table: Table, shape: Shape, parts: tuple[Part, ...], peak: float) -> None:
    """Add the lines of one step to a table."""
    for line, part in enumerate(parts):
        table.add_row("" if line else str(shape), *_texts(part, peak))
    table.add_section()


def _texts(part: Part, peak: float) -> Iterator[str]:
    speed = part.gflops
    yield part.name
    yield f"{part.seconds * 1e3:.3f}"
    yield f"{part.of_step:.0%}"
    yield "" if speed is None else f"{speed:.1f}"
    yield "" if speed is None else f"{speed / peak:.0%}"
