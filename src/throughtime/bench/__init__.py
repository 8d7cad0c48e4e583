"""LEARNING TASKS with published numbers: what a method has to show.

A file each: what the task is, what a method without memory reaches, what was published,
and a function that learns it and returns what came out.

`influence_balancing` (a system in which too short a truncation has the wrong sign),
`fixed_copy` (symbols repeated ten steps later) and `delayed_recall` (symbols of lag L)
tell how far error has to flow back. `comparing` sets baselines beside recurrent
networks on any data.

May import `train` and all rooms below. Speed is measured elsewhere, in `benchmarks/` at
the top of the repository, which is not shipped. Next: `cli`.
"""

from throughtime.bench import (
    delayed_recall,
    fixed_copy,
    influence_balancing,
    temporal_order,
)
from throughtime.bench.comparing import Comparison, compare

__all__ = [
    "Comparison",
    "compare",
    "delayed_recall",
    "fixed_copy",
    "influence_balancing",
    "temporal_order",
]
