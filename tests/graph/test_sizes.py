"""Sizes: numbers, names, sums, products, whole quotients, and nothing else."""

from typing import Any

import pytest

from throughtime.errors import CellError
from throughtime.graph import Cell, Parameter, State, Value, trace
from throughtime.graph.size_names import HIDDEN_STAND_IN, INPUT_STAND_IN, size_letters


class Sized(Cell):
    w = Parameter("rows")
    h = State("hidden")
    heads = 2

    def __init__(self, size: Any, projection: Any = 3) -> None:
        self.projection = projection
        self.w = Parameter(size)

    def step(self, x: Value, h: Value) -> Value:
        return h


def size(text: Any, **settings: Any) -> int:
    return trace(Sized(text, **settings), 6, 8).parameters[0].shape[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (5, 5),
        ("5", 5),
        ("input", 6),
        ("hidden", 8),
        ("4*hidden", 32),
        ("hidden*4 + input", 38),
        ("2*(hidden+input)", 28),
        ("hidden/2", 4),
        ("hidden//2", 4),
        ("hidden/2 - 1", 3),
        ("projection", 3),
        ("heads*projection", 6),
    ],
)
def test_a_size(text: Any, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width", "reads `width`, which is unknown"),
        ("hidden/3", "8/3, not whole"),
        ("hidden/0", "8/0, not whole"),
        ("hidden-8", "is 0, but must be at least 1"),
        (0, "must be at least 1"),
        (-1, "must be at least 1"),
        (True, "must be at least 1"),
        ("hidden**2", r"must be made of \+, -, \* and /"),
        ("-hidden", "must be made of numbers, names"),
        ("abs(hidden)", "must be made of numbers, names"),
        ("__import__('os')", "must be made of numbers, names"),
        ("hidden.real", "must be made of numbers, names"),
        ("2.0*hidden", "must be made of numbers, names"),
        ("2 hidden", "cannot be read"),
        ("", "cannot be read"),
        (2.5, "must be made of numbers|size `2.5`"),
        (None, "size `None`"),
        ("step", "not a whole number"),
    ],
)
def test_no_size(text: Any, message: str) -> None:
    with pytest.raises(CellError, match=message) as caught:
        size(text)
    assert str(caught.value).startswith("Sized: w: ")


@pytest.mark.parametrize("projection", ["3", 2.0, True, None])
def test_an_attribute_must_be_a_whole_number(projection: Any) -> None:
    with pytest.raises(CellError, match="reads `projection`"):
        size("projection", projection=projection)


@pytest.mark.parametrize(
    "expected",
    ["H", "2H", "4H", "H/2", "3H/4", "I", "H+I", "2H+I/2", "H+3", "I+1", "7", "H/12"],
)
def test_stand_ins_are_read_back_as_letters(expected: str) -> None:
    text = expected.replace("H", "*hidden").replace("I", "*input").replace("+*", "+")
    text = text.lstrip("*")
    known = Sized(text)
    shape = trace(known, INPUT_STAND_IN, HIDDEN_STAND_IN).parameters[0].shape
    assert size_letters(shape[0]) == expected
