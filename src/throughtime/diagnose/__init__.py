"""WHAT HAPPENED INSIDE: why a network does, or does not, learn from far back.

`flow`: how long error is at every step of a backward pass. `bounds`: what no gradient
can exceed, from the weights alone. `lab`: a room of exact toy experiments, known in
closed form and measured with the same engine that trains.

May import `optim`, `nn` and the rooms below, NumPy, torch and matplotlib; knows neither
data nor training, but is given modules, tensors and functions.

Next: `train`, which asks all of it of a saved run.
"""

from throughtime.diagnose import lab
from throughtime.diagnose.bounds import GradientBounds, gradient_bounds, layer_bounds
from throughtime.diagnose.flow import GradientFlow, gradient_flow

__all__ = [
    "GradientBounds",
    "GradientFlow",
    "gradient_bounds",
    "gradient_flow",
    "lab",
    "layer_bounds",
]
