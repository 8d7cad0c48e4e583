"""What is put off and caught up equals what is done at once, weight by weight."""

import numpy as np
import pytest

import throughtime as tt
from tests.optim.judge import (
    RATES,
    Dense,
    examples,
    learn_by_hand,
    start,
    table,
    weights_of,
)

STEPS, LONGEST = 3000, 2000
EXACT = 1e-10
PENALTIES = [(5e-3, 0), (0, 1e-2), (5e-3, 1e-2), (5e-3, 1e-9), (0, 1e-9), (0, 0)]
SCHEDULED = ["LazySGD", "LazyFOBOS"]


def compare(kind: str, rate: str, l1: float, l2: float, steps: int = STEPS) -> None:
    weight = start(60)
    dense, lazy = Dense(kind, weight, l1, l2), table(weight)
    lr = RATES[rate]
    optimizer = getattr(tt.optim, kind)(lazy.parameters(), lr(0), l1=l1, l2=l2)
    for step, example in enumerate(examples(steps, 60, 4, LONGEST)):
        dense.step(dense.gradient(example), lr(step))
        learn_by_hand(lazy, optimizer, example, lr(step))
    found = weights_of(lazy)
    np.testing.assert_allclose(found, dense.weight, rtol=0, atol=EXACT)
    np.testing.assert_array_equal(found == 0, dense.weight == 0)
    if l1:
        assert (found == 0).any()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", SCHEDULED)
def test_elastic_net_equals_the_dense_update(kind: str, rate: str) -> None:
    compare(kind, rate, 5e-3, 1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", SCHEDULED)
def test_any_schedule_equals_the_dense_update(
    kind: str, rate: str, l1: float, l2: float
) -> None:
    compare(kind, rate, l1, l2)


@pytest.mark.slow
@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
def test_adagrad_equals_the_dense_update(l1: float, l2: float) -> None:
    compare("LazyAdagrad", "constant", l1 / 10, l2 / 10)
