"""Symbolic values: what a step computes with while it is traced."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from numbers import Real
from typing import Any, NoReturn

from throughtime.graph.operations import OPERATIONS, Attribute, Kind, Shape
from throughtime.graph.tracing import Tracing, current_tracing

Number = int | float
Operand = "Value | Number"
NOWHERE = -1
"""Position of a value that no node stands for yet."""
OF_NUMPY = frozenset(
    "add subtract multiply divide less less_equal greater greater_equal equal "
    "not_equal".split()
)
"""Operations that NumPy's numbers ask NumPy for, by its names, which are ours."""


class Value:
    """A node of the graph being traced, with the operators of the language."""

    __slots__ = ("_tracing", "index")

    def __init__(self, tracing: Tracing, index: int) -> None:
        self._tracing = tracing
        self.index = index

    @property
    def shape(self) -> Shape:
        """``(n,)`` of a vector, ``(rows, columns)`` of a matrix."""
        return self._tracing.node(self.index).shape

    @property
    def kind(self) -> Kind:
        return self._tracing.node(self.index).kind

    @property
    def T(self) -> "Value":
        """The transpose of a matrix of parameters."""
        return apply("transpose", self)

    def __add__(self, other: "Value | Number") -> "Value":
        return apply("add", self, other)

    def __radd__(self, other: "Value | Number") -> "Value":
        return apply("add", other, self)

    def __sub__(self, other: "Value | Number") -> "Value":
        return apply("subtract", self, other)

    def __rsub__(self, other: "Value | Number") -> "Value":
        return apply("subtract", other, self)

    def __mul__(self, other: "Value | Number") -> "Value":
        return apply("multiply", self, other)

    def __rmul__(self, other: "Value | Number") -> "Value":
        return apply("multiply", other, self)

    def __truediv__(self, other: "Value | Number") -> "Value":
        return apply("divide", self, other)

    def __rtruediv__(self, other: "Value | Number") -> "Value":
        return apply("divide", other, self)

    def __matmul__(self, other: "Value") -> "Value":
        return apply("product", self, other)

    def __rmatmul__(self, other: object) -> "Value":
        return apply("product", other, self)

    def __pow__(self, exponent: Number) -> "Value":
        number = isinstance(exponent, (int, float)) and not isinstance(exponent, bool)
        if not number:
            outside("an exponent must be a number", "Write exp(log(a) * b)")
        return apply("power", self, attributes=(float(exponent),))

    def __rpow__(self, base: object) -> NoReturn:
        outside("an exponent must be a number", "Write exp(value * c), c = log(base)")

    def __floordiv__(self, other: object) -> NoReturn:
        outside(
            "whole quotients, remainders and rounding are no part of the language",
            "Compute with / and comparisons",
        )

    __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = __floordiv__

    def __round__(self, digits: int | None = None) -> NoReturn:
        self.__floordiv__(digits)

    def __and__(self, other: object) -> NoReturn:
        outside(
            "comparisons cannot be joined by `&`, `|`, `^` or `~`",
            "Write where(a, where(b, v, w), w) for `a and b`",
        )

    __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __and__

    def __invert__(self) -> NoReturn:
        self.__and__(None)

    def __neg__(self) -> "Value":
        return apply("negate", self)

    def __pos__(self) -> "Value":
        return self

    def __abs__(self) -> "Value":
        return apply("abs", self)

    def __lt__(self, other: "Value | Number") -> "Value":
        return apply("less", self, other)

    def __le__(self, other: "Value | Number") -> "Value":
        return apply("less_equal", self, other)

    def __gt__(self, other: "Value | Number") -> "Value":
        return apply("greater", self, other)

    def __ge__(self, other: "Value | Number") -> "Value":
        return apply("greater_equal", self, other)

    def __eq__(self, other: object) -> "Value":  # type: ignore[override]
        return apply("equal", self, other)

    def __ne__(self, other: object) -> "Value":  # type: ignore[override]
        return apply("not_equal", self, other)

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        outside(
            "a value of a step is no truth value, so it cannot choose a branch",
            "Write where(condition, a, b) from throughtime.math",
        )

    def __float__(self) -> NoReturn:
        outside(
            "a value of a step is not yet a number",
            "Compute with it as it is, or with functions of throughtime.math",
        )

    __int__ = __index__ = __complex__ = __float__

    def __iter__(self) -> Iterator["Value"]:
        outside(
            "a value of a step cannot be looped over, unpacked or given to the "
            "builtin `sum`",
            "Write split(value, n), or sum(value), from throughtime.math",
        )

    def __contains__(self, item: object) -> bool:
        return next(iter(self)) is item

    def __len__(self) -> NoReturn:
        outside(
            "a value of a step has no length",
            "Read its size from value.shape",
        )

    def __getitem__(self, key: object) -> NoReturn:
        outside(
            "a value of a step cannot be indexed",
            "Write split(value, [sizes]) from throughtime.math",
        )

    def __array__(self, *_: object, **__: object) -> NoReturn:
        _foreign("NumPy")

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **options: object
    ) -> "Value":
        # A number of NumPy's on the left; before a comparison it is made an array.
        operands = [o.item() if getattr(o, "shape", None) == () else o for o in inputs]
        operator = method == "__call__" and not options and ufunc.__name__ in OF_NUMPY
        if operator and all(isinstance(one, Value | Real) for one in operands):
            return apply(ufunc.__name__, *operands)
        _foreign("NumPy")

    @classmethod
    def __torch_function__(cls, *_: object, **__: object) -> NoReturn:
        _foreign("torch")

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.shape))
        return f"<{self.kind.value} value of shape ({sizes})>"


