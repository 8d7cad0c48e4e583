"""Trainings whose input weights have gradients for some rows: as with dense ones."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.train.learning.items import ITEMS, F, learn_items, model_of
from tests.train.learning.training import assert_near, assert_same, settings_of
from throughtime.optim.lazy import LazyOptimizer
from throughtime.train.descent.clipping import clip, divide
from throughtime.train.descent.optimizers import PENALISING
from throughtime.train.learning.blame import blame_gradient, blame_values
from throughtime.train.learning.updates import NotFinite, Updates
from throughtime.train.model import Model
from throughtime.train.tasks import Answers, OfSequences

PENALTIES: dict[str, Any] = {"l1": 2e-3, "l2": 1e-2}
WEIGHT = "network.weight_ih_l0"
STEADY: dict[str, Any] = {"schedule": "constant"}
LAZY = {name: {"optimizer": name, **PENALTIES} for name in PENALISING}
WAYS: dict[str, dict[str, Any]] = {
    **{name: {**said, **STEADY} for name, said in LAZY.items()},
    "lazy-fobos, cosine": LAZY["lazy-fobos"],
    "clipped": {**LAZY["lazy-fobos"], "clip": 0.05, "clip_value": 0.01},
    "accumulated": {**LAZY["lazy-sgd"], "accumulate": 3, "clip": 0.1},
    "ema": {**LAZY["lazy-fobos"], "average": "ema", "ema_decay": 0.8},
    "swa": {**LAZY["lazy-sgd"], "average": "swa", "swa_start": 0.3},
    "adam": {"optimizer": "adam", "clip": 0.05, "clip_value": 0.01},
    "adagrad": {"optimizer": "adagrad", "accumulate": 2, "weight_decay": 0.1},
    "sgd": {"optimizer": "sgd", "clip": 0.1},
    "sgd with momentum": {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.1},
}


def weights(found: Any) -> dict[str, Any]:
    """The last weights, with those that were validated."""
    return {**found["model"], **{f"best {n}": w for n, w in found["best"].items()}}


@pytest.mark.parametrize("way", WAYS)
def test_rows_learn_what_a_dense_input_learns(way: str, tmp_path: Path) -> None:
    said = {"learning_rate": 0.1, **WAYS[way]}
    dense = learn_items(tmp_path / "dense", sparse=False, **said)
    sparse = learn_items(tmp_path / "sparse", **said)
    found, expected = dict(sparse["model"]), dict(dense["model"])
    assert sparse["rows"][-1]["zero_fraction"] == dense["rows"][-1]["zero_fraction"]
    if way in PENALISING and way != "ftrl-proximal":
        # The last checkpoint may be of weights of which some wait.
        assert (weights(dense)[f"best {WEIGHT}"] == 0).any()
    assert_near(found, expected)
    assert_near(dict(sparse["best"]), dict(dense["best"]))


@pytest.mark.parametrize(
    "way", [*PENALISING, "lazy-fobos, cosine", "accumulated", "ema", "adam"]
)
def test_checkpoints_change_no_bit(way: str, tmp_path: Path) -> None:
    said = {"learning_rate": 0.1, **WAYS[way]}
    saved = learn_items(tmp_path / "saved", **said)
    never = learn_items(tmp_path / "never", save_every=1e9, **said)
    assert_same(weights(never), weights(saved))
    cut = tmp_path / "cut"
    found = learn_items(cut, after=7, **said)
    if way in {"lazy-fobos", "accumulated"}:
        waiting = [one for one in found["updates"]["waiting"] if one is not None]
        ((now, stamps),) = waiting  # those of the rows alone
        assert stamps.shape == (F,)
        assert (stamps < now).any()
    if way == "accumulated":
        gradients = found["begun"]["gradients"]
        assert [one.is_sparse for one in gradients].count(True) == 1
    learn_items(cut, after=2, **said)
    assert_same(learn_items(cut, **said), saved)


def test_weights_that_are_saved_as_they_are_would_else_have_other_bits() -> None:
    """What the test before guards against: settling at one more moment rounds."""
    found = []
    for often in (False, True):
        settings = settings_of(ITEMS, learning_rate=0.1, **LAZY["lazy-fobos"])
        model = model_of(settings, sparse=True)
        updates, task = Updates(model, settings, 20), OfSequences(ITEMS, settings)
        for batch in task.epoch(torch.Generator()):
            updates.take(task.learned(model, batch))
            if often:
                updates.settle()
        found.append(model.state_dict()[WEIGHT].clone())
    assert not torch.equal(*found)
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def gradients() -> list[nn.Parameter]:
    """Parameters with a gradient of rows, one of them twice, and a dense one."""
    draw = torch.Generator().manual_seed(0)
    table, bias = nn.Parameter(torch.zeros(6, 2)), nn.Parameter(torch.zeros(3))
    rows, values = torch.tensor([[4, 1, 4]]), torch.randn(3, 2, generator=draw)
    table.grad = torch.sparse_coo_tensor(rows, values, (6, 2), check_invariants=True)
    bias.grad = torch.randn(3, generator=draw)
    return [table, bias]


@pytest.mark.parametrize(("norm", "value"), [(0.5, 0.0), (0.0, 0.3), (0.4, 0.3)])
def test_clipping_counts_a_row_once(norm: float, value: float) -> None:
    sparse, dense = gradients(), gradients()
    dense[0].grad = gradients()[0].grad.to_dense()  # type: ignore[union-attr]
    for some in (sparse, dense):
        divide(some, 2.0)
    told = [clip(some, norm, value, lambda _: None) for some in (sparse, dense)]
    assert told[0][0] is told[1][0] is True
    assert told[0][1] == pytest.approx(told[1][1], rel=1e-6)
    table = sparse[0].grad
    assert table is not None
    assert table.is_sparse
    assert len(table._values()) == 2
    torch.testing.assert_close(table.to_dense(), dense[0].grad)
    torch.testing.assert_close(sparse[1].grad, dense[1].grad)


def test_a_gradient_that_is_not_finite_is_found_in_its_rows() -> None:
    settings = settings_of(ITEMS, **LAZY["lazy-fobos"])
    model, task = model_of(settings, sparse=True), OfSequences(ITEMS, settings)
    updates = Updates(model, settings, 20)
    answers = first(task, model)
    assert blame_values(model, answers) is blame_gradient(model, answers) is None
    hook = updates.tables[0].register_hook(lambda gradient: gradient * torch.inf)
    assert blame_gradient(model, answers) == f"that of {WEIGHT}"
    before = model.state_dict()[WEIGHT].clone()
    with pytest.raises(NotFinite, match="The norm of the gradient"):
        updates.take(first(task, model))
    assert torch.equal(model.state_dict()[WEIGHT], before)
    hook.remove()
    with torch.no_grad():
        model.head.weight.fill_(1e308)
        model.get_parameter("network.weight_ih_l1").fill_(9.0)
    where = blame_values(model, first(task, model))
    assert where is not None
    assert "output" in where


def first(task: OfSequences, model: Model) -> Answers:
    """The answers to the first batch of a training."""
    return next(iter(task.training(model, torch.Generator())))


def test_rows_that_wait_are_settled_where_weights_are_read(tmp_path: Path) -> None:
    settings = settings_of(ITEMS, learning_rate=0.1, **LAZY["lazy-fobos"])
    model, task = model_of(settings, sparse=True), OfSequences(ITEMS, settings)
    updates = Updates(model, settings, 20)
    for batch in task.epoch(torch.Generator()):
        updates.take(task.learned(model, batch))
    optimizer = updates.optimizer
    assert isinstance(optimizer, LazyOptimizer)
    with updates.unsettled():
        before = model.state_dict()[WEIGHT].clone()
        assert any(one is not None for one in updates.state_dict()["waiting"])
    settled = model.state_dict()[WEIGHT].clone()
    assert optimizer.waiting() == [None] * len(updates.parameters)
    assert not torch.equal(settled, before)
