"""MEASURING: how good answers are, how sure that is, and how it looks.

In reading order: `predicted` (answers beside the truth), `additive` and `metrics`
(numbers by the kind of answer), `resampling` and `intervals` (how far a number may be
from the true one), `pictures` with its `charts` and `courses` (a PNG that suits the
question), `report` (all of it: `evaluate`).

Functions on arrays alone: nothing here knows a model, so that whatever answers can be
measured. May import `data`, NumPy, scikit-learn, matplotlib and, where needed,
torchmetrics; of `train` only how its pictures look, how its files are written, and its
words for metrics.

Next: `train.runs`, which lets a model answer.
"""

from throughtime.train.measuring.intervals import Interval, interval
from throughtime.train.measuring.metrics import main_metric, metrics
from throughtime.train.measuring.pictures import draw
from throughtime.train.measuring.predicted import Predicted
from throughtime.train.measuring.report import Evaluation, check_picture, evaluate

__all__ = [
    "Evaluation",
    "Interval",
    "Predicted",
    "check_picture",
    "draw",
    "evaluate",
    "interval",
    "main_metric",
    "metrics",
]
