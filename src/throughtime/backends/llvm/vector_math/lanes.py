"""The vocabulary of vector mathematics: what one instruction does to a whole vector.

`Lanes` binds an instruction builder to one vector type, so that a function reads like
its formula.
"""

from llvmlite import ir

from throughtime.backends.llvm.vector_math.formats import FLOAT32, FLOAT64, Format


class Splat(ir.Constant):
    """A vector constant with equal elements, written as one element."""

    def _get_reference(self) -> str:
        first = self.constant[0]
        return f"splat ({first.type} {first.get_reference()})"


class Lanes:
    """Instructions on one vector type, written by one builder.

    Parameters
    ----------
    builder : ir.IRBuilder
        Where the instructions go.
    vector : ir.VectorType
        A vector of floats or doubles.
    fused : bool
        Whether `fma` rounds once (the intrinsic) or twice (a product, then a sum).
    """

    def __init__(
        self, builder: ir.IRBuilder, vector: ir.VectorType, *, fused: bool
    ) -> None:
        self.builder = builder
        self.vector = vector
        self.fused = fused
        is_float = isinstance(vector.element, ir.FloatType)
        self.format: Format = FLOAT32 if is_float else FLOAT64
        self.integers = ir.VectorType(ir.IntType(self.format.bits), vector.count)

    def constant(self, value: float) -> ir.Constant:
        """Give a vector of equal numbers."""
        return Splat(self.vector, value)

    def pattern(self, bits: int) -> ir.Constant:
        """Give an integer vector of equal bit patterns."""
        return Splat(self.integers, bits)

    def intrinsic(self, name: str, *operands: ir.Value) -> ir.Value:
        """Call an intrinsic that takes and gives this type of vector."""
        full = f"llvm.{name}.v{self.vector.count}{self.format.suffix}"
        module = self.builder.module
        function = module.globals.get(full)
        if function is None:
            signature = ir.FunctionType(self.vector, [self.vector] * len(operands))
            function = ir.Function(module, signature, full)
        return self.builder.call(function, operands)

    def add(self, left: ir.Value, right: ir.Value) -> ir.Value:
        """Give left + right."""
        return self.builder.fadd(left, right)

    def subtract(self, left: ir.Value, right: ir.Value) -> ir.Value:
        """Give left − right."""
        return self.builder.fsub(left, right)

    def multiply(self, left: ir.Value, right: ir.Value) -> ir.Value:
        """Give left · right."""
        return self.builder.fmul(left, right)

    def divide(self, left: ir.Value, right: ir.Value) -> ir.Value:
        """Give left / right, correctly rounded."""
        return self.builder.fdiv(left, right)

    def fma(self, left: ir.Value, right: ir.Value, addend: ir.Value) -> ir.Value:
        """Give left · right + addend."""
        if self.fused:
            return self.intrinsic("fma", left, right, addend)
        return self.add(self.multiply(left, right), addend)

    def polynomial(self, x: ir.Value, coefficients: tuple[float, ...]) -> ir.Value:
        """Give the polynomial with these coefficients, lowest power first, at x."""
        value = self.constant(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            value = self.fma(value, x, self.constant(coefficient))
        return value

    def absolute(self, x: ir.Value) -> ir.Value:
        """Give |x|."""
        return self.intrinsic("fabs", x)

    def square_root(self, x: ir.Value) -> ir.Value:
        """Give the square root, correctly rounded."""
        return self.intrinsic("sqrt", x)

    def select(
        self, x: ir.Value, comparison: str, bound: float, yes: ir.Value, no: ir.Value
    ) -> ir.Value:
        """Give `yes` in the lanes where the comparison holds (never for NaN)."""
        mask = self.builder.fcmp_ordered(comparison, x, self.constant(bound))
        return self.builder.select(mask, yes, no)

    # One instruction each on x86, whose minimum and maximum give the second operand
    # where the comparison fails: a NaN in x passes.

    def at_most(self, bound: float, x: ir.Value) -> ir.Value:
        """Give the smaller of a constant other than 0 and x; NaN stays NaN."""
        limit = self.constant(bound)
        mask = self.builder.fcmp_ordered("<", limit, x)
        return self.builder.select(mask, limit, x)

    def at_least(self, bound: float, x: ir.Value) -> ir.Value:
        """Give the larger of a constant other than 0 and x; NaN stays NaN."""
        limit = self.constant(bound)
        mask = self.builder.fcmp_ordered(">", limit, x)
        return self.builder.select(mask, limit, x)

    def extremum(self, comparison: str, left: ir.Value, right: ir.Value) -> ir.Value:
        """Give the operand that wins the comparison; NaN in either gives NaN.

        Two zeros give the second one, whatever their signs, as torch does on x86.
        """
        mask = self.builder.fcmp_ordered(comparison, left, right)
        winner = self.builder.select(mask, left, right)
        nan = self.builder.fcmp_unordered("uno", left, left)
        return self.builder.select(nan, left, winner)

    def as_bits(self, x: ir.Value) -> ir.Value:
        """Give the bit patterns of a vector of numbers."""
        return self.builder.bitcast(x, self.integers)

    def as_numbers(self, bits: ir.Value) -> ir.Value:
        """Give the numbers that have these bit patterns."""
        return self.builder.bitcast(bits, self.vector)

    def power_of_two(self, bits: ir.Value) -> ir.Value:
        """Give the number whose exponent field is the low bits of an integer."""
        shift = self.pattern(self.format.mantissa_bits)
        return self.as_numbers(self.builder.shl(bits, shift))

    def with_sign_of(self, x: ir.Value, magnitude: ir.Value) -> ir.Value:
        """Give a number its sign bit where x is negative or −0."""
        sign = self.builder.and_(
            self.as_bits(x), self.pattern(-(1 << (self.format.bits - 1)))
        )
        return self.as_numbers(self.builder.or_(self.as_bits(magnitude), sign))
