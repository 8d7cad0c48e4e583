"""WHAT HAPPENED INSIDE: why a network learns, or does not.

``flow``: how long error is at every step of a backward pass. ``flow_penalty`` keeps it
as long as it is, in any cell (Pascanu, Mikolov & Bengio 2013).

May import: ``optim``, ``nn`` and the rooms below; knows neither data nor training, but
is given modules, tensors and functions.
Next: ``train``, which asks all of it of a saved run.
"""

from throughtime.diagnose.flow import GradientFlow, gradient_flow
from throughtime.diagnose.flow_penalty import FlowPenalty

__all__ = ["FlowPenalty", "GradientFlow", "gradient_flow"]
