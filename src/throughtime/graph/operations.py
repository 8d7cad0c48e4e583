"""Every operation of a step graph, as one table: its arity and its shape rule.

Meaning is given by name in each backend's table, derivatives in ``adjoint``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

Shape = tuple[int, ...]
Attribute = int | float | str


class Kind(StrEnum):
    """What a node stands for."""

    STEP = "step"
    """A vector with one value per unit, for each sequence and time step."""
    MASK = "mask"
    """A boolean vector; ``where`` alone takes it."""
    PARAMETER = "parameter"
    """A vector or matrix made of parameters and constants alone."""


class ShapeError(Exception):
    """Arguments that an operation cannot join; callers add the place."""

    def __init__(self, advice: str) -> None:
        self.advice = advice
        super().__init__(advice)


ShapeRule = Callable[[Sequence[Shape], Sequence[Attribute]], Shape]


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table."""

    name: str
    arity: int
    shape: ShapeRule
    family: str
    symbol: str = ""


def _broadcast(shapes: Sequence[Shape], _: Sequence[Attribute]) -> Shape:
    largest = max(shapes, key=lambda shape: (len(shape), shape))
    for shape in shapes:
        if shape not in {largest, (1,)}:
            raise ShapeError("Sizes must be equal, or one of them 1.")
    return largest


def _product(shapes: Sequence[Shape], _: Sequence[Attribute]) -> Shape:
    matrix, vector = shapes
    if len(matrix) != 2 or len(vector) != 1:
        raise ShapeError("`@` takes a matrix on the left and a vector on the right.")
    if matrix[1] != vector[0]:
        raise ShapeError(f"The matrix needs a vector of {matrix[1]} values.")
    return (matrix[0],)


def _slice(shapes: Sequence[Shape], attributes: Sequence[Attribute]) -> Shape:
    start, stop = int(attributes[0]), int(attributes[1])
    if not 0 <= start < stop <= shapes[0][0]:
        raise ShapeError(f"The range {start}:{stop} leaves {shapes[0][0]} values.")
    return (stop - start, *shapes[0][1:])


def _slice_columns(shapes: Sequence[Shape], attributes: Sequence[Attribute]) -> Shape:
    start, stop = int(attributes[0]), int(attributes[1])
    if len(shapes[0]) != 2 or not 0 <= start < stop <= shapes[0][1]:
        raise ShapeError(f"The range {start}:{stop} leaves the matrix's columns.")
    return (shapes[0][0], stop - start)


def _transpose(shapes: Sequence[Shape], _: Sequence[Attribute]) -> Shape:
    if len(shapes[0]) != 2:
        raise ShapeError("Only a matrix has a transpose.")
    return (shapes[0][1], shapes[0][0])


def _concat(shapes: Sequence[Shape], _: Sequence[Attribute]) -> Shape:
    if not shapes or any(len(shape) != 1 for shape in shapes):
        raise ShapeError("`concat` joins vectors, one at least.")
    return (sum(shape[0] for shape in shapes),)


def _reduction(shapes: Sequence[Shape], _: Sequence[Attribute]) -> Shape:
    if len(shapes[0]) != 1:
        raise ShapeError("A reduction takes a vector.")
    return (1,)


def _selection(shapes: Sequence[Shape], attributes: Sequence[Attribute]) -> Shape:
    single, rank = _reduction(shapes, attributes), int(attributes[0])
    if not 1 <= rank <= shapes[0][0]:
        raise ShapeError(f"Of {shapes[0][0]} units none is the {rank}. largest.")
    return single


def _vector(shapes: Sequence[Shape], _: Sequence[Attribute]) -> Shape:
    if len(shapes[0]) != 1:
        raise ShapeError("This function takes a vector.")
    return shapes[0]


def _expand(shapes: Sequence[Shape], attributes: Sequence[Attribute]) -> Shape:
    if shapes[0] != (1,):
        raise ShapeError("Only a single unit can be repeated.")
    return (int(attributes[0]),)


def _watch(shapes: Sequence[Shape], attributes: Sequence[Attribute]) -> Shape:
    if attributes[0] not in WATCHED:
        raise ShapeError(f"Nothing of a value is reported as {attributes[0]!r}.")
    if len(shapes[0]) != 1 or shapes[1] != (1,):
        raise ShapeError("A vector is watched, and reports to a single unit.")
    return shapes[0]


def _declared(_: Sequence[Shape], attributes: Sequence[Attribute]) -> Shape:
    return tuple(int(size) for size in attributes[1:])


def _placed(_: Sequence[Shape], attributes: Sequence[Attribute]) -> Shape:
    return (int(attributes[2]),)


def _drawn(_: Sequence[Shape], attributes: Sequence[Attribute]) -> Shape:
    return tuple(int(size) for size in attributes[4:])


def _one(_: Sequence[Shape], __: Sequence[Attribute]) -> Shape:
    return (1,)


