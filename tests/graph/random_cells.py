"""Random cells for hypothesis: a list of choices, read as the lines of a step."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies

from throughtime import math
from throughtime.graph import Cell, Input, Parameter, State, Value

LARGEST = 12
# Added before every kink, so that no two ways of rounding fall on two sides of it.
OFFSET = 0.12345

Choices = list[tuple[int, int, int]]
choices: strategies.SearchStrategy[Choices] = strategies.lists(
    strategies.tuples(*[strategies.integers(0, 63)] * 3), min_size=1, max_size=12
)

UNARY: list[Callable[[Value], Value]] = [
    math.sigmoid,
    math.tanh,
    math.softplus,
    math.silu,
    math.gelu,
    math.erf,
    math.softmax,
    math.sum,
    math.mean,
    lambda v: math.max(math.tanh(v)),
    lambda v: math.kth_largest(math.tanh(v), 1 + v.shape[0] // 2),
    lambda v: math.relu(v + OFFSET),
    lambda v: math.abs(v + OFFSET),
    lambda v: math.sign(v + OFFSET) * v,
    lambda v: math.exp(math.tanh(v)),
    lambda v: math.expm1(math.sigmoid(v)),
    lambda v: math.log(1 + math.square(v)),
    lambda v: math.log1p(math.square(v)),
    lambda v: math.sqrt(1 + v * v),
    lambda v: math.rsqrt(1 + v * v),
    lambda v: math.tanh(v) ** 3,
    lambda v: (1 + v * v) ** -0.7,
    lambda v: math.clip(v + OFFSET, -1, 1),
    lambda v: -v,
    lambda v: 1 - v,
    lambda v: v + 0.0,
    lambda v: -(0 - v),
]
BINARY: list[Callable[[Value, Value], Value]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: math.tanh(a) * b,
    lambda a, b: a / (1 + math.square(b)),
    lambda a, b: math.maximum(math.tanh(a), math.sigmoid(b) + OFFSET),
    lambda a, b: math.minimum(math.tanh(a), math.sigmoid(b) + OFFSET),
    lambda a, b: math.where(math.tanh(a) > OFFSET, a, b),
    lambda a, b: math.where(math.tanh(b) <= OFFSET, a * 2, b),
    lambda a, b: a + (b + a),
]


class RandomCell(Cell):
    """Computes whatever its choices say; always has a valid step."""

    h = State("hidden")
    c = State("2*hidden")
    d = Input(1)
    vector = Parameter("hidden")
    bias = Parameter("2*hidden", role="bias")
    out = Parameter("hidden", "3*hidden")

    def __init__(self, choices: Sequence[tuple[int, int, int]]) -> None:
        self._choices = choices
        for number, _ in enumerate(choices):
            setattr(self, f"m{number}", Parameter("hidden", "hidden"))
            setattr(self, f"w{number}", Parameter("hidden", 1 + number % 4))

    def step(self, x: Value, h: Value, c: Value, d: Value) -> tuple[Value, Value]:
        pool: list[Value] = [x, h, c, d, c + self.bias, self.vector * h]
        for number, choice in enumerate(self._choices):
            pool.append(self._line(number, choice, pool))
        last = math.concat(pool[-1], pool[-2], *pool[:-2])
        wide, _ = math.split(last, [3 * h.shape[0], last.shape[0] - 3 * h.shape[0]])
        h = math.tanh(self.out @ wide)
        both = math.concat(h, math.sigmoid(h))
        return h, both * 0.5 + math.tanh(c)

    def _line(self, number: int, choice: tuple[int, int, int], pool: Any) -> Value:
        kind, first, second = choice
        a, b = pool[-1 - first % len(pool)], pool[-1 - second % len(pool)]
        fits = a.shape == b.shape or 1 in (a.shape[0], b.shape[0])
        match kind % 6:
            case 0 | 1:
                return UNARY[second % len(UNARY)](a)
            case 2 if fits:
                return BINARY[(kind // 6 + second) % len(BINARY)](a, b)
            case 3 if a.shape[0] + b.shape[0] <= LARGEST:
                return math.concat(a, b)
            case 4 if a.shape[0] > 1:
                cut = 1 + second % (a.shape[0] - 1)
                return math.split(a, [cut, a.shape[0] - cut])[kind // 6 % 2]
            case 5 if a.shape[0] == self.vector.shape[0]:
                return getattr(self, f"m{number}") @ a
            case 5 if a.shape[0] == 1 + number % 4:
                return getattr(self, f"w{number}") @ a
        return math.tanh(a)
