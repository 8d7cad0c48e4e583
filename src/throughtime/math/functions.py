"""The functions of the language, each one node of the graph."""

from collections.abc import Sequence

from throughtime.graph.random_values import draw
from throughtime.graph.tracing import current_tracing
from throughtime.graph.values import Number, Value, apply, outside


def sigmoid(value: Value) -> Value:
    """Logistic function, ``1 / (1 + exp(-v))``."""
    return apply("sigmoid", value)


def tanh(value: Value) -> Value:
    """Hyperbolic tangent."""
    return apply("tanh", value)


def relu(value: Value) -> Value:
    """Rectifier, ``max(0, v)``; its derivative at 0 is 0."""
    return apply("relu", value)


def softplus(value: Value) -> Value:
    """``log(1 + exp(v))``; equal to ``v`` above 20, as in torch."""
    return apply("softplus", value)


def silu(value: Value) -> Value:
    """``v * sigmoid(v)``, also called swish."""
    return apply("silu", value)


def gelu(value: Value) -> Value:
    """``v`` times the normal distribution's cumulative probability at ``v``."""
    return apply("gelu", value)


def erf(value: Value) -> Value:
    """Error function."""
    return apply("erf", value)


def exp(value: Value) -> Value:
    """Exponential."""
    return apply("exp", value)


def log(value: Value) -> Value:
    """Natural logarithm; NaN below 0."""
    return apply("log", value)


def log1p(value: Value) -> Value:
    """``log(1 + v)``, accurate near 0."""
    return apply("log1p", value)


def expm1(value: Value) -> Value:
    """``exp(v) - 1``, accurate near 0."""
    return apply("expm1", value)


def sqrt(value: Value) -> Value:
    """Square root; NaN below 0."""
    return apply("sqrt", value)


def rsqrt(value: Value) -> Value:
    """``1 / sqrt(v)``."""
    return apply("rsqrt", value)


def square(value: Value) -> Value:
    """``v * v``."""
    return apply("square", value)


def abs(value: Value) -> Value:
    """Absolute value; its derivative at 0 is 0."""
    return apply("abs", value)


def sign(value: Value) -> Value:
    """-1, 0 or 1; its derivative is 0."""
    return apply("sign", value)


def softmax(value: Value) -> Value:
    """``exp(v)`` over its sum: positive units that sum to 1."""
    return apply("softmax", value)


def sum(value: Value) -> Value:
    """Sum over the units: a vector of size 1."""
    return apply("sum", value)


def mean(value: Value) -> Value:
    """Mean over the units: a vector of size 1."""
    return apply("mean", value)


def max(value: Value) -> Value:
    """Largest unit: a vector of size 1; ties share the derivative."""
    return apply("max", value)


def kth_largest(value: Value, k: int) -> Value:
    """The ``k``-th largest unit, from 1, the largest: a vector of size 1.

    It is one of the units, bit by bit. NaN counts as larger than any number, as in
    ``torch.topk``; units that are equal to it share the derivative.
    """
    if not isinstance(value, Value):
        outside(
            f"`kth_largest` was given a {type(value).__name__}",
            "Give it a value of the step or a parameter of the cell",
        )
    if not isinstance(k, int) or isinstance(k, bool):
        outside(f"the place among the largest is {k!r}", "Give a whole number from 1")
    return apply("kth_largest", value, attributes=(k,))


def minimum(a: Value | Number, b: Value | Number) -> Value:
    """Smaller of two, unit by unit; ties share the derivative, NaN stays NaN."""
    return apply("minimum", a, b)


def maximum(a: Value | Number, b: Value | Number) -> Value:
    """Larger of two, unit by unit; ties share the derivative, NaN stays NaN."""
    return apply("maximum", a, b)


def clip(value: Value, low: Number, high: Number) -> Value:
    """Keep each unit between two numbers; the derivative is 1 at both ends."""
    if isinstance(low, Value) or isinstance(high, Value):
        outside("the bounds of clip must be numbers", "Write minimum and maximum")
    return apply("clip", value, attributes=(float(low), float(high)))


def where(condition: Value, a: Value | Number, b: Value | Number) -> Value:
    """``a`` where a comparison holds, else ``b``, unit by unit."""
    return apply("where", condition, a, b)


def split(value: Value, parts: int | Sequence[int]) -> tuple[Value, ...]:
    """Cut a vector, or the rows of a matrix, into equal parts or given sizes."""
    if not isinstance(value, Value):
        outside(
            f"`split` was given a {type(value).__name__}",
            "Give it a value of the step or a parameter of the cell",
        )
    total = value.shape[0]
    if isinstance(parts, int):
        if parts < 1 or total % parts:
            outside(
                f"{total} units cannot be split into {parts} equal parts",
                "Give a divisor, or the list of sizes",
            )
        sizes = [total // parts] * parts
    else:
        sizes = list(parts)
        whole = _total(sizes)
        if whole != total or any(size < 1 for size in sizes):
            outside(
                f"the sizes {sizes} do not make up {total} units",
                "Give positive sizes whose sum is the whole",
            )
    ends = [_total(sizes[: position + 1]) for position in range(len(sizes))]
    return tuple(
        apply("slice", value, attributes=(end - size, end))
        for end, size in zip(ends, sizes, strict=True)
    )


def _total(sizes: Sequence[int]) -> int:
    total = 0
    for size in sizes:
        total += size
    return total


def concat(*values: Value) -> Value:
    """Join vectors into one."""
    if not values:
        outside("concat was given nothing", "Give it vectors")
    return apply("concat", *values)


def name(value: Value, text: str) -> Value:
    """Give a value a name of your own; ``explain`` and diagnostics use it."""
    current_tracing().marked[text] = value
    return value


def mask(p: Number, per: str | None = None) -> Value:
    """Random mask: each unit is 0 with probability ``p``, else 1.

    It takes the size of the first value that it meets; used again, it is the same
    draw. Dropout is ``x * mask(p) / (1 - p)``. ``per="step"`` draws anew at every step,
    ``per="sequence"`` once for all steps of a sequence; without it each step, but for
    parameters, which are masked once per call (a matrix cannot be masked otherwise).
    Evaluation uses the mean, ``1 - p``.
    """
    if not _is_number(p) or not 0 <= p <= 1:
        outside(f"the probability of a mask is {p!r}", "Give a number from 0 to 1")
    return draw("mask", float(p), per)


def noise(std: Number, per: str | None = None) -> Value:
    """Normal random numbers of mean 0 and this standard deviation.

    Size and ``per`` are as in `mask`. Evaluation uses the mean, 0.
    """
    if not _is_number(std) or not 0 <= std < float("inf"):
        outside(f"the deviation of noise is {std!r}", "Give a finite number from 0 on")
    return draw("noise", float(std), per)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