def _foreign(library: str) -> NoReturn:
    outside(
        f"a function of {library} was given a value of a step",
        "Use the function of the same name from throughtime.math",
    )


def outside(reason: str, advice: str) -> NoReturn:
    """Refuse what is not an equation, with the line it stands on."""
    current_tracing().outside(reason, advice)


def apply(
    operation: str, *operands: Any, attributes: tuple[Attribute, ...] = ()
) -> Value:
    """The value of an operation on values and numbers.

    Raises
    ------
    ShapeMismatch
        The operands do not fit each other.
    OutsideTheLanguage
        An operand is neither a value nor a number.
    """
    tracing = current_tracing()
    waiting = any(isinstance(one, Unsized) and one.waits for one in operands)
    if waiting and not _settled(operation, operands):
        return Unsized(partial(_deferred, operation, operands, attributes))
    indices = [tracing.operand(operand, operation) for operand in operands]
    return Value(tracing, tracing.emit(operation, *indices, attributes=attributes))


class Unsized(Value):
    """A random value, or what is made of some and numbers, until it meets a size.

    Parameters
    ----------
    make
        Gives the position of its node, for the shape of what it met and whether that
        is made of parameters alone.
    """

    __slots__ = ("_make",)
    __hash__ = object.__hash__

    def __init__(self, make: Callable[[Shape, bool], int]) -> None:
        super().__init__(current_tracing(), NOWHERE)
        self._make = make

    @property
    def waits(self) -> bool:
        """Whether it has no size yet."""
        return self.index == NOWHERE

    def settle(self, shape: Shape, parameter: bool) -> None:
        """Take the shape of what it meets, if it has none."""
        if self.waits:
            self.index = self._make(shape, parameter)

    @property
    def shape(self) -> Shape:
        """The one it was given by the first value that it met."""
        if self.waits:
            _refuse_unsized()
        return super().shape

    @property
    def kind(self) -> Kind:
        if self.waits:
            _refuse_unsized()
        return super().kind

    def __repr__(self) -> str:
        return "<random value without a size>" if self.waits else super().__repr__()


def _refuse_unsized() -> NoReturn:
    outside(
        "a mask or noise has no size before it meets a value that has one",
        "Join it first with such a value, by + - * /",
    )


def _settled(operation: str, operands: Sequence[Any]) -> bool:
    """Give operands that wait for it the size of the others; False: all wait."""
    values = [one for one in operands if isinstance(one, Value)]
    waiting = [one for one in values if isinstance(one, Unsized) and one.waits]
    sized = [one for one in values if one.index != NOWHERE]
    if operation == "product" and sized and sized[0] is operands[0]:
        shape: Shape = sized[0].shape[1:]
    elif OPERATIONS[operation].family not in {"pointwise", "comparison"}:
        _refuse_unsized()
    elif not sized:
        return False
    else:
        shape = max((one.shape for one in sized), key=lambda one: (len(one), one))
    parameter = all(one.kind is Kind.PARAMETER for one in sized)
    for one in waiting:
        one.settle(shape, parameter and operation != "product")
    return True


def _deferred(
    operation: str,
    operands: Sequence[Any],
    attributes: tuple[Attribute, ...],
    shape: Shape,
    parameter: bool,
) -> int:
    """Position of an operation whose operands were all waiting for a size."""
    for operand in operands:
        if isinstance(operand, Unsized):
            operand.settle(shape, parameter)
    return apply(operation, *operands, attributes=attributes).index
