"""Lazy optimisers on layers that look features up: the weights of dense steps."""

from typing import Any

import pytest
import torch
from torch import Tensor

import throughtime as tt
from throughtime.nn import Recurrent, SparseSequences
from throughtime.optim import FTRLProximal, LazyAdagrad, LazyFOBOS, LazySGD

F, H = 30, 4
OPTIMISERS = [LazySGD, LazyFOBOS, LazyAdagrad, FTRLProximal]
PENALTIES = {"l1": 1e-3, "l2": 1e-2}


def batches(count: int) -> list[SparseSequences]:
    """Batches of which each leaves most features out."""
    generator = torch.Generator().manual_seed(2)
    found = []
    for number in range(count):
        span = (F // 3, F)[number == 0]
        steps = torch.randint(span, (2, 3, 2), generator=generator).tolist()
        values = torch.rand(2, 3, 2, generator=generator).tolist()
        pairs = [
            [list(zip(*step, strict=True)) for step in zip(*one, strict=True)]
            for one in zip(steps, values, strict=True)
        ]
        pairs[1].pop()
        found.append(SparseSequences.of(pairs, F, dtype=torch.float64))
    return found


def loss_of(module: Recurrent, x: SparseSequences) -> Tensor:
    if module.sparse_input:
        return module(x)[0].square().sum()
    return module(x.to_dense(), lengths=x.lengths)[0].square().sum()


def learned(sparse: bool, kind: Any, **settings: Any) -> tuple[Recurrent, Any]:
    torch.manual_seed(0)
    module = Recurrent(
        tt.cells.LSTM(), F, H, sparse_input=sparse, dtype=torch.float64, **settings
    )
    optimizer = kind(module.parameters(), 0.1, **PENALTIES)
    for x in batches(12):
        optimizer.zero_grad()
        loss_of(module, x).backward()
        optimizer.step()
    return module, optimizer


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_weights_are_those_of_dense_steps(kind: Any) -> None:
    sparse, optimizer = learned(True, kind, bidirectional=True)
    dense, _ = learned(False, kind, bidirectional=True)
    weight = sparse.get_parameter("weight_ih_l0")
    assert weight.grad is not None
    assert weight.grad.layout == torch.sparse_coo
    if kind is not FTRLProximal:
        assert not optimizer._pending[weight].settled
    # The first call in evaluation reads rows that have waited.
    x = batches(1)[0]
    sparse.eval()
    dense.eval()
    torch.testing.assert_close(
        loss_of(sparse, x), loss_of(dense, x), rtol=0, atol=1e-13
    )
    for name, value in dense.state_dict().items():
        torch.testing.assert_close(sparse.state_dict()[name], value, rtol=0, atol=1e-13)


def test_a_call_catches_up_the_rows_that_it_names_alone() -> None:
    sparse, optimizer = learned(True, LazyFOBOS)
    weight = sparse.get_parameter("weight_ih_l0")
    pending = optimizer._pending[weight]
    behind = set((pending.stamps < pending.now).nonzero().squeeze(1).tolist())
    assert len(behind) > F / 2
    chosen = min(behind)
    sparse(SparseSequences.of([[[chosen]]], F))
    left = set((pending.stamps < pending.now).nonzero().squeeze(1).tolist())
    assert left == behind - {chosen}
    assert pending.name == "parameter 'weight_ih_l0'"


def test_saving_and_loading_settle() -> None:
    sparse, optimizer = learned(True, LazySGD)
    dense, _ = learned(False, LazySGD)
    weight = sparse.get_parameter("weight_ih_l0")
    sparse.load_state_dict(sparse.state_dict())
    assert optimizer._pending[weight].settled
    expected = dense.get_parameter("weight_ih_l0")
    torch.testing.assert_close(weight.t(), expected, rtol=0, atol=1e-13)
