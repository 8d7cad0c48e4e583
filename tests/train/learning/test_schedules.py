"""Schedules: the step widths of PyTorch's own, update by update."""

import io
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as torchs

from tests.train.learning.training import settings_of
from throughtime.errors import SettingError, UnfitChoice, UnfitOption
from throughtime.train.descent.schedules import SCHEDULES, Schedule
from throughtime.train.descent.torch_schedules import OF_TORCH, TorchSchedule

EPOCHS, PER_EPOCH, RATE = 12, 10, 0.3
LOSSES = [3.0, 2.0, 2.0, 2.5, 1.0, math.nan, 1.5, 1.0, 1.2, 0.9, 1.0, 1.1]
ALL = EPOCHS * PER_EPOCH


# Of each schedule of PyTorch: options that let it move within the epochs.
OPTIONS: dict[str, dict[str, Any]] = {
    "constantlr": {"factor": 0.25, "total_iters": 3},
    "cosineannealinglr": {"T_max": 5, "eta_min": 0.01},
    "cosineannealingwarmrestarts": {"T_0": 2, "T_mult": 2},
    "cycliclr": {"base_lr": 0.01, "step_size_up": 7, "mode": "triangular2"},
    "exponentiallr": {"gamma": 0.8},
    "linearlr": {"start_factor": 0.5, "end_factor": 0.1, "total_iters": 8},
    "multisteplr": {"milestones": [3, 7, 7], "gamma": 0.5},
    "onecyclelr": {"pct_start": 0.4, "three_phase": True},
    "polynomiallr": {"total_iters": 9, "power": 2.0},
    "reducelronplateau": {"factor": 0.5, "patience": 1, "cooldown": 1},
    "steplr": {"step_size": 3, "gamma": 0.4},
}
CLASSES: dict[str, Any] = {name.lower(): vars(torchs)[name] for name in torchs.__all__}


def sgd() -> SGD:
    return SGD([nn.Parameter(torch.zeros(1))], lr=RATE)


def widths(name: str, *arguments: Any, warmup: int = 0) -> list[float]:
    """The step width of every update."""
    optimizer = sgd()
    schedule = Schedule(optimizer, name, RATE, ALL, *arguments, warmup=warmup)
    return followed(schedule)


def named(name: str, warmup: int = 0) -> TorchSchedule:
    return TorchSchedule(sgd(), name, RATE, ALL, OPTIONS[name], warmup)


def followed(schedule: Schedule | TorchSchedule) -> list[float]:
    found = []
    for epoch in range(EPOCHS):
        for _ in range(PER_EPOCH):
            found.append(schedule.optimizer.param_groups[0]["lr"])
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


def test_every_one_of_torch_is_known_or_refused_with_a_reason() -> None:
    refused = {"lambdalr", "multiplicativelr", "sequentiallr", "chainedscheduler"}
    assert set(OF_TORCH) == CLASSES.keys() - refused - {"lrscheduler"}
    assert set(OF_TORCH) == OPTIONS.keys()
    for name in (*refused, "SWALR"):
        with pytest.raises(UnfitChoice, match=f"schedule='{name}' .*expected one of"):
            settings_of(schedule=name)


@pytest.mark.parametrize("name", OPTIONS)
def test_step_widths_of_a_name_are_those_of_torch(name: str) -> None:
    options, by = dict(OPTIONS[name]), "epoch"
    if name in {"cycliclr", "onecyclelr"}:
        options, by = {**options, "max_lr": RATE, "cycle_momentum": False}, "update"
    if name == "onecyclelr":
        options["total_steps"] = ALL
    if name == "reducelronplateau":
        by = "loss"
    expected = of_torch(lambda o: CLASSES[name](o, **options), by)
    assert followed(named(name)) == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("name", sorted(OPTIONS.keys() - {"onecyclelr"}))
def test_warmup_rises_to_where_torch_begins(name: str) -> None:
    plain, found = followed(named(name)), followed(named(name, warmup=5))
    assert near(found[:5], [plain[0] * k / 5 for k in range(1, 6)])
    # Those that move between epochs do so meanwhile, too.
    moved = 5 if name == "cycliclr" else 0
    assert found[5:] == plain[5 - moved : ALL - moved]


