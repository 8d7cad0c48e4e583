"""The comparison that every test rests on is given wrong answers."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.compare import TOLERANCES, assert_close
from tests.covering import covering, crossed

DTYPES = list(TOLERANCES)


def reference(dtype: torch.dtype) -> Tensor:
    return torch.tensor([[1.5, -0.25, 3.0], [0.0, 2.0, -4.0]], dtype=dtype)


def with_value(values: Tensor, value: float) -> Tensor:
    changed = values.clone()
    changed[1, 1] = value
    return changed


def just_too_far(values: Tensor) -> Tensor:
    allowed = TOLERANCES[values.dtype] * 4.0  # 4 is the largest value
    return with_value(values, 2.0 + allowed * 1.01 + torch.finfo(values.dtype).eps * 4)


WRONG: dict[str, Callable[[Tensor], Tensor]] = {
    "sign": torch.neg,
    "one sign": lambda v: with_value(v, -2.0),
    "a little too far": just_too_far,
    "NaN": lambda v: with_value(v, math.nan),
    "infinity": lambda v: with_value(v, math.inf),
    "zeros": torch.zeros_like,
    "other dtype": lambda v: v.to(torch.float16),
    "a shape that broadcasts": lambda v: v[:1],
    "transposed": lambda v: v.T,
    "empty": lambda v: v[:0],
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_answer_fails(mistake: str, dtype: torch.dtype) -> None:
    right = reference(dtype)
    with pytest.raises(AssertionError):
        assert_close(WRONG[mistake](right), right)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_number_where_nan_is_right_fails(dtype: torch.dtype) -> None:
    right = with_value(reference(dtype), math.nan)
    with pytest.raises(AssertionError):
        assert_close(reference(dtype), right)
    with pytest.raises(AssertionError):
        assert_close(with_value(right, math.inf), with_value(right, -math.inf))


def test_nothing_to_compare_fails() -> None:
    with pytest.raises(AssertionError, match="nothing to compare"):
        assert_close(torch.zeros(0), torch.zeros(0))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_right_answer_passes(dtype: torch.dtype) -> None:
    right = with_value(reference(dtype), math.nan)
    assert_close(right.clone(), right)
    assert_close(reference(dtype) * (1 + TOLERANCES[dtype] / 4), reference(dtype))
    only_nan = torch.full((2,), math.nan, dtype=dtype)
    assert_close(only_nan.clone(), only_nan)


@pytest.mark.parametrize("lengths", [(8, 2, 2), (6, 7), (3, 4, 5), (1,), (4, 1)])
def test_what_is_chosen_of_crossed_parameters_shows_every_value(
    lengths: tuple[int, ...],
) -> None:
    chosen = covering(lengths)
    assert len(chosen) == len(set(chosen)) == max(lengths)
    for axis, length in enumerate(lengths):
        assert {places[axis] for places in chosen} == set(range(length))


def test_what_is_chosen_of_crossed_parameters_shows_many_pairs() -> None:
    assert len({places[1:] for places in covering((8, 2, 2))}) == 4


def test_what_is_not_chosen_is_slow() -> None:
    mark = crossed(one=[1, 2, 3], other=["a", "b"]).mark
    assert mark.args[0] == ["one", "other"]
    quick = [param.id for param in mark.args[1] if not param.marks]
    assert len(mark.args[1]) == 6
    assert quick == ["1-a", "2-b", "3-a"]
    assert all(p.marks in ((), (pytest.mark.slow,)) for p in mark.args[1])
