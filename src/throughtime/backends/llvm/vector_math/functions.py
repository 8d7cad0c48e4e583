"""The functions of vector mathematics, each from a vector to a vector.

Nearly all are exponentials: `e^x = 2^n e^r` with n the integer nearest to `x / ln 2`.
A polynomial gives e^r, and 2^n is an exponent field put together from integer bits.
Logarithms take a number apart in the same way.

NaN stays NaN everywhere, infinities and zeros give what torch gives, and results are
right down to the denormal numbers.
"""

import math
from collections.abc import Callable

from llvmlite import ir

from throughtime.backends.llvm.vector_math.lanes import Lanes

LOG2_E = 1.0 / math.log(2.0)


def reduce(
    lanes: Lanes, x: ir.Value, offset: int, ln2: tuple[float, ...]
) -> tuple[ir.Value, ir.Value]:
    """Split x into `n ln 2 + r` with ln 2 given as a sum.

    Gives a number whose low bits hold the integer n + offset, and r.
    """
    rounder = lanes.format.rounder + offset
    rounded = lanes.fma(x, lanes.constant(LOG2_E), lanes.constant(rounder))
    n = lanes.subtract(rounded, lanes.constant(rounder))
    for part in ln2:
        x = lanes.fma(n, lanes.constant(-part), x)
    return rounded, x


