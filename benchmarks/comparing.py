"""One cell, one shape, one kind of work: results compared first, then times."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring import Timing, measure_in_turn
from benchmarks.peers import Ours, Peer, output_size
from benchmarks.profile import Part, profile_steps
from benchmarks.shapes import Shape, Work, flops
from benchmarks.time_limit import TimeIsUp, time_limit

# Of the norm of a result: the rounding of float32 over a thousand steps stays far
# below, another equation does not.
LARGEST_DIFFERENCE = 1e-3
OURS = Ours.name
# Of the time for a row, once more for its profile.
PROFILE_SHARE = 0.25


@dataclass(frozen=True)
class Row:
    """What was measured of ours and of each peer, in turn."""

    cell: str
    shape: Shape
    work: Work
    timings: Mapping[str, Timing]
    """By name, ours first."""
    first_calls: Mapping[str, float]
    """Seconds of preparing and of the first call: what is compiled is compiled then."""
    ways: Mapping[str, str]
    """Which of its several ways a peer took."""
    peak: float
    """GFLOP/s of fused multiply-adds, the better of right before and right after."""
    parts: tuple[Part, ...] = ()
    """Where the time of ours goes, if that was asked for."""

    @property
    def peers(self) -> list[str]:
        """Who stands beside ours."""
        return [name for name in self.timings if name != OURS]

    def ratio(self, peer: str) -> float:
        """Give how many times as quick as the peer ours is."""
        return self.timings[peer].seconds / self.timings[OURS].seconds

    def gflops(self, name: str) -> float:
        """Give the useful GFLOP/s of a contestant."""
        count = flops(self.cell, self.shape, self.work)
        return count / self.timings[name].seconds / 1e9

    def to_json(self, peak: float) -> dict[str, Any]:
        """Give all of it, and what follows from it; ``peak`` is the run's."""
        parts = [part.to_json(peak) for part in self.parts]
        return {
            "cell": self.cell,
            "shape": self.shape._asdict(),
            "work": self.work,
            "peak_gflops": self.peak,
            "contestants": {
                name: {
                    **asdict(timing),
                    "first_call": self.first_calls[name],
                    "way": self.ways.get(name),
                    "gflops": self.gflops(name),
                    "of_peak": self.gflops(name) / peak,
                    "ratio": self.ratio(name),
                }
                for name, timing in self.timings.items()
            },
            **({"parts": parts} if parts else {}),
        }


@dataclass
class Bench:
    """Compares contestants, and remembers who took too long to get ready.

    Parameters
    ----------
    seconds, rounds
        As in `measure_in_turn`.
    compile_budget
        Seconds for a peer's first call.
    peak
        Measures the machine, in GFLOP/s.
    profile
        Whether to see where the time of ours goes.
    """

    seconds: float
    rounds: int
    compile_budget: float
    peak: Callable[[], float]
    profile: bool = False
    too_slow: dict[tuple[str, str, Work], int] = field(default_factory=dict)
    """The fewest steps that took longer than the budget, by peer, cell and work."""

    def compare(self, peers: list[Peer], cell: str, shape: Shape, work: Work) -> Row:
        """Measure ours, which comes first, beside each peer that has such work.

        Raises
        ------
        ArithmeticError
            If a peer's numbers differ from ours.
        """
        torch.manual_seed(0)
        x = torch.randn(shape.steps, shape.batch, shape.inputs)
        size = output_size(cell, shape)
        error = torch.randn(shape.steps, shape.batch, size)
        runs: dict[str, Callable[[], object]] = {}
        first_calls: dict[str, float] = {}
        ways: dict[str, str] = {}
        ours: list[Tensor] = []
        for peer in (peer for peer in peers if work in peer.works):
            start = time.perf_counter()
            try:
                with self.limit(peer.name, cell, work, shape.steps):
                    run = peer.run(work, x, error)
                    result = run.once()
            except TimeIsUp:
                continue
            first_calls[peer.name] = time.perf_counter() - start
            ours = ours or run.tensors(result)
            check_equal(ours, peer.name, run.tensors(result))
            runs[peer.name] = run.once
            if run.way is not None:
                ways[peer.name] = run.way
        before = self.peak()
        timings = measure_in_turn(runs, self.seconds, self.rounds)
        parts = self.parts(runs[OURS], cell, shape) if self.profile else ()
        peak = max(before, self.peak())
        return Row(cell, shape, work, timings, first_calls, ways, peak, parts)

    def parts(
        self, run: Callable[[], object], cell: str, shape: Shape
    ) -> tuple[Part, ...]:
        """See where the time of ours goes."""
        seconds = PROFILE_SHARE * self.seconds
        return profile_steps(run, cell, shape, seconds, self.rounds)

    @contextmanager
    def limit(self, peer: str, cell: str, work: Work, steps: int) -> Iterator[None]:
        """Raise `TimeIsUp` if the body takes a peer too long, or fewer steps have."""
        key = (peer, cell, work)
        if steps >= self.too_slow.get(key, steps + 1):
            raise TimeIsUp
        try:
            with (
                nullcontext() if peer == OURS else time_limit(self.compile_budget),
                warnings.catch_warnings(),
            ):
                # torch.compile tells so of whatever interrupts it.
                warnings.filterwarnings("ignore", "Error detected in .*Backward")
                yield
        except TimeIsUp:
            self.too_slow[key] = steps
            raise


def check_equal(ours: list[Tensor], name: str, theirs: list[Tensor]) -> None:
    """Raise unless a peer's tensors are ours."""
    for mine, other in zip(ours, theirs, strict=True):
        # A wrong shape would broadcast.
        same = mine.shape == other.shape
        error = ((mine - other).norm() / other.norm()).item() if same else torch.inf
        if not error <= LARGEST_DIFFERENCE:
            raise ArithmeticError(
                f"{OURS} and {name} differ by {error:.1e} of the result's norm, "
                f"expected at most {LARGEST_DIFFERENCE:.0e}: "
                "times of different results say nothing"
            )
