"""One cell, one shape, one kind of work: results compared first, then times."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring import Timing, measure_in_turn
from benchmarks.peers import Ours, Peer, peers_of, weights_of
from benchmarks.shapes import Shape, Work, flops

# Of the norm of a result: the rounding of float32 over a thousand steps stays far
# below, another equation does not.
LARGEST_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class Row:
    """What was measured of a peer and of ours, in turn."""

    cell: str
    shape: Shape
    work: Work
    peer: str
    ours: Timing
    theirs: Timing
    peak: float
    """GFLOP/s of fused multiply-adds, measured right before."""

    @property
    def ratio(self) -> float:
        """How many times as quick as the peer ours is."""
        return self.theirs.seconds / self.ours.seconds

    def gflops(self, timing: Timing) -> float:
        """Give the useful GFLOP/s of one of them."""
        return flops(self.cell, self.shape, self.work) / timing.seconds / 1e9

    def to_json(self) -> dict[str, Any]:
        """Give all of it, and what follows from it."""
        return {
            "cell": self.cell,
            "shape": self.shape._asdict(),
            "work": self.work,
            "peer": self.peer,
            "ours": {**asdict(self.ours), "gflops": self.gflops(self.ours)},
            "theirs": {**asdict(self.theirs), "gflops": self.gflops(self.theirs)},
            "ratio": self.ratio,
            "peak_gflops": self.peak,
        }


def contestants(cell: str, shape: Shape) -> list[Peer]:
    """Build ours and then every peer, with the same weights."""
    weights = weights_of(cell, shape)
    return [kind(cell, shape, weights) for kind in (Ours, *peers_of(cell))]


def compare(
    peers: list[Peer],
    cell: str,
    shape: Shape,
    work: Work,
    *,
    seconds: float,
    rounds: int,
    peak: float,
) -> list[Row]:
    """Measure ours beside each peer, which have to give the same numbers.

    Parameters
    ----------
    peers
        What `contestants` gave.
    cell, shape, work
        What is run.
    seconds, rounds
        As in `measure_in_turn`.
    peak
        GFLOP/s of the machine.
    """
    peers = [peer for peer in peers if work in peer.works]
    runs = runs_of(peers, shape, work)
    check_equal(runs)
    timings = measure_in_turn(runs, seconds, rounds)
    ours, *others = (peer.name for peer in peers)
    return [
        Row(cell, shape, work, name, timings[ours], timings[name], peak)
        for name in others
    ]


def runs_of(
    peers: list[Peer], shape: Shape, work: Work
) -> dict[str, Callable[[], Tensor | list[Tensor]]]:
    """Give what each contestant does in one sample."""
    torch.manual_seed(0)
    x = torch.randn(shape.steps, shape.batch, shape.inputs)
    error = torch.randn(shape.steps, shape.batch, shape.hidden)
    if work == "inference":
        return {peer.name: partial(peer.infer, x) for peer in peers}
    x.requires_grad_(work == "training with ∂x")
    return {peer.name: partial(peer.train, x, error) for peer in peers}


def check_equal(runs: dict[str, Callable[[], Tensor | list[Tensor]]]) -> None:
    """Raise unless all contestants compute the same."""
    results = {name: run() for name, run in runs.items()}
    (_, ours), *others = (
        (name, [value] if isinstance(value, Tensor) else value)
        for name, value in results.items()
    )
    for name, theirs in others:
        for mine, other in zip(ours, theirs, strict=True):
            error = ((mine - other).norm() / other.norm()).item()
            if not error <= LARGEST_DIFFERENCE:
                raise ArithmeticError(
                    f"throughtime and {name} differ by {error:.1e} of the result's "
                    f"norm, expected at most {LARGEST_DIFFERENCE:.0e}: "
                    "times of different results say nothing"
                )