UNARY = (
    "negate sigmoid tanh relu softplus silu gelu erf exp log log1p expm1 sqrt rsqrt "
    "square abs sign reciprocal"
).split()
BINARY = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "minimum": "",
    "maximum": "",
}
COMPARISONS = {
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
}
LEAVES = ("input", "state", "parameter", "zeros", "gradient")
PLACED = ("stream", "previous")
"""Leaves of a program: a value at this step's row of a buffer, at the last step's."""
CARRIED = ("carry", "operand")
"""Leaves of a program: a value kept between steps, a matrix or vector of the call."""
RANDOM = ("mask", "noise")
"""Random vectors, and matrices drawn once per call; see ``random_values``."""
PERIODS = ("step", "sequence", "call")
REDUCTIONS = ("sum", "mean", "max")
KTH_LARGEST = "kth_largest"
WATCH = "watch"
"""Passes its first argument on; error reports to the second, see ``watching``."""
ERROR = "error"
WATCHED = (ERROR, "sigmoid", "tanh")
"""What is reported: the error that comes back, or saturation of such a function."""
ANY_NUMBER = -1


def _table() -> dict[str, Operation]:
    rows = [Operation(name, 0, _declared, "leaf") for name in LEAVES]
    rows += [Operation(name, 0, _placed, "leaf") for name in PLACED]
    rows += [Operation(name, 0, _declared, "leaf") for name in CARRIED]
    rows += [Operation(name, 0, _drawn, "random") for name in RANDOM]
    rows.append(Operation("constant", 0, _one, "leaf"))
    rows += [Operation(name, 1, _broadcast, "pointwise") for name in UNARY]
    rows += [Operation(n, 2, _broadcast, "pointwise", s) for n, s in BINARY.items()]
    rows += [
        Operation(n, 2, _broadcast, "comparison", s) for n, s in COMPARISONS.items()
    ]
    rows += [Operation(name, 1, _reduction, "reduction") for name in REDUCTIONS]
    rows += [
        Operation(KTH_LARGEST, 1, _selection, "reduction"),
        Operation("power", 1, _broadcast, "pointwise"),
        Operation("clip", 1, _broadcast, "pointwise"),
        Operation("where", 3, _broadcast, "pointwise"),
        Operation("softmax", 1, _vector, "vector"),
        Operation("slice", 1, _slice, "structure"),
        Operation("slice_columns", 1, _slice_columns, "structure"),
        Operation("transpose", 1, _transpose, "structure"),
        Operation("concat", ANY_NUMBER, _concat, "structure"),
        Operation("expand", 1, _expand, "pointwise"),
        Operation("product", 2, _product, "product", "@"),
        Operation(WATCH, 2, _watch, "structure"),
    ]
    return {row.name: row for row in rows}


OPERATIONS = _table()

# What an operation carries beside its arguments; all others carry nothing.
ATTRIBUTES: dict[str, tuple[type, ...]] = {
    "constant": (float,),
    "power": (float,),
    "clip": (float, float),
    "slice": (int, int),
    "slice_columns": (int, int),
    "expand": (int,),
    KTH_LARGEST: (int,),
    WATCH: (str,),
}


def check_attributes(operation: str, attributes: Sequence[Attribute]) -> None:
    """Refuse attributes of another number or type than the operation carries.

    Raises
    ------
    ShapeError
        They do not fit.
    """
    if operation in RANDOM:
        _check_random(operation, attributes)
        return
    given = tuple(type(value) for value in attributes)
    expected = ATTRIBUTES.get(operation, ())
    if operation in LEAVES:
        # A name and the sizes of a vector or a matrix.
        expected = (str, int) if len(given) == 2 else (str, int, int)
    if given != expected:
        words = ", ".join(kind.__name__ for kind in expected) or "nothing"
        raise ShapeError(f"Its attributes are {tuple(attributes)}; expected {words}.")
    if operation in (*LEAVES, "expand"):
        sizes = [value for value in attributes if isinstance(value, int)]
        if any(size < 1 for size in sizes):
            raise ShapeError("Sizes must be at least 1.")


def _check_random(operation: str, attributes: Sequence[Attribute]) -> None:
    given = tuple(type(value) for value in attributes)
    if given[:4] != (float, str, int, int) or given[4:] not in {(int,), (int, int)}:
        raise ShapeError(
            f"Its attributes are {tuple(attributes)}; expected an amount, a period, a "
            "stream, a first unit and sizes."
        )
    amount, period, stream, start, *shape = attributes
    most = 1.0 if operation == "mask" else float("inf")
    if not 0 <= float(amount) <= most or float(amount) == float("inf"):
        raise ShapeError(f"It cannot be drawn with {amount}.")
    if period not in PERIODS or (len(shape) == 2 and period != "call"):
        raise ShapeError(f"Values of {len(shape)} axes are not drawn per {period}.")
    if int(stream) < 0 or int(start) < 0 or any(int(size) < 1 for size in shape):
        raise ShapeError("Its stream and first unit are at least 0, sizes at least 1.")
