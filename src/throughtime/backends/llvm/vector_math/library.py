"""`VectorMath`: the functions of one vector type, written into a module once each."""

from llvmlite import ir

from throughtime.backends.llvm.vector_math.functions import FUNCTIONS
from throughtime.backends.llvm.vector_math.lanes import Lanes


class VectorMath:
    """Mathematics on vectors of one type, for the code of one module.

    Parameters
    ----------
    module : ir.Module
        Where the functions are written, each when it is first called.
    element : ir.Type
        `ir.FloatType()` or `ir.DoubleType()`.
    width : int
        Elements of a vector, 1 to 64. LLVM makes several registers of what does not
        fit into one.
    fused : bool
        True: a multiply-add rounds once. Only for machines that have the instruction:
        elsewhere LLVM calls the C library for every element. False: it rounds twice.
        Results have the same bits on every machine for the same choice.
    """

    def __init__(
        self, module: ir.Module, element: ir.Type, width: int, *, fused: bool
    ) -> None:
        if not isinstance(element, ir.FloatType | ir.DoubleType):
            raise TypeError(f"element is {element}; expected float or double")
        if not 1 <= width <= 64:
            raise ValueError(f"width is {width}; expected 1 to 64")
        self.module = module
        self.vector = ir.VectorType(element, width)
        self.fused = fused

    def call(self, builder: ir.IRBuilder, name: str, value: ir.Value) -> ir.Value:
        """Call the function of this name on a vector.

        Parameters
        ----------
        builder : ir.IRBuilder
            Where the call goes.
        name : str
            One of exp, expm1, log, log1p, sigmoid, tanh, softplus, erf, sqrt, rsqrt.
        value : ir.Value
            The argument, a vector of this type.
        """
        return builder.call(self._function(name), [value])

    def splat(self, constant: float) -> ir.Constant:
        """Give a vector of equal numbers."""
        return self._lanes(ir.IRBuilder()).constant(constant)

    def fma(
        self, builder: ir.IRBuilder, left: ir.Value, right: ir.Value, addend: ir.Value
    ) -> ir.Value:
        """Give left · right + addend, rounded once or twice as `fused` says."""
        return self._lanes(builder).fma(left, right, addend)

    def maximum(
        self, builder: ir.IRBuilder, left: ir.Value, right: ir.Value
    ) -> ir.Value:
        """Give the larger operand; NaN in either gives NaN."""
        return self._lanes(builder).extremum(">", left, right)

    def minimum(
        self, builder: ir.IRBuilder, left: ir.Value, right: ir.Value
    ) -> ir.Value:
        """Give the smaller operand; NaN in either gives NaN."""
        return self._lanes(builder).extremum("<", left, right)

    def absolute(self, builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
        """Give |value|."""
        return self._lanes(builder).absolute(value)

    def reciprocal(self, builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
        """Give 1 / value, correctly rounded."""
        return builder.fdiv(self.splat(1.0), value)

    def _lanes(self, builder: ir.IRBuilder) -> Lanes:
        return Lanes(builder, self.vector, fused=self.fused)

    def _function(self, name: str) -> ir.Function:
        element = "f32" if isinstance(self.vector.element, ir.FloatType) else "f64"
        # Both kinds may live in one module, so the rarer one says so in its name.
        ending = "" if self.fused else ".unfused"
        full = f"tt.{name}.v{self.vector.count}{element}{ending}"
        function = self.module.globals.get(full)
        if function is None:
            signature = ir.FunctionType(self.vector, [self.vector])
            function = ir.Function(self.module, signature, full)
            function.linkage = "internal"
            function.attributes.add("alwaysinline")
            function.attributes.add("nounwind")
            builder = ir.IRBuilder(function.append_basic_block("entry"))
            builder.ret(FUNCTIONS[name](self._lanes(builder), function.args[0]))
        return function
