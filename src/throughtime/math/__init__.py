"""The words of the language: functions that make nodes of a step graph.

They take values of the step being traced and plain numbers, nothing else. Operators
(``+ - * / ** @`` and comparisons) are methods of the values themselves. Derivatives
at kinks are torch's: ``relu'(0) = abs'(0) = 0``, ties of ``maximum`` are shared.

May import: ``graph``, ``errors``. Knows no torch.
Next: ``cells``, where these words are used; ``graph.operations`` for the table.
"""

from throughtime.math.functions import (
    abs,
    clip,
    concat,
    erf,
    exp,
    expm1,
    gelu,
    kth_largest,
    log,
    log1p,
    mask,
    max,
    maximum,
    mean,
    minimum,
    name,
    noise,
    relu,
    rsqrt,
    sigmoid,
    sign,
    silu,
    softmax,
    softplus,
    split,
    sqrt,
    square,
    sum,
    tanh,
    where,
)

__all__ = [
    "abs",
    "clip",
    "concat",
    "erf",
    "exp",
    "expm1",
    "gelu",
    "kth_largest",
    "log",
    "log1p",
    "mask",
    "max",
    "maximum",
    "mean",
    "minimum",
    "name",
    "noise",
    "relu",
    "rsqrt",
    "sigmoid",
    "sign",
    "silu",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "sum",
    "tanh",
    "where",
]