@pytest.mark.parametrize("name", OPTIONS)
def test_one_of_torch_goes_on_from_its_state(name: str) -> None:
    """It is taken up anew before every update."""
    warmup, found, state = 0 if name == "onecyclelr" else 15, [], io.BytesIO()
    torch.save(named(name, warmup).state_dict(), state)
    for count in range(ALL):
        schedule = named(name, warmup)
        schedule.load_state_dict(
            torch.load(io.BytesIO(state.getvalue()), weights_only=True)
        )
        found.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.update()
        if count % PER_EPOCH == PER_EPOCH - 1:
            schedule.epoch(LOSSES[count // PER_EPOCH])
        state = io.BytesIO()
        torch.save(schedule.state_dict(), state)
    assert found == followed(named(name, warmup))


def test_an_update_may_count_as_less_or_more_than_one() -> None:
    plain = followed(named("cycliclr"))
    for share in (0.5, 2.0):
        schedule, found = named("cycliclr"), []
        for _ in range(20):
            found.append(schedule.optimizer.param_groups[0]["lr"])
            schedule.update(share)
        assert found == [plain[int(count * share)] for count in range(20)]
    schedule = named("onecyclelr")
    last = followed(schedule)[-1]
    schedule.update(9.0)
    assert schedule.optimizer.param_groups[0]["lr"] == last


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("multisteplr", {}, r"lacks milestones of schedule='multisteplr'.*numbers"),
        ("steplr", {"step": 3}, "takes none of that name .*'step_size'.*some of"),
        ("steplr", {"step_size": 2.5}, "of another kind.*whole number of at least 1"),
        ("steplr", {"step_size": 2, "gamma": -1.0}, "a finite number of at least 0"),
        ("multisteplr", {"milestones": [3, 0]}, "whole numbers of at least 1"),
        ("multisteplr", {"milestones": 3, "last_epoch": 2}, "goes on knows it"),
        ("cycliclr", {"base_lr": 0.1, "max_lr": 1}, "it is the learning_rate"),
        ("cycliclr", {"base_lr": 0.1, "cycle_momentum": True}, "momentum stays"),
        ("cycliclr", {"base_lr": 0.1, "mode": "round"}, "mode is invalid"),
        ("onecyclelr", {"total_steps": 9}, "spread over all updates"),
        ("onecyclelr", {"three_phase": 1}, "True or False"),
        ("reducelronplateau", {"mode": "max"}, "a lower validation loss"),
        ("reducelronplateau", {"factor": 1.5}, "Factor should be < 1.0"),
        ("constantlr", {"factor": 0.0, "total_iters": 1}, "division by zero"),
        ("exponentiallr", {"gamma": 1e200}, "width of 2e.198, beyond 3.4e.38"),
        ("exponentiallr", [1], "a value for each of some options"),
        ("cosine", {"T_max": 3}, "expected none for schedule='cosine'"),
    ],
)
def test_options_that_do_not_fit_are_refused_by_name(
    name: str, options: Any, words: str
) -> None:
    with pytest.raises(SettingError, match=f"schedule_options=.*{words}"):
        settings_of(schedule=name, schedule_options=options, dtype="float32")


def test_a_whole_number_is_a_share_as_well() -> None:
    whole, share = (
        TorchSchedule(sgd(), "onecyclelr", RATE, ALL, {"pct_start": one})
        for one in (1, 1.0)
    )
    assert followed(whole) == followed(share)


def test_a_step_width_that_grows_too_large_ends_the_training() -> None:
    schedule = TorchSchedule(sgd(), "exponentiallr", RATE, 9, {"gamma": 1e20})
    schedule.epoch(1.0)
    with pytest.raises(UnfitOption, match=r"3e.39, beyond 3\.4e.38"):
        schedule.epoch(1.0)
    with pytest.raises(UnfitOption, match="division by zero"):
        TorchSchedule(sgd(), "onecyclelr", RATE, 10, {"pct_start": 0.1})
