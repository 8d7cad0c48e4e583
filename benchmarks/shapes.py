"""The cells and shapes that statements of speed refer to, and their useful FLOPs."""

import math
from typing import Literal, NamedTuple

Work = Literal["training", "training with ∂x", "inference"]
WORKS: tuple[Work, ...] = ("training", "training with ∂x", "inference")

# G, the products with a matrix of H rows that one step of a cell takes.
# GRUBefore resets before the product, as Cho et al. (2014) printed it first.
GATES = {"RNN": 1, "GRU": 3, "GRUBefore": 3, "LSTM": 4, "PeepholeLSTM": 4}


class Shape(NamedTuple):
    """T, B, I, H: steps, sequences, input features, hidden units."""

    steps: int
    batch: int
    inputs: int
    hidden: int

    def __str__(self) -> str:
        return ", ".join(map(str, self))


SHAPES = (
    Shape(100, 32, 64, 128),
    Shape(200, 128, 32, 32),
    Shape(500, 16, 32, 128),
    Shape(1000, 1, 16, 64),
    Shape(50, 64, 512, 512),
    Shape(64, 256, 256, 256),
)


def flops(cell: str, shape: Shape, work: Work) -> int:
    """Count a multiplication and an addition as two; pointwise functions as none.

    Forward and the gradients of both weights take I + H each, the error through time
    H, and the gradient of x, where it is wanted, I.
    """
    steps, batch, inputs, hidden = shape
    columns = {
        "inference": inputs + hidden,
        "training": 2 * (inputs + hidden) + hidden,
        "training with ∂x": 3 * (inputs + hidden),
    }[work]
    return 2 * steps * batch * GATES[cell] * hidden * columns


def geometric_mean(values: list[float]) -> float:
    """Give the mean of ratios."""
    return math.exp(sum(map(math.log, values)) / len(values))
