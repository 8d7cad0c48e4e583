"""The numbers of vector mathematics that differ between float32 and float64.

Polynomials are given from the lowest power up. They are minimax fits (Remez'
algorithm, 50 digits); beside each stands the relative error that it alone would leave
in the result.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A floating-point format and the constants of the functions in it."""

    name: str  # as NumPy and torch call it
    suffix: str  # as LLVM calls it in the names of intrinsics
    mantissa_bits: int
    exponent_bias: int
    root_of_half_bits: int  # the bit pattern of the square root of one half

    # ln 2 as a sum: whole numbers times the first part, cut short, are exact.
    ln2: tuple[float, float]
    exponential: tuple[float, ...]  # e^r for |r| <= ln(2) / 2
    exp_lowest: float  # here and below exp gives 0
    exp_highest: float  # here and above exp gives infinity
    expm1_lowest: float  # here and below expm1 gives -1
    sigmoid_highest: float  # here and above sigmoid gives 1
    small_exponent: float  # powers of two below this one are reached in two steps

    logarithm: tuple[float, ...]  # (ln((1 + s) / (1 - s)) - 2 s) / s³ in s²

    tanh_highest: float  # here and above tanh gives 1
    erf_highest: float  # here and above erf gives 1
    log_erfc: tuple[float, ...]  # −ln(1 − erf(a)) / a − 1 for a >= 0

    @property
    def bits(self) -> int:
        """Width in bits."""
        return 32 if self.name == "float32" else 64

    @property
    def rounder(self) -> float:
        """Added to a small number it leaves its nearest integer in the low bits."""
        return 1.5 * 2.0**self.mantissa_bits

    @property
    def smallest_normal(self) -> float:
        """Positive numbers below this one are denormal."""
        return math.ldexp(1.0, 1 - self.exponent_bias)


FLOAT32 = Format(
    name="float32",
    suffix="f32",
    mantissa_bits=23,
    exponent_bias=127,
    root_of_half_bits=0x3F3504F3,
    ln2=(0.693145751953125, 1.42860682030941723212e-06),
    # Fit: 3.1e-9.
    exponential=(
        1.0,
        1.0,
        0.49999993413165624776,
        0.16666520105658117638,
        0.041668394021506546108,
        0.0083687806202233735596,
        0.0013814478493992904232,
    ),
    exp_lowest=-104.0,
    exp_highest=88.8,
    expm1_lowest=-26.0,
    sigmoid_highest=30.0,
    small_exponent=-100.0,
    # Fit: 1.6e-9.
    logarithm=(
        0.66666776717320519146,
        0.39977495553556990939,
        0.29873073920000003639,
    ),
    tanh_highest=10.0,
    erf_highest=3.95,
    # Fit: 4.0e-9.
    log_erfc=(
        0.1283791716084270491,
        0.63661938207093682596,
        0.10277783066598927437,
        -0.019153069619110149561,
        -0.00016037719605733708324,
        0.0016670021967095607534,
        -0.00063282046346598187446,
        0.00011763615966481591642,
        -9.2556532670976413591e-6,
    ),
)

FLOAT64 = Format(
    name="float64",
    suffix="f64",
    mantissa_bits=52,
    exponent_bias=1023,
    root_of_half_bits=0x3FE6A09E667F3BCD,
    ln2=(6.93147180369123816490e-01, 1.90821492927058770002e-10),
    # Fit: 3.7e-18.
    exponential=(
        1.0,
        1.0,
        0.50000000000000107083,
        0.16666666666666408663,
        0.04166666666652921613,
        0.0083333333334962960338,
        0.0013888888943924827901,
        0.00019841269503844424288,
        0.000024801492754882764328,
        2.7557587801589159858e-6,
        2.7630382772168705666e-7,
        2.4999909304429289012e-8,
    ),
    exp_lowest=-746.0,
    exp_highest=709.9,
    expm1_lowest=-50.0,
    sigmoid_highest=50.0,
    small_exponent=-1000.0,
    # Fit: 2.5e-18.
    logarithm=(
        0.66666666666667348973,
        0.39999999999411076531,
        0.28571428743266029145,
        0.22222198475682856221,
        0.18183569753348161317,
        0.15313902953024487407,
        0.14797510179747113684,
    ),
    tanh_highest=20.0,
    erf_highest=5.93,
    # Fit: 2.2e-17.
    log_erfc=(
        0.1283791670955125495,
        0.63661977236759096662,
        0.10277260330131550372,
        -0.019128446993096000847,
        -0.00020919485390722396885,
        0.0016962076697406979125,
        -0.00059013242944858054585,
        0.000025904496925759981099,
        0.000064420480361398843602,
        -0.000029575685588116421555,
        3.1697004159776035083e-6,
        3.1329278385058252671e-6,
        -2.0371567241703270581e-6,
        5.706094118611567437e-7,
        -1.1694892060409450594e-8,
        -6.5739691364790418068e-8,
        3.458710501346672034e-8,
        -1.077400107132632255e-8,
        2.3606601486519840276e-9,
        -3.7609572004042253e-10,
        4.3020890818721181656e-11,
        -3.3646071365861962277e-12,
        1.6150051269430418491e-13,
        -3.5925184750533275722e-15,
    ),
)
