"""The cells and shapes that statements of speed refer to, and their useful FLOPs."""

import math
from typing import Literal, NamedTuple

Work = Literal["training", "training with ∂x", "inference"]
WORKS: tuple[Work, ...] = ("training", "training with ∂x", "inference")

# G, the products with a matrix of H rows that one step of a cell takes.
# GRUBefore resets before the product, as Cho et al. (2014) printed it first.
GATES = {"RNN": 1, "GRU": 3, "GRUBefore": 3, "LSTM": 4, "PeepholeLSTM": 4}


class Products(NamedTuple):
    """How many products with a matrix of H rows one step takes.

    ``inputs`` of them with x, of I columns, ``recurrent`` with what has H; one of half
    as many rows or columns counts a half.
    """

    inputs: float
    recurrent: float


# Measured where they are asked for. The projection is to H / 2, the output of
# JordanElman has the size H.
MORE = {
    "LayerNormLSTM": Products(4, 4),
    "CoupledLSTM": Products(3, 3),
    "ProjectedLSTM": Products(4, 2.5),
    "MultiplicativeLSTM": Products(5, 5),
    "MGU": Products(2, 2),
    "UGRNN": Products(2, 2),
    "JANET": Products(2, 2),
    "IndRNN": Products(1, 0),
    "LeakyElman": Products(1, 1),
    "JordanElman": Products(1, 3),
}
PRODUCTS = {cell: Products(gates, gates) for cell, gates in GATES.items()} | MORE


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

    Forward and the gradients of both weights take I + H each per gate, the error
    through time H, and the gradient of x, where it is wanted, I.
    """
    steps, batch, *_, hidden = shape
    inputs, recurrent = columns(cell, shape)
    whole = {
        "inference": inputs + recurrent,
        "training": 2 * (inputs + recurrent) + recurrent,
        "training with ∂x": 3 * (inputs + recurrent),
    }[work]
    return round(2 * steps * batch * hidden * whole)


def columns(cell: str, shape: Shape) -> tuple[float, float]:
    """Give the columns of all matrices of H rows: of those of x, and of the rest."""
    products = PRODUCTS[cell]
    return products.inputs * shape.inputs, products.recurrent * shape.hidden


def geometric_mean(values: list[float]) -> float:
    """Give the mean of ratios."""
    return math.exp(sum(map(math.log, values)) / len(values))
