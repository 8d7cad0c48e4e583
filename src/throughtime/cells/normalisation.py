"""Layer normalisation within a step."""

from throughtime.graph import Value
from throughtime.math import mean, rsqrt, square

EPSILON = 1e-5
"""Added to the variance, as in torch."""


def layer_norm(value: Value, gain: Value, bias: Value) -> Value:
    """Mean 0 and variance 1 over the units, times a gain, plus a bias."""
    centred = value - mean(value)
    return gain * (centred * rsqrt(mean(square(centred)) + EPSILON)) + bias
