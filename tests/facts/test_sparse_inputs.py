"""Sparse inputs under a regulariser whose gradient is dense: nothing is lost."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import throughtime as tt
from tests.optim.judge import RATES, Dense, examples, learn, start, table, weights_of


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", ["LazySGD", "LazyFOBOS"])
def test_lazy_equals_dense_after_any_interleaving(kind: str, rate: str) -> None:
    weight, lr = start(40), RATES[rate]
    dense, lazy = Dense(kind, weight, 2e-3, 1e-2), table(weight)
    optimizer = getattr(tt.optim, kind)(lazy.parameters(), lr(0), l1=2e-3, l2=1e-2)
    for step, example in enumerate(examples(300, 40, 3, 250)):
        dense.step(dense.gradient(example), lr(step))
        learn(lazy, optimizer, example, lr(step))
    found = weights_of(lazy)
    np.testing.assert_allclose(found, dense.weight, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(found == 0, dense.weight == 0)


class Numbers(TorchDispatchMode):
    """Counts the numbers that operations of torch make."""

    def __init__(self) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        found = function(*args, **kwargs or {})
        if isinstance(found, torch.Tensor) and found.layout == torch.strided:
            whole = any(one is found for one in args)  # changed in place
            self.made[str(function)] += 0 if whole else found.numel()
        return found


@pytest.mark.parametrize("kind", ["LazySGD", "LazyAdagrad", "FTRLProximal"])
def test_a_step_makes_as_many_numbers_for_any_number_of_features(kind: str) -> None:
    made = []
    for features in (1_000, 100_000):
        lazy = table(start(features))
        optimizer = getattr(tt.optim, kind)(lazy.parameters(), 0.1, l1=1e-3, l2=1e-3)
        drawn = examples(3, 900, 5)
        for example in drawn:
            learn(lazy, optimizer, example, 0.1)
        with Numbers() as counted:
            optimizer.catch_up(torch.tensor(drawn[0].rows))
            optimizer.step()
        made.append(counted.made)
    views = [name for name in made[0] if "detach" in name or "alias" in name]
    for counts in made:
        for name in views:
            del counts[name]
    assert made[0] == made[1]
    assert sum(made[0].values()) < 1_000
