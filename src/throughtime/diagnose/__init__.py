"""WHAT HAPPENED INSIDE: why a network learns or does not, in numbers.

``hessian`` (curvature of the loss: extreme eigenvalues, the share that is negative),
``surface`` (minimum, saddle, plateau or slope) with ``line`` and ``slices`` (the loss
along a line and over a plane); ``lab`` (exact toy experiments).

May import ``optim``, ``nn``, ``cells`` and the rooms below, torch; not ``train``, not
``data``. It takes modules and closures; runs are opened by ``train``.
Next: ``train``, which asks it about a run.
"""

from throughtime.diagnose.hessian import (
    Extremes,
    Index,
    extreme_eigenvalues,
    hessian_matrix,
    hessian_product,
    negative_share,
)
from throughtime.diagnose.line import Line, loss_line
from throughtime.diagnose.slices import Slice, loss_slice
from throughtime.diagnose.surface import Surface, loss_surface

__all__ = [
    "Extremes",
    "Index",
    "Line",
    "Slice",
    "Surface",
    "extreme_eigenvalues",
    "hessian_matrix",
    "hessian_product",
    "loss_line",
    "loss_slice",
    "loss_surface",
    "negative_share",
]
