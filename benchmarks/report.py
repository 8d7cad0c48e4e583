"""What a run found, for people, for programs and as a picture."""

import importlib.metadata
import json
import os
import platform
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.comparing import OURS, Row
from benchmarks.markdown import markdown
from benchmarks.picture import draw_rows
from benchmarks.profile import OVERHEAD
from benchmarks.shapes import Work
from benchmarks.summaries import summaries
from benchmarks.tables import overview, profiles, tables
from throughtime.backends.llvm.target import host

LIBRARIES = ("torch", "jax", "keras", "onnxruntime")
# Of a first call in seconds: from there on it is compiling that takes the time.
WORTH_TELLING = 0.5


@dataclass
class Report:
    """What was measured so far.

    Parameters
    ----------
    left_out
        Peers that take no part, and why.
    budget
        Seconds that a peer had for its first call.
    """

    left_out: dict[str, str]
    budget: float
    rows: list[Row] = field(default_factory=list)
    too_slow: dict[tuple[str, str, Work], int] = field(default_factory=dict)

    @property
    def peak(self) -> float:
        """The best GFLOP/s of fused multiply-adds in the whole run."""
        return max(row.peak for row in self.rows)

    def machine(self) -> dict[str, Any]:
        """Say where and under which load the times were taken."""
        return {
            "cpu": host().cpu,
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "load": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            "libraries": libraries(),
            "peak_gflops": self.peak,
            "peak_gflops_lowest": min(row.peak for row in self.rows),
        }

    def to_json(self) -> str:
        """Give everything as one JSON object."""
        document = {
            "machine": self.machine(),
            "left_out": self.left_out,
            "too_slow_to_compile": [
                {"peer": peer, "cell": cell, "work": work, "from_steps": steps}
                for (peer, cell, work), steps in self.too_slow.items()
            ],
            "summaries": [one.to_json() for one in summaries(self.rows)],
            "rows": [row.to_json(self.peak) for row in self.rows],
        }
        return json.dumps(document, indent=1, ensure_ascii=False)

    def print(self, console: Console) -> None:
        """Print tables, means, and what must be known to read them."""
        console.print(*tables(self.rows, self.peak), sep="\n")
        if any(row.peers for row in self.rows):
            console.print(overview(self.rows))
        for table in profiles(self.rows, self.peak):
            console.print(table)
        for line in self.notes():
            console.print(line, soft_wrap=True, markup=False)

    def notes(self) -> Iterator[str]:
        """Give the lines below the tables."""
        machine = self.machine()
        yield (
            "ms: median · ratio: the peer's time in ours · noise: interquartile range "
            "as a part of the median, of peers the largest · means are geometric"
        )
        yield (
            f"peak: fused multiply-adds in registers, {self.peak:.0f} GFLOP/s, the "
            f"best of the run ({machine['peak_gflops_lowest']:.0f} in its worst row)"
        )
        versions = ", ".join(
            f"{name} {version}" for name, version in libraries().items()
        )
        yield (
            f"{machine['cpu']}, {threads_text(machine)}, load {machine['load']}, "
            f"float32, Python {machine['python']}, {versions}"
        )
        taken = Counter(pair for row in self.rows for pair in row.ways.items())
        for (name, way), rows in taken.most_common():
            yield f"{name}: {way} was the quickest way in {rows} rows"
        if any(row.parts for row in self.rows):
            yield (
                f"parts: regions of compiled code, run one at a time; {OVERHEAD}: the "
                "rest of the step (Python, torch, autograd, memory)"
            )
        yield from self.notes_on_compiling()
        for name, reason in self.left_out.items():
            yield f"left out: {name} ({reason})"

    def notes_on_compiling(self) -> Iterator[str]:
        """Say what the times do not hold."""
        longest: dict[str, float] = {}
        for row in self.rows:
            for name, seconds in row.first_calls.items():
                longest[name] = max(seconds, longest.get(name, 0.0))
        told = [f"{n} {s:.1f} s" for n, s in longest.items() if s >= WORTH_TELLING]
        if told:
            yield f"longest first call, compiled then, not timed: {', '.join(told)}"
        for (peer, cell, work), steps in self.too_slow.items():
            yield (
                f"left out: {peer} of {cell}, {work}, from {steps} steps on "
                f"(compiling took more than {self.budget:g} s)"
            )

    def save(self, folder: Path) -> None:
        """Write `results.json`, `results.md` and `results.png`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "results.json").write_text(self.to_json() + "\n", encoding="utf-8")
        text = markdown(self.rows, self.peak, list(self.notes()))
        (folder / "results.md").write_text(text, encoding="utf-8")
        machine = self.machine()
        title = f"{OURS} and its peers: {machine['cpu']}, {threads_text(machine)}"
        (folder / "results.png").write_bytes(draw_rows(self.rows, self.peak, title))


def threads_text(machine: dict[str, Any]) -> str:
    """Give the number of threads in words."""
    threads = machine["threads"]
    return "1 thread" if threads == 1 else f"{threads} threads"


def libraries() -> dict[str, str]:
    """Give the versions of what is installed."""
    versions: dict[str, str] = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
