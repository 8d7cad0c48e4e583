"""SEVERAL STARTS: one training for each of some seeds, of which the best is kept.

The loss of a network is not convex: where training ends depends on where it began, and
a single run says nothing of how much. `several` is the whole of it; `outcomes`, what
came of each seed; `processes`, several trainings at a time, each a process that begins
in `child`; `crossing`, how cell and data get there.

May import what `train` may but `fitting`, which calls it and is what it calls.

Next: `fitting`.
"""

from throughtime.train.restarting.several import check_restarts, restarted

__all__ = ["check_restarts", "restarted"]
