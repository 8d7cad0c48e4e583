"""WHAT HAPPENED INSIDE: why a network does, or does not, learn from far back.

`bounds` says from the weights alone what no gradient can exceed; `lab` is a room of
exact toy experiments, whose results are known in closed form and are measured with the
same engine that trains.

May import `optim`, `nn` and the rooms below, NumPy, torch and matplotlib; knows neither
data nor training: it is given modules, tensors and functions.

Next: `lab`, then `train`.
"""

from throughtime.diagnose import lab
from throughtime.diagnose.bounds import GradientBounds, gradient_bounds, layer_bounds

__all__ = ["GradientBounds", "gradient_bounds", "lab", "layer_bounds"]
