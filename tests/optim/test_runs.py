"""Optimisers over a whole run: groups, schedules, resuming, threads."""

import copy
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import throughtime as tt
from tests.optim.judge import Dense, examples, learn, start, table, weights_of

KINDS = ["LazySGD", "LazyFOBOS", "LazyAdagrad", "FTRLProximal"]
FEATURES, EACH = 30, 3
PENALTIES = {"l1": 2e-3, "l2": 1e-2}


def made(kind: str, parameters: Any, **settings: Any) -> torch.optim.Optimizer:
    return getattr(tt.optim, kind)(parameters, **({"lr": 0.3} | PENALTIES | settings))


def assert_same(found: Any, right: Any) -> None:
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(found == 0, right == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_learn_as_the_dense_update_does(kind: str) -> None:
    weight, l1 = start(FEATURES), 0.4 if kind == "FTRLProximal" else 2e-3
    dense, lazy = Dense(kind, weight, l1, 1e-2), table(weight)
    optimizer = made(kind, lazy.parameters(), l1=l1)
    for number, example in enumerate(examples(200, FEATURES, EACH)):
        dense.step(dense.gradient(example), 0.3)
        learn(lazy, optimizer, example, 0.3)
        if number % 60 == 59:
            assert_same(weights_of(lazy), dense.weight)
    assert (dense.weight == 0).any()
    assert_same(weights_of(lazy), dense.weight)


@pytest.mark.parametrize("kind", KINDS)
def test_dense_gradients_are_taken_too(kind: str) -> None:
    weight = start(FEATURES)
    dense, lazy = Dense(kind, weight, **PENALTIES), table(weight)
    lazy.sparse = False
    optimizer = made(kind, lazy.parameters())
    for example in examples(50, FEATURES, EACH):
        dense.step(dense.gradient(example), 0.3)
        learn(lazy, optimizer, example, 0.3)
        lazy.sparse = not lazy.sparse
        optimizer.settle()
    assert_same(weights_of(lazy), dense.weight)


@pytest.mark.parametrize(
    ("kind", "torchs", "settings"),
    [
        ("LazySGD", torch.optim.SGD, {"weight_decay": 0.05}),
        ("LazyFOBOS", torch.optim.SGD, {}),
        ("LazyAdagrad", torch.optim.Adagrad, {"initial_accumulator_value": 0.1}),
    ],
)
def test_without_l1_they_are_torchs(kind: str, torchs: Any, settings: Any) -> None:
    weight = start(FEATURES)
    lazy, dense = table(weight), table(weight)
    dense.sparse = False
    l2 = settings.get("weight_decay", 0.0)
    optimizer = made(kind, lazy.parameters(), l1=0.0, l2=l2)
    judge = torchs(dense.parameters(), lr=0.3, **settings)
    for example in examples(100, FEATURES, EACH):
        learn(lazy, optimizer, example, 0.3)
        learn(dense, judge, example, 0.3)
    assert_same(weights_of(lazy), weights_of(dense))


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_has_the_bits_of_the_uninterrupted_one(kind: str) -> None:
    drawn = examples(60, FEATURES, EACH)
    whole = table(start(FEATURES))
    optimizer = made(kind, whole.parameters())
    for example in drawn[:30]:
        learn(whole, optimizer, example, 0.3)
    files = copy.deepcopy((whole.state_dict(), optimizer.state_dict()))
    for example in drawn[30:]:
        learn(whole, optimizer, example, 0.3)
    resumed = table(np.zeros(FEATURES))
    optimizer = made(kind, resumed.parameters(), lr=7.0, l1=0.5, l2=0.0)
    resumed.load_state_dict(files[0])
    optimizer.load_state_dict(files[1])
    for example in drawn[30:]:
        learn(resumed, optimizer, example, 0.3)
    assert np.array_equal(weights_of(resumed), weights_of(whole))


def test_groups_and_torchs_schedules() -> None:
    tables = [table(start(FEATURES)) for _ in range(2)]
    judges = [
        Dense("LazyFOBOS", start(FEATURES), 1e-3, 0.0),
        Dense("LazyFOBOS", start(FEATURES), 0.0, 0.05),
    ]
    groups = [
        {"params": tables[0].parameters(), "l1": 1e-3},
        {"params": tables[1].parameters(), "l2": 0.05, "lr": 0.1},
    ]
    optimizer = tt.optim.LazyFOBOS(groups, 0.4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 80)
    for number, example in enumerate(examples(80, FEATURES, EACH)):
        rates = [group["lr"] for group in optimizer.param_groups]
        optimizer.zero_grad()
        for one in tables:
            if one is tables[0] or number % 2:  # the other gets a step now and then
                answer = torch.tensor(example.answer, dtype=torch.float64)
                weights = one(torch.tensor(example.rows)).squeeze(1)
                logit = weights @ torch.tensor(example.values)
                nn.functional.binary_cross_entropy_with_logits(logit, answer).backward()
        optimizer.step()
        schedule.step()
        for place, (judge, rate) in enumerate(zip(judges, rates, strict=True)):
            if place == 0 or number % 2:
                judge.step(judge.gradient(example), rate)
    for one, judge in zip(tables, judges, strict=True):
        assert_same(weights_of(one), judge.weight)


@pytest.mark.parametrize("kind", ["LazySGD", "LazyFOBOS", "LazyAdagrad"])
def test_penalties_and_the_rate_of_adagrad_may_change(kind: str) -> None:
    weight = start(FEATURES)
    dense, lazy = Dense(kind, weight, **PENALTIES), table(weight)
    optimizer = made(kind, lazy.parameters())
    for number, example in enumerate(examples(90, FEATURES, EACH)):
        dense.l1, dense.l2 = (
            (0.0, 1e-2, 2e-3)[number // 30],
            (0.1, 0.0, 0.2)[number // 30],
        )
        optimizer.param_groups[0] |= {"l1": dense.l1, "l2": dense.l2}
        lr = 0.3 if number < 45 else 0.1
        dense.step(dense.gradient(example), lr)
        learn(lazy, optimizer, example, lr)
    assert_same(weights_of(lazy), dense.weight)


def test_a_new_rate_of_ftrl_moves_no_weight_and_new_penalties_do() -> None:
    lazy = table(start(FEATURES))
    optimizer = made("FTRLProximal", lazy.parameters())
    drawn = examples(20, FEATURES, EACH)
    for example in drawn:
        learn(lazy, optimizer, example, 0.3)
    before = lazy.weight.detach().clone()
    lazy.weight.grad = torch.zeros(FEATURES, 1).double().to_sparse(1)  # of no row
    optimizer.param_groups[0]["lr"] = 0.05
    optimizer.step()
    torch.testing.assert_close(lazy.weight.detach(), before, rtol=0, atol=1e-14)
    optimizer.param_groups[0]["l1"] = 1e3
    optimizer.step()
    assert not lazy.weight.detach().any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_may_be_empty(kind: str) -> None:
    empty = nn.Parameter(torch.zeros(0, 3))
    optimizer = made(kind, [empty])
    for gradient in (torch.zeros(0, 3), torch.zeros(0, 3).to_sparse(1)):
        empty.grad = gradient
        optimizer.step()
        optimizer.state_dict()
        empty.grad = None


def test_a_closure_is_called_with_gradients_on() -> None:
    lazy = table(start(FEATURES))
    optimizer = made("LazySGD", lazy.parameters())

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = lazy(torch.tensor([1, 2])).square().sum()
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)


def test_parameters_without_gradient_rest_as_torchs_do() -> None:
    lazy, still = table(start(FEATURES)), table(start(FEATURES))
    optimizer = made("LazySGD", [*lazy.parameters(), *still.parameters()])
    for example in examples(5, FEATURES, EACH):
        learn(lazy, optimizer, example, 0.3)
    assert np.array_equal(weights_of(still), start(FEATURES))


@pytest.mark.parametrize(
    ("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)]
)
def test_other_dtypes_keep_theirs(dtype: torch.dtype, error: float) -> None:
    lazy = nn.Embedding(FEATURES, 4, sparse=True, dtype=dtype)
    dense = nn.Embedding(FEATURES, 4, dtype=torch.float64)
    dense.load_state_dict(lazy.state_dict())
    optimizers = [made("LazyFOBOS", one.parameters()) for one in (lazy, dense)]
    for step in range(20):
        for one, by in zip((lazy, dense), optimizers, strict=True):
            by.zero_grad()
            one(torch.tensor([step, 3])).sum().backward()
            by.step()
    found = lazy.state_dict()["weight"]
    assert found.dtype == dtype
    right = dense.weight.detach()
    torch.testing.assert_close(found.double(), right, atol=error, rtol=error)


def test_a_newer_optimiser_takes_over_settled_weights() -> None:
    lazy = table(start(FEATURES))
    first = made("LazySGD", lazy.parameters())
    drawn = examples(6, FEATURES, EACH)
    for example in drawn[:3]:
        learn(lazy, first, example, 0.3)
    second = made("LazyFOBOS", lazy.parameters())
    judge = Dense("LazySGD", start(FEATURES), **PENALTIES)
    for example in drawn[:3]:
        judge.step(judge.gradient(example), 0.3)
    judge.kind = "LazyFOBOS"
    for example in drawn[3:]:
        learn(lazy, second, example, 0.3)
        judge.step(judge.gradient(example), 0.3)
    assert_same(weights_of(lazy), judge.weight)
    with pytest.raises(tt.errors.ParameterTaken, match="newer"):
        learn(lazy, first, drawn[0], 0.3)


def test_two_threads_catch_up_a_row_once() -> None:
    lazy = nn.Embedding(400, 8, sparse=True, dtype=torch.float64)
    optimizer = tt.optim.LazySGD(lazy.parameters(), 0.1, l1=1e-2, l2=0.1)
    right = lazy.weight.detach().clone()
    for _ in range(20):
        right = right * (1 - 0.1 * 0.1)
        right = right.sign() * (right.abs() - 1e-3).clamp(min=0)

    def read(seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for _ in range(50):
            with torch.no_grad():
                lazy(torch.randint(400, (100,), generator=generator))

    for _ in range(20):
        lazy.weight.grad = torch.zeros(400, 8).double().to_sparse(1)
        optimizer.catch_up(torch.tensor([0]))
        optimizer.step()
    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lazy.state_dict()["weight"]
    torch.testing.assert_close(found, right, rtol=0, atol=1e-13)
