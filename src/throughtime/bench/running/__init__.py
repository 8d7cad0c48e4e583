"""RUNNING TASKS: what all tasks share, so that a task file is its definition alone.

In reading order: `task` (what a task says of itself, and the recipe it is learned by),
`drawn` (learning from sequences that are drawn as they are needed), `fitted` (learning
from data by `fit`), `agreement` (the same updates on two backends), `runs` (a run and
its JSON file), `table` (runs as a table).

May import `train` and all rooms below. Next: the task files beside this folder.
"""
