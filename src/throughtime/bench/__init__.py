"""LEARNING TASKS with published numbers: what a method has to show.

A file each: what the task is, word for word, what a method without memory reaches, what
was published, and the recipe by which it is learned. `tasks` names all, `running` is
what they share.

`adding`, `copy_memory`, `temporal_order` and `embedded_reber` ask for long memory;
`influence_balancing`, `fixed_copy` and `delayed_recall` tell how far error has to flow
back; `pixels`, `chorales` and `texts` are data. `lagged_source` tells Markov chains
from recurrent networks: what it takes to be said lies L steps back.

`comparing` sets baselines beside recurrent networks, and `successors` of them.

May import `baselines`, `train` and all rooms below. Speed is measured in `benchmarks/`
at the top of the repository, which is not shipped. Next: `cli`.
"""

from throughtime.bench import (
    delayed_recall,
    fixed_copy,
    influence_balancing,
    lagged_source,
    successors,
    temporal_order,
)
from throughtime.bench.comparing import Comparison, compare
from throughtime.bench.running.agreement import Agreement, agreement
from throughtime.bench.running.runs import Result, run
from throughtime.bench.running.task import Engine, Recipe, Task
from throughtime.bench.tasks import TASKS, find_task

__all__ = [
    "TASKS",
    "Agreement",
    "Comparison",
    "Engine",
    "Recipe",
    "Result",
    "Task",
    "agreement",
    "compare",
    "delayed_recall",
    "find_task",
    "fixed_copy",
    "influence_balancing",
    "lagged_source",
    "run",
    "successors",
    "temporal_order",
]
