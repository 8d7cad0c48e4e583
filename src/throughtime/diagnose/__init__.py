"""WHAT HAPPENED INSIDE: why a network does, or does not, learn from far back.

Error on its way back: `flow` by step, `lags` and `decay` by lag, `memory` beside what
answers need, `bounds` from the weights alone, `flow_penalty`. How states move:
`trajectories`, `jacobians`, `lyapunov`, `fixed_points`, `flossing`. Where weights lie:
`hessian`, `surface`, `line`, `slices`. What it means: `findings` of a `diagnosis` and
the `course` of its training, by `thresholds`. `lab`: exact toy experiments.

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
