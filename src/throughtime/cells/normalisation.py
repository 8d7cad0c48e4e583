"""Layer normalisation within a step."""

from collections.abc import Sequence

from throughtime.graph import Value
from throughtime.math import mean, rsqrt, split, square

EPSILON = 1e-5
"""Added to the variance, as in torch."""


def layer_norm(parts: Sequence[Value], gain: Value, bias: Value) -> tuple[Value, ...]:
    """Mean 0 and variance 1 over all units, times a gain, plus a bias.

    ``parts`` are the parts of equal size of one vector, and so is what is returned.
    """
    centre = _mean_of(parts)
    centred = [part - centre for part in parts]
    scale = rsqrt(_mean_of([square(part) for part in centred]) + EPSILON)
    gains, biases = split(gain, len(parts)), split(bias, len(parts))
    return tuple(
        own * (part * scale) + added
        for own, part, added in zip(gains, centred, biases, strict=True)
    )


def _mean_of(parts: Sequence[Value]) -> Value:
    total = mean(parts[0])
    for part in parts[1:]:
        total = total + mean(part)
    return total / len(parts) if len(parts) > 1 else total
