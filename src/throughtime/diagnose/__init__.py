"""WHAT HAPPENED INSIDE: why a network does, or does not, learn from far back.

`flow`: how long error is at every step of a backward pass. `lags`: how much of the
error of a step reaches the states before it, `decay` how fast that falls with the lag.
`memory`: which lag an answer needs, beside what error reaches and what the training let
through. `bounds`: what no gradient can exceed, from the weights alone. How states move:
`trajectories` (what each layer passes through), `jacobians` of its steps, `lyapunov`
(how fast neighbouring states part), `fixed_points` (where they stand still), `flossing`
(exponents pushed towards 0), `flow_penalty` (error that keeps its size). Where the
weights lie: `hessian` (curvature of the loss), `surface` (minimum, saddle, plateau or
slope) with `line` and `slices`. `findings`: what the numbers of a `diagnosis` and the
`course` of its training mean, in sentences with a remedy each, by the `thresholds` of
one table. `lab`: a room of exact toy experiments, known in closed form and measured
with the same engine that trains.

May import `optim`, `nn` and the rooms below, NumPy, SciPy, torch and matplotlib; knows
neither data nor training, but is given modules, tensors and functions.

Next: `train`, which asks all of it of a saved run.
"""

from throughtime.diagnose import lab
from throughtime.diagnose.bounds import GradientBounds, gradient_bounds, layer_bounds
from throughtime.diagnose.course import Course
from throughtime.diagnose.diagnosis import Diagnosis, Finding
from throughtime.diagnose.findings import find
from throughtime.diagnose.fixed_points import FixedPoint, fixed_points
from throughtime.diagnose.flossing import flossing_loss
from throughtime.diagnose.flow import GradientFlow, gradient_flow
from throughtime.diagnose.flow_penalty import FlowPenalty
from throughtime.diagnose.hessian import (
    Extremes,
    Index,
    extreme_eigenvalues,
    hessian_matrix,
    hessian_product,
    negative_share,
)
from throughtime.diagnose.jacobians import jacobians
from throughtime.diagnose.lags import GradientsByLag, gradients_by_lag
from throughtime.diagnose.line import Line, loss_line
from throughtime.diagnose.lyapunov import Spectrum, lyapunov_spectrum
from throughtime.diagnose.memory import horizon, needed_history
from throughtime.diagnose.slices import Slice, loss_slice
from throughtime.diagnose.surface import Surface, loss_surface

__all__ = [
    "Course",
    "Diagnosis",
    "Extremes",
    "Finding",
    "FixedPoint",
    "FlowPenalty",
    "GradientBounds",
    "GradientFlow",
    "GradientsByLag",
    "Index",
    "Line",
    "Slice",
    "Spectrum",
    "Surface",
    "extreme_eigenvalues",
    "find",
    "fixed_points",
    "flossing_loss",
    "gradient_bounds",
    "gradient_flow",
    "gradients_by_lag",
    "hessian_matrix",
    "hessian_product",
    "horizon",
    "jacobians",
    "lab",
    "layer_bounds",
    "loss_line",
    "loss_slice",
    "loss_surface",
    "lyapunov_spectrum",
    "needed_history",
    "negative_share",
]