def exp(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give e^x.

    The factor 2^n is applied in two steps: e^x may be finite where 2^n is not, and a
    denormal result is rounded once, by the last product.
    """
    form = lanes.format
    x = lanes.at_least(form.exp_lowest, lanes.at_most(form.exp_highest, x))
    offset = form.exponent_bias - 2
    rounded, r = reduce(lanes, x, offset, form.ln2)
    first = lanes.at_least(form.rounder + offset + form.small_exponent, rounded)
    rest = lanes.builder.sub(lanes.as_bits(rounded), lanes.as_bits(first))
    rest = lanes.builder.add(rest, lanes.pattern(form.exponent_bias + 2))
    value = lanes.polynomial(r, form.exponential)
    value = lanes.multiply(value, lanes.power_of_two(lanes.as_bits(first)))
    return lanes.multiply(value, lanes.power_of_two(rest))


def scaled_expm1(lanes: Lanes, r: ir.Value, power: ir.Value) -> ir.Value:
    """Give e^x − 1 as `2^n (e^r − 1) + (2^n − 1)`; −0 loses its sign."""
    tail = lanes.polynomial(r, lanes.format.exponential[2:])
    part = lanes.fma(lanes.multiply(r, r), tail, r)
    return lanes.fma(power, part, lanes.subtract(power, lanes.constant(1.0)))


def expm1(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give e^x − 1; the last doubling comes at the end, for 2^n overflows first."""
    form = lanes.format
    limited = lanes.at_least(form.expm1_lowest, lanes.at_most(form.exp_highest, x))
    rounded, r = reduce(lanes, limited, form.exponent_bias, form.ln2)
    first = lanes.at_most(form.rounder + 2 * form.exponent_bias, rounded)
    rest = lanes.builder.sub(lanes.as_bits(rounded), lanes.as_bits(first))
    rest = lanes.builder.add(rest, lanes.pattern(form.exponent_bias))
    value = scaled_expm1(lanes, r, lanes.power_of_two(lanes.as_bits(first)))
    value = lanes.multiply(value, lanes.power_of_two(rest))
    return lanes.with_sign_of(x, value)


def sigmoid(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give 1 / (1 + e^−x) as `2^n / (2^n + e^−r)` with x = n ln 2 + r.

    Both sides of the fraction are scaled up by 2^(mantissa bits + 1), so that 2^n
    stays a normal number where the result is denormal: the division rounds it.
    """
    form = lanes.format
    x = lanes.at_least(form.exp_lowest, lanes.at_most(form.sigmoid_highest, x))
    shift = form.mantissa_bits + 1
    rounded, r = reduce(lanes, x, form.exponent_bias + shift, form.ln2)
    mirrored = tuple(
        math.ldexp(coefficient, shift) * (-1) ** power
        for power, coefficient in enumerate(form.exponential)
    )
    power = lanes.power_of_two(lanes.as_bits(rounded))
    return lanes.divide(power, lanes.add(power, lanes.polynomial(r, mirrored)))


def moderate_expm1(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give e^x − 1 for |x| so small that ln 2 need not be split in two parts.

    What the rounded ln 2 does to r grows with n, and what r does to the functions that
    are built on this one falls faster.
    """
    rounded, r = reduce(lanes, x, lanes.format.exponent_bias, (math.log(2.0),))
    return scaled_expm1(lanes, r, lanes.power_of_two(lanes.as_bits(rounded)))


def tanh(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give the hyperbolic tangent as `E / (E + 2)` with `E = e^(2|x|) − 1`.

    E is never negative, so nothing cancels, and it is so large where tanh saturates
    that the quotient is 1 exactly.
    """
    size = lanes.at_most(lanes.format.tanh_highest, lanes.absolute(x))
    e = moderate_expm1(lanes, lanes.add(size, size))
    value = lanes.divide(e, lanes.add(e, lanes.constant(2.0)))
    return lanes.with_sign_of(x, value)


def erf(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give the error function as `1 − e^−g` with `g = −ln(1 − erf|x|)`.

    g is |x| (1 + a polynomial): relative accuracy near 0, the small part rounded
    first, and errors of g that fade where erf saturates.
    """
    form = lanes.format
    size = lanes.at_most(form.erf_highest, lanes.absolute(x))
    negated = tuple(-coefficient for coefficient in form.log_erfc)
    excess = lanes.polynomial(size, negated)
    exponent = lanes.fma(size, excess, lanes.builder.fneg(size))
    return lanes.with_sign_of(x, lanes.absolute(moderate_expm1(lanes, exponent)))


def split_exponent(lanes: Lanes, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Split a positive normal number into bits of its exponent e and of m = x / 2^e.

    m lies between the roots of one half and of two. Gives `e + bias` shifted into the
    exponent field, and the bits of m.
    """
    form = lanes.format
    one = form.exponent_bias << form.mantissa_bits
    bits = lanes.as_bits(x)
    shifted = lanes.builder.add(bits, lanes.pattern(one - form.root_of_half_bits))
    exponent = lanes.builder.and_(shifted, lanes.pattern(-(1 << form.mantissa_bits)))
    mantissa = lanes.builder.sub(bits, exponent)
    return exponent, lanes.builder.add(mantissa, lanes.pattern(one))


def exponent_number(lanes: Lanes, exponent: ir.Value, scaling: int) -> ir.Value:
    """Turn a biased exponent field into the number e − scaling, without a conversion.

    The field, shifted down, becomes the low bits of a power of two that is then taken
    away.
    """
    form = lanes.format
    base_bits = (form.exponent_bias + form.mantissa_bits) << form.mantissa_bits
    low = lanes.builder.lshr(exponent, lanes.pattern(form.mantissa_bits))
    number = lanes.as_numbers(lanes.builder.or_(low, lanes.pattern(base_bits)))
    base = 2.0**form.mantissa_bits + form.exponent_bias + scaling
    return lanes.subtract(number, lanes.constant(base))


def combine_logarithm(lanes: Lanes, f: ir.Value, e: ir.Value) -> ir.Value:
    """Give ln(1 + f) + e ln 2.

    With s = f / (2 + f) the first part is `2 s + s³ L(s²)`, rewritten as
    `f − (f²/2 − s (f²/2 + s² L(s²)))` so that f itself enters unrounded.
    """
    form = lanes.format
    high, low = (lanes.constant(part) for part in form.ln2)
    s = lanes.divide(f, lanes.add(f, lanes.constant(2.0)))
    square = lanes.multiply(s, s)
    half = lanes.multiply(lanes.multiply(f, f), lanes.constant(0.5))
    series = lanes.fma(square, lanes.polynomial(square, form.logarithm), half)
    rest = lanes.subtract(half, lanes.fma(e, low, lanes.multiply(s, series)))
    return lanes.fma(e, high, lanes.subtract(f, rest))


def logarithm_edges(lanes: Lanes, x: ir.Value, value: ir.Value) -> ir.Value:
    """Put −∞ at 0, ∞ at ∞ and NaN at NaN and below 0."""
    value = lanes.select(x, "<", math.inf, value, x)
    value = lanes.select(x, "==", 0.0, lanes.constant(-math.inf), value)
    return lanes.select(x, "<", 0.0, lanes.constant(math.nan), value)


def log(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give the natural logarithm; denormal numbers are first scaled up."""
    form = lanes.format
    scaling = form.mantissa_bits + 1
    scaled = lanes.multiply(x, lanes.constant(2.0**scaling))
    normal = lanes.select(x, "<", form.smallest_normal, scaled, x)
    exponent, mantissa = split_exponent(lanes, normal)
    e = exponent_number(lanes, exponent, 0)
    scaled_e = exponent_number(lanes, exponent, scaling)
    e = lanes.select(x, "<", form.smallest_normal, scaled_e, e)
    f = lanes.subtract(lanes.as_numbers(mantissa), lanes.constant(1.0))
    return logarithm_edges(lanes, x, combine_logarithm(lanes, f, e))


def finite_log1p(lanes: Lanes, x: ir.Value, u: ir.Value) -> ir.Value:
    """Give ln(1 + x) for finite x > −1; u is 1 + x, rounded.

    u only chooses the exponent e. What it lost in rounding is still in x: the
    remainder is `f = x / 2^e + (1 / 2^e − 1)`. Large x lose nothing that matters.
    """
    form = lanes.format
    exponent, mantissa = split_exponent(lanes, u)
    twice_bias = 2 * form.exponent_bias << form.mantissa_bits
    inverse = lanes.as_numbers(lanes.builder.sub(lanes.pattern(twice_bias), exponent))
    one = lanes.constant(1.0)
    f = lanes.fma(x, inverse, lanes.subtract(inverse, one))
    f_large = lanes.subtract(lanes.as_numbers(mantissa), one)
    f = lanes.select(x, ">", 2.0 ** (form.mantissa_bits + 2), f_large, f)
    return combine_logarithm(lanes, f, exponent_number(lanes, exponent, 0))


def log1p(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give ln(1 + x)."""
    u = lanes.add(x, lanes.constant(1.0))
    value = logarithm_edges(lanes, u, finite_log1p(lanes, x, u))
    return lanes.with_sign_of(x, value)


def softplus(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give ln(1 + e^x) as `max(x, 0) + ln(1 + e^−|x|)`, and x itself above 20."""
    negative = lanes.multiply(lanes.absolute(x), lanes.constant(-1.0))
    z = exp(lanes, negative)
    u = lanes.add(z, lanes.constant(1.0))
    positive = lanes.select(x, ">", 0.0, x, lanes.constant(0.0))
    value = lanes.add(positive, finite_log1p(lanes, z, u))
    return lanes.select(x, ">", 20.0, x, value)


def sqrt(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give the square root."""
    return lanes.square_root(x)


def rsqrt(lanes: Lanes, x: ir.Value) -> ir.Value:
    """Give 1 / √x by a division, so that every machine gives the same bits."""
    return lanes.divide(lanes.constant(1.0), lanes.square_root(x))


FUNCTIONS: dict[str, Callable[[Lanes, ir.Value], ir.Value]] = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "softplus": softplus,
    "erf": erf,
    "sqrt": sqrt,
    "rsqrt": rsqrt,
}

#: The largest error that was measured, rounded up, fused or not, in units in the last
#: place of the true value, by function and format.
MAXIMUM_ULP: dict[str, dict[str, float]] = {
    "exp": {"float32": 1.2, "float64": 1.3},
    "expm1": {"float32": 1.6, "float64": 2.4},
    "log": {"float32": 0.9, "float64": 0.9},
    "log1p": {"float32": 1.5, "float64": 1.5},
    "sigmoid": {"float32": 2.5, "float64": 2.2},
    "tanh": {"float32": 2.7, "float64": 2.8},
    "softplus": {"float32": 1.9, "float64": 1.9},
    "erf": {"float32": 2.1, "float64": 2.4},
    "sqrt": {"float32": 0.5, "float64": 0.5},
    "rsqrt": {"float32": 1.5, "float64": 1.5},
}
