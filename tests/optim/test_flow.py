"""Many steps of a regulariser in one formula."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime.optim.flow import follow, time_of_fobos, time_of_sgd

RATE = st.floats(0, 0.9, allow_subnormal=False)
PENALTY = st.one_of(st.just(0.0), st.floats(1e-12, 1.0))


def stepped(kind: str, w: float, rates: list[float], l1: float, l2: float) -> float:
    size = abs(w)
    for lr in rates:
        if kind == "sgd":
            size = max((1 - lr * l2) * size - lr * l1, 0.0)
        else:
            size = max((size - lr * l1) / (1 + lr * l2), 0.0)
    return float(np.copysign(size, w))


@given(
    kind=st.sampled_from(["sgd", "fobos"]),
    w=st.floats(-3, 3),
    rates=st.lists(RATE, max_size=40),
    l1=PENALTY,
    l2=PENALTY,
)
def test_a_wait_equals_its_steps_and_never_crosses_zero(
    kind: str, w: float, rates: list[float], l1: float, l2: float
) -> None:
    one = time_of_sgd if kind == "sgd" else time_of_fobos
    time = torch.tensor([sum(one(lr, l2) for lr in rates)], dtype=torch.float64)
    found = float(follow(torch.tensor([w], dtype=torch.float64), time, l1, l2))
    assert found == pytest.approx(stepped(kind, w, rates, l1, l2), rel=0, abs=1e-12)
    assert found * w >= 0
    assert abs(found) <= abs(w)


@pytest.mark.parametrize("l2", [0.0, 1e-320, 1e-300, 1e-12, 5e-3, 1.0])
def test_nothing_underflows_after_a_million_steps(l2: float) -> None:
    time = torch.tensor([1e6 * time_of_fobos(1.0, l2)], dtype=torch.float64)
    weight = torch.tensor([2.0], dtype=torch.float64)
    exact = 2 * np.exp(-1e6 * np.log1p(l2))
    assert float(follow(weight, time, 0.0, l2)) == pytest.approx(exact, rel=1e-8)
    assert float(follow(weight, time, 1e-9, l2)) >= 0
    assert float(follow(weight, time, 1.0, l2)) == 0


def test_what_is_no_number_stays_none() -> None:
    weight = torch.tensor([float("nan"), float("inf")])
    found = follow(weight, torch.tensor(1.0, dtype=torch.float64), 0.1, 0.1)
    assert found[0].isnan()
    assert found[1] == float("inf")
