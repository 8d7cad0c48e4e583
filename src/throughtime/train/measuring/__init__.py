"""MEASURING: how good answers are, how sure that is, and how it looks.

In reading order: `predicted` (answers beside the truth), `metrics` (numbers by task),
`intervals` (how far a number may be from the true one), `pictures` (a PNG that suits
the task), `report` (all of it, for `evaluate`).

Functions on arrays alone: nothing here knows a model, so that anything that answers
can be measured by it. May import `data`, NumPy, scikit-learn, matplotlib and, where
needed, torchmetrics; never the rest of `train`.

Next: `train.runs`, which lets a model answer.
"""

from throughtime.train.measuring.metrics import metrics
from throughtime.train.measuring.predicted import Predicted

__all__ = ["Predicted", "metrics"]
