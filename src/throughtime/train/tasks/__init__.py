"""TASKS: batches of the data, and the model's answers to them.

`answers` says what a task is and what it gives; `sequences` asks the questions of
columns (classes, labels, numbers, the next step, forecasts), `text` that of a text;
`truncated` learns either as a stream without end, of which `stretches` reads sequences
part by part; `weights` lets rare classes count more, `activity` what is active cost
something. A loss is that of an answer; what training makes small is the mean over the
answers of a batch that count.

May import what `train` may, `asking`, `preparing`, `model`, `truncation`, `ranks`, and
of `measuring` and `showing` what answers are called there.

Next: `loop`, which learns from the answers.
"""

from throughtime.data import Dataset, TextDataset
from throughtime.train.asking.settings import Settings
from throughtime.train.ranks import ALONE, Ranks
from throughtime.train.tasks.answers import Answers, Rerun, Task, Training
from throughtime.train.tasks.sequences import OfSequences
from throughtime.train.tasks.text import NextSymbol

__all__ = [
    "Answers",
    "NextSymbol",
    "OfSequences",
    "Rerun",
    "Task",
    "Training",
    "make_task",
]


def make_task(dataset: Dataset, settings: Settings, ranks: Ranks = ALONE) -> Task:
    """Choose the task that follows from the data, for this rank's share of the rows."""
    if isinstance(dataset, TextDataset):
        # A text has steps or a rule: `settle` and `open_run` see to it.
        rule = settings.rule
        steps = settings.steps or 0 if rule is None else rule.steps
        rows, l1 = settings.batch_size, settings.activity_l1
        return NextSymbol(dataset, rows, steps, rule, ranks, l1)
    return OfSequences(dataset, settings, ranks)
