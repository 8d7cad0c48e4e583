"""Cells that no paper describes: many states, sizes, reductions, masks, expressions.

A recipe is numbers alone, so that hypothesis can shrink it: fewer states, fewer lines,
smaller choices. Every number has a meaning; there is always a valid step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies

from tests.graph.random_cells import BINARY, OFFSET, UNARY
from throughtime import math
from throughtime.graph import Cell, Input, Parameter, State, Value
from throughtime.graph.operations import Kind

LARGEST = 6
Line = tuple[int, int, int]


@dataclass(frozen=True)
class Recipe:
    """What a wild cell does."""

    states: tuple[int, ...]
    """Size of each state."""
    lines: tuple[Line, ...]
    ends: tuple[int, ...]
    """Which value each state takes, and the output if there is one more."""
    separate: bool
    """Whether the output is a value of its own."""


numbers = strategies.integers(0, 63)
recipes = strategies.builds(
    Recipe,
    states=strategies.lists(strategies.integers(1, LARGEST), max_size=3).map(tuple),
    lines=strategies.lists(
        strategies.tuples(numbers, numbers, numbers), max_size=9
    ).map(tuple),
    ends=strategies.lists(numbers, min_size=4, max_size=4).map(tuple),
    separate=strategies.booleans(),
)

MATRICES: list[Callable[[Value, Value], Value]] = [
    lambda w, other: w,
    lambda w, other: other.T,
    lambda w, other: math.abs(w + OFFSET),
    lambda w, other: math.tanh(w) * other.T,
    lambda w, other: w - other.T * 0.5,
]
VECTORS: list[Callable[[Value, Value], Value]] = [
    lambda v, w: v,
    lambda v, w: math.abs(v + OFFSET),
    lambda v, w: v * v + 0.5,
    lambda v, w: math.concat(*math.split(v, v.shape[0])[::-1]),
    lambda v, w: math.softmax(v),
    lambda v, w: v * math.mean(v),
]


class WildCell(Cell):
    """Computes whatever its recipe says; values grow to no more than a few units."""

    d = Input(1)
    e = Input(3)

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        for number, size in enumerate(recipe.states):
            setattr(self, f"s{number}", State(size))
        for rows in range(1, LARGEST + 1):
            setattr(self, f"v{rows}", Parameter(rows))
            for columns in range(1, LARGEST + 1):
                setattr(self, f"m{rows}{columns}", Parameter(rows, columns))

    def step(self, x: Value, *states: Value, d: Value, e: Value) -> list[Value]:
        pool = [x, *states, d, e]
        for line in self._recipe.lines:
            pool.append(self._line(line, pool))
        pool = [value for value in pool if value.kind is Kind.STEP]
        sizes = list(self._recipe.states)
        if self._recipe.separate or not sizes:
            sizes.insert(0, 1 + self._recipe.ends[3] % LARGEST)
        return [
            self._fitted(pool[-1 - end % len(pool)], size, end)
            for end, size in zip(self._recipe.ends, sizes, strict=False)
        ]

    def _fitted(self, value: Value, size: int, choice: int) -> Value:
        """A value of the wanted size, tamed unless it is small anyway."""
        have = value.shape[0]
        if have > size:
            value = math.split(value, [size, have - size])[0]
        elif have < size and choice % 2:
            value = self._matrix(size, have, choice // 2) @ value
        elif have < size:
            value = math.concat(value, self._vector(size - have, choice))
        return value if choice % 5 == 0 else math.tanh(value)

    def _matrix(self, rows: int, columns: int, choice: int) -> Value:
        plain: Value = getattr(self, f"m{rows}{columns}")
        other: Value = getattr(self, f"m{columns}{rows}")
        return MATRICES[choice % len(MATRICES)](plain, other)

    def _vector(self, size: int, choice: int) -> Value:
        vector: Value = getattr(self, f"v{size}")
        return VECTORS[choice % len(VECTORS)](vector, self._matrix(size, size, choice))

    def _line(self, line: Line, pool: Sequence[Value]) -> Value:
        kind, first, second = line
        a, b = pool[-1 - first % len(pool)], pool[-1 - second % len(pool)]
        size, other = a.shape[0], b.shape[0]
        fits = size == other or 1 in (size, other)
        match kind % 8:
            case 0:
                return UNARY[second % len(UNARY)](a)
            case 1 if fits:
                return BINARY[(kind // 8 + second) % len(BINARY)](a, b)
            case 2 if size + other <= LARGEST:
                return math.concat(a, b)
            case 3 if size > 1:
                cut = 1 + second % (size - 1)
                return math.split(a, [cut, size - cut])[kind // 8 % 2]
            case 4 | 5:
                a = a if size <= LARGEST else math.split(a, [1, size - 1])[0]
                rows = 1 + second % LARGEST
                return self._matrix(rows, a.shape[0], kind // 8) @ a
            case 6 if size <= LARGEST:
                return a * self._vector(size, second) + self._vector(size, kind)
            case 7:
                return self._vector(1 + first % LARGEST, second)
        return math.where(math.tanh(a) > OFFSET, math.softmax(a), a * 0.5)
