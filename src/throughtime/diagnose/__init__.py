"""DIAGNOSE: what happened inside a network, and why it does, or does not, learn.

How its states move: ``trajectories`` (what each layer passes through), ``jacobians`` of
its steps, ``lyapunov`` (how fast neighbouring states part), ``fixed_points`` (where
they stand still), ``flossing`` (exponents pushed towards 0).

May import: ``optim``, ``nn`` and the rooms below, torch, NumPy and SciPy.
Next: ``train``, which learns and asks what is here.
"""

from throughtime.diagnose.fixed_points import FixedPoint, fixed_points
from throughtime.diagnose.flossing import flossing_loss
from throughtime.diagnose.jacobians import jacobians
from throughtime.diagnose.lyapunov import Spectrum, lyapunov_spectrum

__all__ = [
    "FixedPoint",
    "Spectrum",
    "fixed_points",
    "flossing_loss",
    "jacobians",
    "lyapunov_spectrum",
]
