"""Sizes as letters: a cell alone has no sizes yet, but its equations can be shown.

The cell is traced with two large stand-ins for the input size I and the hidden size
H; any number of units in its graph is then read back as ``2H`` or ``H + I/2``.
"""

from fractions import Fraction
from functools import lru_cache

# Both can be divided by every whole number up to 12, and no small multiple of one is
# near a small multiple of the other.
_COMMON = 27720
HIDDEN_STAND_IN = _COMMON * 10_007
INPUT_STAND_IN = _COMMON * 1_299_709
LARGEST_DENOMINATOR = 12
LARGEST_MULTIPLE = 16
LARGEST_OF_HIDDEN = 64
"""What is stored may be many times H."""
LARGEST_REST = 20_000


@lru_cache(maxsize=1024)
def size_letters(size: int) -> str:
    """The number of units in terms of I and H."""
    if size <= LARGEST_REST:
        return str(size)
    for inputs in _multiples():
        left = size - inputs * INPUT_STAND_IN
        hidden = Fraction(left, HIDDEN_STAND_IN)
        for whole in (hidden, Fraction(int(hidden))):
            rest = left - whole * HIDDEN_STAND_IN
            short = whole.denominator <= LARGEST_DENOMINATOR
            if short and 0 <= rest <= LARGEST_REST and 0 <= whole <= LARGEST_OF_HIDDEN:
                return _sum(whole, inputs, int(rest))
    return str(size)


def _multiples() -> list[Fraction]:
    """Multiples of a size, the simplest first."""
    denominators = range(1, LARGEST_DENOMINATOR + 1)
    found = {
        Fraction(above, below)
        for below in denominators
        for above in range(LARGEST_MULTIPLE * below + 1)
    }
    return sorted(found, key=lambda one: (one.denominator, one))


def _sum(hidden: Fraction, inputs: Fraction, rest: int) -> str:
    terms = [_multiple(hidden, "H"), _multiple(inputs, "I"), str(rest) if rest else ""]
    return "+".join(term for term in terms if term)


def _multiple(factor: Fraction, letter: str) -> str:
    if not factor:
        return ""
    above = "" if factor.numerator == 1 else str(factor.numerator)
    below = "" if factor.denominator == 1 else f"/{factor.denominator}"
    return f"{above}{letter}{below}"
