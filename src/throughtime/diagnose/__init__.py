"""WHAT HAPPENED INSIDE: why a network learns, or does not.

``flow``: how long error is at every step of a backward pass.

May import: ``optim``, ``nn`` and the rooms below; knows neither data nor training, but
is given modules, tensors and functions.
Next: ``train``, which asks all of it of a saved run.
"""

from throughtime.diagnose.flow import GradientFlow, gradient_flow

__all__ = ["GradientFlow", "gradient_flow"]
