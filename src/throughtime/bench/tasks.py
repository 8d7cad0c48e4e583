"""All tasks by name."""

from collections.abc import Mapping
from typing import Final

from throughtime.bench import (
    adding,
    chorales,
    copy_memory,
    delayed_recall,
    embedded_reber,
    fixed_copy,
    influence_balancing,
    pixels,
    temporal_order,
    texts,
)
from throughtime.bench.running.task import Task
from throughtime.errors import UnknownTask
from throughtime.errors.base import did_you_mean

TASKS: Final[Mapping[str, Task]] = {
    task.name: task
    for task in (
        adding.TASK,
        copy_memory.TASK,
        temporal_order.TASK,
        embedded_reber.TASK,
        influence_balancing.TASK,
        fixed_copy.TASK,
        delayed_recall.TASK,
        pixels.DIGITS,
        pixels.PERMUTED_DIGITS,
        pixels.FASHION_ROWS,
        pixels.PERMUTED_FASHION,
        chorales.TASK,
        texts.SHAKESPEARE,
        texts.TEXT,
    )
}


def find_task(name: str) -> Task:
    """Return a task.

    Raises
    ------
    UnknownTask
        There is none of this name.
    """
    if name not in TASKS:
        known, hint = ", ".join(TASKS), did_you_mean(name, TASKS)
        raise UnknownTask(given=name, hint=hint, known=known)
    return TASKS[name]
