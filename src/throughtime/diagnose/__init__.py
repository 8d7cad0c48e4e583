"""WHAT HAPPENED INSIDE: why a network does, or does not, learn from far back.

`flow`: how long error is at every step of a backward pass. `lags`: how much of the
error of a step reaches the states before it, `decay` how fast that falls with the lag.
`memory`: which lag an answer needs, beside what error reaches and what the training let
through. `bounds`: what no gradient can exceed, from the weights alone. `findings`: what
the numbers of a `diagnosis` and the `course` of its training mean, in sentences with a
remedy each, by the `thresholds` of one table. `lab`: a room of exact toy experiments,
known in closed form and measured with the same engine that trains.

May import `optim`, `nn` and the rooms below, NumPy, torch and matplotlib; knows neither
data nor training, but is given modules, tensors and functions.

Next: `train`, which asks all of it of a saved run.
"""

from throughtime.diagnose import lab
from throughtime.diagnose.bounds import GradientBounds, gradient_bounds, layer_bounds
from throughtime.diagnose.course import Course
from throughtime.diagnose.diagnosis import Diagnosis, Finding
from throughtime.diagnose.findings import find
from throughtime.diagnose.flow import GradientFlow, gradient_flow
from throughtime.diagnose.lags import GradientsByLag, gradients_by_lag
from throughtime.diagnose.memory import horizon, needed_history

__all__ = [
    "Course",
    "Diagnosis",
    "Finding",
    "GradientBounds",
    "GradientFlow",
    "GradientsByLag",
    "find",
    "gradient_bounds",
    "gradient_flow",
    "gradients_by_lag",
    "horizon",
    "lab",
    "layer_bounds",
    "needed_history",
]
