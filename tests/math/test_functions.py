"""The words of the language against torch's functions, special values included."""

import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.graph.oracle import cell_of
from throughtime import math
from throughtime.backends.reference import run_layer
from throughtime.backends.reference.layer import Rows
from throughtime.graph import Value, trace

SPECIAL = [-torch.inf, -25.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 20.0, 25.0, torch.inf]
SPECIAL += [torch.nan]

UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": torch.nn.functional.softplus,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "erf": torch.erf,
    "exp": torch.exp,
    "log": torch.log,
    "log1p": torch.log1p,
    "expm1": torch.expm1,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "square": torch.square,
    "abs": torch.abs,
    "sign": torch.sign,
    "softmax": lambda v: torch.softmax(v, -1),
    "sum": lambda v: v.sum(-1, keepdim=True),
    "mean": lambda v: v.mean(-1, keepdim=True),
    "max": lambda v: v.amax(-1, keepdim=True),
}
BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "minimum": torch.minimum,
    "maximum": torch.maximum,
}
OTHERS = {"clip", "concat", "kth_largest", "mask", "name", "noise", "split", "where"}


def computed(step: Callable[[Value], Value], rows: Tensor) -> Tensor:
    graph = trace(cell_of(lambda self, x: step(x)), rows.shape[1], 1)
    output, _ = run_layer(graph, {"x": rows}, [], {}, Rows((rows.shape[0],)))
    return output


def assert_same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def test_every_word_is_tried() -> None:
    assert set(math.__all__) == UNARY.keys() | BINARY.keys() | OTHERS


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_argument(name: str) -> None:
    special = torch.tensor(SPECIAL, dtype=torch.float64)
    rows = torch.stack([special, special.flip(0), torch.linspace(-3, 3, 12).double()])
    assert_same(computed(getattr(math, name), rows), UNARY[name](rows))


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arguments(name: str) -> None:
    special = torch.tensor(SPECIAL, dtype=torch.float64)
    rows = torch.cartesian_prod(special, special)
    found = computed(lambda x: getattr(math, name)(*math.split(x, 2)), rows)
    assert_same(found, BINARY[name](rows[:, :1], rows[:, 1:]))


def test_a_choice_and_the_comparisons() -> None:
    special = torch.tensor(SPECIAL, dtype=torch.float64)
    rows = torch.cartesian_prod(special, special)
    signs: list[Callable[[Value, Value], Value]] = [
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
        lambda a, b: a == b,
        lambda a, b: a != b,
    ]
    for sign in signs:

        def step(x: Value, sign: Callable[[Value, Value], Value] = sign) -> Value:
            a, b = math.split(x, 2)
            return math.where(sign(a, b), a, 7)

        a, b = rows[:, :1], rows[:, 1:]
        expected = torch.where(sign(a, b), a, torch.tensor(7.0, dtype=torch.float64))
        assert_same(computed(step, rows), expected)


def test_numbers_may_stand_on_either_side() -> None:
    rows = torch.tensor([[0.5, 2.0]], dtype=torch.float64)
    found = computed(lambda x: 2 / (3 - x) * 4 + (1 + x) - x / 8, rows)
    assert_same(found, 2 / (3 - rows) * 4 + (1 + rows) - rows / 8)
    assert_same(computed(lambda x: math.where(x > 1, 0, x), rows), rows * (rows <= 1))
    assert_same(computed(lambda x: math.maximum(1, x), rows), rows.clamp(min=1))


def test_clip_is_clamp() -> None:
    rows = torch.tensor([SPECIAL], dtype=torch.float64)
    found = computed(lambda x: math.clip(x, -0.5, 0.5), rows)
    assert_same(found, rows.clamp(-0.5, 0.5))


@pytest.mark.parametrize("k", [1, 2, 3, 8, 12])
def test_the_kth_largest_is_the_last_of_the_top_k(k: int) -> None:
    special = torch.tensor(SPECIAL, dtype=torch.float64)
    rows = torch.stack([special, special.flip(0), torch.linspace(-3, 3, 12).double()])
    expected = rows.topk(k, -1).values[:, -1:]
    assert_same(computed(lambda x: math.kth_largest(x, k), rows), expected)


@pytest.mark.parametrize("parts", [1, 2, 3, 6, [1, 5], [2, 1, 3]])
def test_split_and_concat_are_inverse(parts: int | list[int]) -> None:
    rows = torch.arange(12, dtype=torch.float64).view(2, 6)
    assert_same(computed(lambda x: math.concat(*math.split(x, parts)), rows), rows)
    size = [6 // parts] * parts if isinstance(parts, int) else parts
    for place, expected in enumerate(rows.split(size, 1)):
        assert_same(
            computed(lambda x, i=place: math.split(x, parts)[i], rows), expected
        )


def test_every_word_is_documented() -> None:
    for name in math.__all__:
        assert inspect.getdoc(getattr(math, name)), name
