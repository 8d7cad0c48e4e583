"""What a step must not say, and how it is refused."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.graph.oracle import cell_of
from throughtime import cells, math
from throughtime.errors import (
    CellError,
    OutsideTheLanguage,
    ShapeMismatch,
)
from throughtime.graph import Cell, Parameter, State, StepGraph, Value, trace
from throughtime.math import split

INPUT_SIZE, HIDDEN_SIZE = 2, 4


def traced(cell: Cell) -> StepGraph:
    return trace(cell, INPUT_SIZE, HIDDEN_SIZE)


def with_state(step: Callable[..., Any], **declarations: object) -> Cell:
    return cell_of(step, h=State("hidden"), **declarations)


# ------------------------------------------------------------------ shapes while traced


def test_a_mismatch_names_cell_line_and_both_shapes() -> None:
    class Wrong(Cell):
        h = State("hidden")

        def step(self, x: Value, h: Value) -> Value:
            return x + h

    line = Wrong.step.__code__.co_firstlineno + 1
    message = rf"Wrong, test_language.py:{line}: `\+` cannot join \(2,\) and \(4,\)"
    with pytest.raises(ShapeMismatch, match=message):
        traced(Wrong())


def test_numbers_of_numpy_are_numbers() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        left, right = np.float32(0.5), np.int64(2)
        return left * h + h / right + (right - x)

    def plain(self: Any, x: Value, h: Value) -> Value:
        return 0.5 * h + h / 2 + (2 - x)

    found, expected = (trace(with_state(one), 4, 4) for one in (step, plain))
    assert [n.operation for n in found.nodes] == [n.operation for n in expected.nodes]
    assert [n.attributes for n in found.nodes] == [n.attributes for n in expected.nodes]
    compared = trace(
        with_state(lambda _, x, h: math.where(np.float32(2) < h, h, x)), 4, 4
    )
    assert "less" in [node.operation for node in compared.nodes]


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (lambda self, x, h: self.w @ x, "needs a vector of 4"),
        (lambda self, x, h: h @ self.w, "matrix on the left"),
        (lambda self, x, h: h @ h, "matrix on the left"),
        (lambda self, x, h: self.w * h, "must be equal"),
        (lambda self, x, h: self.w + x * 0, "must be equal"),
        (lambda self, x, h: (h > 0) + h, "only `where` takes it"),
        (lambda self, x, h: math.where(h, h, h), "must be a comparison"),
        (lambda self, x, h: h.T, "Only a matrix"),
        (lambda self, x, h: math.softmax(self.w), "takes a vector"),
        (lambda self, x, h: math.sum(self.w), "takes a vector"),
        (lambda self, x, h: math.kth_largest(self.w, 1), "takes a vector"),
        (
            lambda self, x, h: math.kth_largest(h, 5),
            "Of 4 units none is the 5. largest",
        ),
        (
            lambda self, x, h: math.kth_largest(h, 0),
            "Of 4 units none is the 0. largest",
        ),
        (lambda self, x, h: math.concat(self.w, self.w), "joins vectors, one"),
    ],
)
def test_shapes_and_kinds_are_checked(wrong: Callable[..., Any], advice: str) -> None:
    cell = with_state(wrong, w=Parameter("hidden", "hidden"))
    with pytest.raises(ShapeMismatch, match=advice):
        traced(cell)


def test_a_matrix_meets_a_step_only_through_the_product() -> None:
    cell = with_state(lambda self, x, h: self.w * math.sum(x), w=Parameter(4, 4))
    with pytest.raises(ShapeMismatch, match="only through `@`"):
        traced(cell)


@pytest.mark.parametrize("parts", [3, 0, [1, 2], [5, -1], []])
def test_a_split_must_be_whole(parts: Any) -> None:
    cell = with_state(lambda self, x, h: math.concat(*split(h, parts)))
    with pytest.raises(OutsideTheLanguage, match=r"4 units|the sizes"):
        traced(cell)


# ---------------------------------------------------------------- outside the language

REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "branch": (lambda x, h: h if h > 0 else x, "cannot choose a branch.*where"),
    "and": (lambda x, h: (h > 0) and h, "cannot choose a branch"),
    "chained comparison": (lambda x, h: 0 < h < 1, "cannot choose a branch"),
    "loop": (lambda x, h: [v for v in h], "cannot be looped over"),  # noqa: C416
    "builtin sum": (lambda x, h: sum(h), "sum\\(value\\), from throughtime.math"),
    "len": (lambda x, h: len(h), "has no length"),
    "float": (lambda x, h: float(h), "is not yet a number"),
    "int": (lambda x, h: int(h), "is not yet a number"),
    "index": (lambda x, h: h[0], "cannot be indexed.*split"),
    "NumPy function": (lambda x, h: np.tanh(h), "of NumPy.*throughtime.math"),
    "NumPy on the left": (lambda x, h: np.ones(4) + h, "NumPy"),
    "NumPy on the right": (lambda x, h: h + np.ones(4), "ndarray of numpy"),
    "NumPy function of two": (lambda x, h: np.maximum(np.float32(2), h), "NumPy"),
    "NumPy sum": (lambda x, h: np.add.reduce(h), "of NumPy"),
    "NumPy into": (lambda x, h: np.add(h, 2.0, out=np.ones(4)), "of NumPy"),
    "a list": (lambda x, h: h * [1.0, 2.0], "list.*numbers times the parts"),
    "joined list": (lambda x, h: math.concat([x, h]), r"list.*concat\(\*parts\)"),
    "np.array": (lambda x, h: np.array(h), "NumPy"),
    "torch function": (lambda x, h: torch.tanh(h), "of torch.*throughtime.math"),
    "torch on the left": (lambda x, h: torch.ones(4) + h, "torch"),
    "torch on the right": (lambda x, h: h * torch.ones(4), "Tensor of torch"),
    "torch matrix": (lambda x, h: torch.ones(4, 4) @ h, "torch"),
    "text": (lambda x, h: h + "1", "a str"),
    "None": (lambda x, h: h + None, "a NoneType"),
    "bool": (lambda x, h: h + True, "a bool"),
    "list": (lambda x, h: [1.0] + h, "a list"),  # noqa: RUF005
    "vector as exponent": (lambda x, h: h**h, "exponent must be a number"),
    "text as exponent": (lambda x, h: h ** "2", "exponent must be a number"),
    "number of the largest": (lambda x, h: math.kth_largest(3.0, 1), "given a float"),
    "place as a float": (lambda x, h: math.kth_largest(h, 2.0), "is 2.0.*whole number"),
    "place as a value": (lambda x, h: math.kth_largest(h, h), "whole number from 1"),
    "bounds of clip": (lambda x, h: math.clip(h, h, 1), "must be numbers"),
    "empty concat": (lambda x, h: math.concat(), "was given nothing"),
    "power on the left": (lambda x, h: 2**h, "exponent must be a number"),
    "function of a number": (lambda x, h: math.split(1.0, 2), "a float"),
    "unpacking": (lambda x, h: [*h], "cannot be looped over"),
    "membership": (lambda x, h: 1 in h, "cannot be looped over"),
    "round": (lambda x, h: round(h), "rounding"),
    "divmod": (lambda x, h: divmod(h, 2), "remainders"),
    "both": (lambda x, h: (h > 0) & (h < 1), "cannot be joined"),
    "either": (lambda x, h: (h > 0) | (h < 1), "cannot be joined"),
    "not": (lambda x, h: ~(h > 0), "cannot be joined"),
    "floor division": (lambda x, h: h // 2, "whole quotients"),
    "remainder": (lambda x, h: h % 2, "remainders"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_outside_the_language(name: str) -> None:
    wrong, message = REFUSED[name]

    class Wrong(Cell):
        h = State("hidden")

        def step(self, x: Value, h: Value) -> Value:
            return wrong(x, h)

    line = Wrong.step.__code__.co_firstlineno + 1
    with pytest.raises(OutsideTheLanguage) as caught:
        traced(Wrong())
    text = str(caught.value)
    assert text.startswith(f"Wrong, test_language.py:{line}: ")
    assert re.search(message, text, re.DOTALL), text


def test_a_value_of_another_tracing_is_refused() -> None:
    kept: list[Value] = []

    def step(self: Any, x: Value, h: Value) -> Value:
        kept.append(h)
        return h + kept[0]

    cell = with_state(step)
    traced(cell)
    with pytest.raises(OutsideTheLanguage):
        traced(cell)


def test_an_equation_outside_a_step_is_refused() -> None:
    with pytest.raises(OutsideTheLanguage, match="only while a step is traced"):
        math.tanh(Parameter(3))


@pytest.mark.parametrize("given", [cells.LSTM, "LSTM", None, torch.nn.LSTM])
def test_an_instance_of_a_cell_is_expected(given: Any) -> None:
    with pytest.raises(CellError, match=r"write LSTM\(\)|this is no Cell"):
        traced(given)


def test_a_cell_needs_a_step() -> None:
    with pytest.raises(CellError, match="it has no step"):
        traced(Cell())


def test_an_error_of_the_users_own_passes_through() -> None:
    def step(self: Any, x: Value, h: Value) -> Value:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        traced(with_state(step))
    traced(cells.Elman())
