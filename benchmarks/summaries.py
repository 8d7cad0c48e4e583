"""Ratios over several shapes in few numbers."""

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.comparing import Row
from benchmarks.shapes import WORKS, Work, geometric_mean


@dataclass(frozen=True)
class Summary:
    """How many times as quick as a peer ours is, over the rows it took part in."""

    peer: str
    work: Work
    rows: int
    mean: float
    """Geometric."""
    mean_of_batches: float | None
    """Geometric, of the rows with B > 1; None: there is none."""
    worst: float
    worst_at: str
    """Cell and shape."""

    def to_json(self) -> dict[str, Any]:
        """Give all of it."""
        return asdict(self)


def summaries(rows: list[Row]) -> list[Summary]:
    """Summarise every peer in every kind of work."""
    peers = dict.fromkeys(peer for row in rows for peer in row.peers)
    return [
        summary(peer, work, chosen)
        for peer in peers
        for work in WORKS
        if (chosen := [r for r in rows if r.work == work and peer in r.timings])
    ]


def summary(peer: str, work: Work, rows: list[Row]) -> Summary:
    """Summarise a peer in rows of one kind of work, of which there is at least one."""
    batches = [row.ratio(peer) for row in rows if row.shape.batch > 1]
    worst = min(rows, key=lambda row: row.ratio(peer))
    return Summary(
        peer=peer,
        work=work,
        rows=len(rows),
        mean=geometric_mean([row.ratio(peer) for row in rows]),
        mean_of_batches=geometric_mean(batches) if batches else None,
        worst=worst.ratio(peer),
        worst_at=f"{worst.cell}, {worst.shape}",
    )
