"""What cannot be obeyed is refused under the name of the argument."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from throughtime import cells, errors
from throughtime import nn as ours
from throughtime.graph import Parameter
from throughtime.nn import Recurrent, explain

F, H = 3, 5
Refusal = tuple[Callable[[], Any], type[errors.ThroughtimeError], str]


def x(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape, F)


def lstm(*arguments: Any, **inputs: Any) -> Any:
    return Recurrent(cells.LSTM(), F, H)(*arguments, **inputs)


def step(*arguments: Any, **inputs: Any) -> Any:
    return Recurrent(cells.LSTM(), F, H).step(*arguments, **inputs)


def built(**settings: Any) -> Any:
    return Recurrent(cells.GRU(), F, H, **settings)


REFUSALS: list[Refusal] = [
    (lambda: lstm([1, 2]), errors.NotATensor, "input is of type list"),
    (lambda: lstm(x(4, 2), "ab"), errors.NotATensor, "state is of type str"),
    (lambda: lstm(x(4, 2), 3), errors.NotATensor, "state is of type int"),
    (lambda: lstm(x(4, 2), (1, 2)), errors.NotATensor, "state.h is of type int"),
    (lambda: lstm(x(4, 2).long()), errors.DtypeMismatch, "(torch.float32)."),
    (lambda: lstm(x(4, 2).double()), errors.DtypeMismatch, ".to(torch.float64)."),
    (lambda: step(torch.zeros(2, 7)), errors.InputSizeMismatch, "x.size(-1) must be"),
    (lambda: step(x(2).double()), errors.DtypeMismatch, "RNN x dtype"),
    (lambda: step([1.0]), errors.NotATensor, "x is of type list"),
    (lambda: step(x(2), a=3), errors.UnknownInput, "no input 'a'"),
    (lambda: ours.GRU(F, H)([1.0]), errors.NotATensor, "input is of type list"),
    (lambda: ours.GRU(F, H)(x(4, 2), 3), errors.NotATensor, "hx is of type int"),
    (lambda: ours.GRUCell(F, H)([1.0]), errors.NotATensor, "input is of type list"),
    (lambda: ours.GRUCell(F, H)(x(2), "a"), errors.NotATensor, "hx is of type str"),
    (
        lambda: ours.LSTMCell(F, H)(x(2), torch.zeros(2, H)),
        errors.StateCountMismatch,
        "1 tensor given as state, expected 2 (h, c)",
    ),
    (lambda: ours.LSTMCell(F, H)(x(2), 3), errors.NotATensor, "hx is of type int"),
    (lambda: Recurrent.from_graphs([]), errors.BadSetting, "graphs must hold one"),
    (lambda: built(dtype=torch.int32), errors.BadSetting, "dtype must be of floating"),
    (lambda: built(dtype="float"), errors.BadSettingType, "dtype should be of type"),
    (lambda: cells.GRU("x"), errors.CellError, "reset_after is 'x'"),
    (lambda: ours.LSTM(0, H), errors.BadSetting, "input_size must be greater than"),
]


@pytest.mark.parametrize(
    ("call", "error", "words"), REFUSALS, ids=[words for _, _, words in REFUSALS]
)
def test_refused_by_name(
    call: Callable[[], Any], error: type[errors.ThroughtimeError], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        call()


@pytest.mark.parametrize("use", [lambda cell: Recurrent(cell, 2, 3), explain])
def test_a_weight_that_nothing_depends_on_is_refused(use: Callable[..., Any]) -> None:
    class Forgotten(cells.Elman):
        recurrent = Parameter("hidden", "hidden")

    with pytest.raises(errors.CellError, match=r"Forgotten: nothing.* recurrent; use"):
        use(Forgotten())
