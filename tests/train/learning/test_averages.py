"""A mean of the weights is validated and kept; the others go on learning."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tests.train.learning.training import (
    SIGNS,
    assert_near,
    by_hand,
    learn,
    settings_of,
)
from throughtime.cells import GRU
from throughtime.train import fit
from throughtime.train.descent.averages import Average
from throughtime.train.metrics import measure
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.tasks import make_task

PLAIN: dict[str, Any] = {"schedule": "constant", "clip": 0.0, "epochs": 4}


def adam(model: Model) -> Optimizer:
    return Adam(model.parameters(), 0.02)


def named(found: dict[str, Any]) -> dict[str, Tensor]:
    names = [
        name for name, _ in make_model(GRU(), SIGNS, settings_of()).named_parameters()
    ]
    return dict(zip(names, found["average"]["values"], strict=True))


def of_torch(average: AveragedModel) -> dict[str, Tensor]:
    return {name: w.detach() for name, w in average.module.named_parameters()}


def test_ema_is_that_of_torch(tmp_path: Path) -> None:
    averages: list[AveragedModel] = []

    def update(model: Model) -> None:
        if not averages:
            move = get_ema_multi_avg_fn(0.8)
            averages.append(AveragedModel(model, multi_avg_fn=move))
        averages[0].update_parameters(model)

    found = learn(tmp_path, average="ema", ema_decay=0.8, **PLAIN)
    raw = by_hand(adam, after_update=update, **PLAIN)
    assert_near(found["model"], raw)
    assert_near(named(found), of_torch(averages[0]))


def test_swa_is_the_mean_over_the_last_epochs(tmp_path: Path) -> None:
    ends: list[dict[str, Tensor]] = []

    def epoch(model: Model) -> None:
        ends.append({n: w.detach().clone() for n, w in model.named_parameters()})

    found = learn(tmp_path, average="swa", swa_start=0.5, **PLAIN)
    raw = by_hand(adam, after_epoch=epoch, **PLAIN)
    assert_near(found["model"], raw)
    third, fourth = ends[2:]
    assert_near(named(found), {n: (third[n] + fourth[n]) / 2 for n in third})
    plain = learn(tmp_path / "plain", **PLAIN)["rows"]
    same = [
        a["validation_loss"] == b["validation_loss"]
        for a, b in zip(found["rows"], plain, strict=True)
    ]
    assert same == [True, True, True, False]  # the mean of one is itself


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_what_is_validated_and_kept_is_the_mean(kind: str, tmp_path: Path) -> None:
    said = {**PLAIN, "average": kind, "epochs": 3, "learning_rate": 0.1}
    if kind == "swa":
        said["swa_start"] = 0.0
    found = learn(tmp_path, **said)
    assert found["best_epoch"] == 3
    assert_near({name: found["best"][name] for name in named(found)}, named(found))
    settings = settings_of(**said)
    model = make_model(GRU(), SIGNS, settings)
    model.load_state_dict(found["best"])
    after = measure(make_task(SIGNS, settings), model, "validation")
    assert found["rows"][2]["validation_loss"] == after["loss"]
    raw = found["model"]
    assert any(not torch.equal(raw[name], found["best"][name]) for name in raw)


def test_a_run_ends_with_the_mean(tmp_path: Path) -> None:
    said: dict[str, Any] = {"hidden_size": 4, "epochs": 3, "batch_size": 8}
    run = fit(GRU(), SIGNS, out=tmp_path, average="ema", threads=1, **said)
    best = run.metrics[run.best_epoch - 1]
    assert run.evaluate("validation")["loss"] == best["validation_loss"]


def test_weights_come_back_to_the_bit_whatever_happens() -> None:
    weights = [torch.nn.Parameter(torch.randn(3, dtype=torch.float64))]
    average = Average(weights, "ema", 0.5)
    with average.applied():
        assert not average.state_dict()["count"]
    average.update()
    with torch.no_grad():
        weights[0] += 1
    average.update()
    own = weights[0].detach().clone()
    with pytest.raises(ZeroDivisionError), average.applied():
        assert torch.allclose(weights[0], own - 0.5)
        raise ZeroDivisionError
    assert torch.equal(weights[0], own)
