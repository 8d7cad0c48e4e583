"""Schedules: the step widths of PyTorch's own, update by update."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as torchs

from throughtime.train.descent.schedules import SCHEDULES, Schedule

EPOCHS, PER_EPOCH, RATE = 12, 10, 0.3
LOSSES = [3.0, 2.0, 2.0, 2.5, 1.0, math.nan, 1.5, 1.0, 1.2, 0.9, 1.0, 1.1]
ALL = EPOCHS * PER_EPOCH


def sgd() -> SGD:
    return SGD([nn.Parameter(torch.zeros(1))], lr=RATE)


def widths(name: str, *arguments: Any, warmup: int = 0) -> list[float]:
    """The step width of every update."""
    optimizer = sgd()
    schedule = Schedule(optimizer, name, RATE, ALL, *arguments, warmup=warmup)
    found = []
    for epoch in range(EPOCHS):
        for _ in range(PER_EPOCH):
            found.append(optimizer.param_groups[0]["lr"])
            schedule.update()
        schedule.epoch(LOSSES[epoch])
    return found


def of_torch(make: Callable[[Optimizer], Any], by: str = "update") -> list[float]:
    optimizer = sgd()
    scheduler = make(optimizer)
    found = []
    for epoch in range(EPOCHS):
        for _ in range(PER_EPOCH):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            last = len(found) == ALL
            if by == "update" and not last:
                scheduler.step()
        if by == "epoch":
            scheduler.step()
        if by == "loss":
            scheduler.step(LOSSES[epoch])
    return found


def near(found: list[float], expected: list[float]) -> bool:
    return found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_cosine_linear_and_one_cycle() -> None:
    cosine = of_torch(lambda o: torchs.CosineAnnealingLR(o, ALL))
    assert near(widths("cosine"), cosine)
    line = of_torch(lambda o: torchs.LinearLR(o, 1.0, 0.0, ALL))
    assert near(widths("linear"), line)
    cycle = of_torch(
        lambda o: torchs.OneCycleLR(o, RATE, total_steps=ALL, cycle_momentum=False)
    )
    assert near(widths("onecycle"), cycle)
    assert widths("constant") == [RATE] * ALL


def test_those_that_multiply_between_epochs() -> None:
    each = of_torch(lambda o: torchs.ExponentialLR(o, 0.8), "epoch")
    assert near(widths("exponential", 0.8), each)
    steps = of_torch(lambda o: torchs.StepLR(o, 3, 0.4), "epoch")
    assert near(widths("step", 0.4, 3), steps)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_plateau(epochs: int) -> None:
    waiting = of_torch(
        lambda o: torchs.ReduceLROnPlateau(
            o, factor=0.5, patience=epochs - 1, threshold=0.0, eps=0.0
        ),
        "loss",
    )
    found = widths("plateau", 0.5, epochs)
    assert near(found, waiting)
    assert len(set(found)) > 1


@pytest.mark.parametrize("name", sorted(set(SCHEDULES) - {"onecycle"}))
def test_warmup_rises_to_the_first_step_width(name: str) -> None:
    found = widths(name, warmup=5)
    assert near(found[:5], [RATE * k / 5 for k in range(1, 6)])
    assert found[5] == RATE
    if name in {"cosine", "linear"}:
        make = {
            "cosine": lambda o: torchs.CosineAnnealingLR(o, ALL - 5),
            "linear": lambda o: torchs.LinearLR(o, 1.0, 0.0, ALL - 5),
        }[name]
        assert near(found[5:], of_torch(make)[: ALL - 5])


def test_updates_beyond_those_expected_have_the_last_step_width() -> None:
    for name, last in [("cosine", 0.0), ("linear", 0.0), ("onecycle", RATE / 25e4)]:
        optimizer = sgd()
        schedule = Schedule(optimizer, name, RATE, 3)
        for _ in range(5):
            schedule.update()
        assert optimizer.param_groups[0]["lr"] == pytest.approx(last)


def test_a_factor_of_zero_is_obeyed() -> None:
    optimizer = sgd()
    Schedule(optimizer, "exponential", RATE, 3, 0.0).epoch(1.0)
    assert optimizer.param_groups[0]["lr"] == 0


def test_warmup_longer_than_the_training_never_ends() -> None:
    optimizer = sgd()
    schedule = Schedule(optimizer, "cosine", RATE, 3, warmup=10)
    for _ in range(3):
        schedule.update()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.4 * RATE)
