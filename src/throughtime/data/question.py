"""What is asked of the data: which kind of answer, how often, how far ahead."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

TaskName: TypeAlias = Literal["classify", "multilabel", "regress", "next", "forecast"]
Per: TypeAlias = Literal["step", "sequence"]

#: The tasks whose answers are the features of later steps.
ABOUT_THE_FUTURE: Final = ("next", "forecast")


@dataclass(frozen=True)
class Question:
    """What is to be predicted.

    Parameters
    ----------
    task
        `"classify"`: one of K classes for each target. `"multilabel"`: a yes or no for
        each target. `"regress"`: a real number for each target. `"next"`: the features
        of the next step, symbols or labels. `"forecast"`: the real-valued features of
        the next steps.
    per
        One answer per `"step"` or one per `"sequence"`; the last two tasks are per
        step.
    horizon
        H: a forecast is of the 1st to the H-th step after each.
    difference
        What a forecast predicts, and reads: 0 the values themselves; s > 0 their change
        since s steps before, so that levels outside the training range are no obstacle.
    """

    task: TaskName
    per: Per
    horizon: int = 1
    difference: int = 0
