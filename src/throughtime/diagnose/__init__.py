"""WHAT HAPPENED INSIDE: why a network does, or does not, learn from far back.

`lags` measures how much of the error of a step reaches the states before it, `decay`
how fast that falls with the lag, `memory` which lag an answer needs, beside what error
reaches and what the training let through; `findings` says in sentences what the numbers
mean, with a remedy for each, by the `thresholds` of one table.

May import `optim`, `nn` and the rooms below, NumPy and torch; knows neither data nor
training: it is given modules, tensors and functions.

Next: `train.diagnosing`, which does all of it for a saved run.
"""

from throughtime.diagnose.course import Course
from throughtime.diagnose.diagnosis import Diagnosis, Finding
from throughtime.diagnose.findings import find
from throughtime.diagnose.lags import GradientsByLag, gradients_by_lag
from throughtime.diagnose.memory import horizon, needed_history

__all__ = [
    "Course",
    "Diagnosis",
    "Finding",
    "GradientsByLag",
    "find",
    "gradients_by_lag",
    "horizon",
    "needed_history",
]
