"""Optimisers by name: the steps of PyTorch's own, and what they are told."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.optim import Optimizer

from tests.train.conftest import SENTENCE
from tests.train.learning.training import (
    assert_near,
    by_hand,
    learn,
    settings_of,
)
from throughtime.data import text_dataset
from throughtime.errors import (
    NumberOutOfRange,
    Pointless,
    SettingError,
    UnfitChoice,
)
from throughtime.optim import FTRLProximal
from throughtime.train.asking.settings import Settings
from throughtime.train.descent.optimizers import OPTIMIZERS, PENALISING
from throughtime.train.model import Model

RATE = 0.02
PLAIN: dict[str, Any] = {"schedule": "constant", "clip": 0.0, "epochs": 2}
KINDS: dict[str, type[Optimizer]] = {
    kind.__name__.lower(): kind
    for kind in vars(optim).values()
    if isinstance(kind, type) and issubclass(kind, Optimizer)
}
# Without penalties these are PyTorch's own.
LIKE: dict[str, Any] = {
    "ftrl-proximal": FTRLProximal,
    "lazy-adagrad": partial(optim.Adagrad, initial_accumulator_value=0.1),
    "lazy-fobos": optim.SGD,
    "lazy-sgd": optim.SGD,
}


def test_every_one_of_torch_is_known_or_refused_with_a_reason() -> None:
    refused = {"lbfgs", "muon", "optimizer", "sparseadam"}
    assert set(OPTIMIZERS) == (KINDS.keys() - refused) | PENALISING.keys()
    for name in refused - {"optimizer"}:
        with pytest.raises(UnfitChoice, match=f"optimizer='{name}'.*expected one"):
            settings_of(optimizer=name)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_torch(name: str, tmp_path: Path) -> None:
    def make(model: Model) -> Optimizer:
        kind: Any = LIKE[name] if name in LIKE else KINDS[name]
        if name in {"adam", "adamw"}:
            return kind(groups(model, 0.01 if name == "adamw" else 0.0), RATE)
        return kind(model.parameters(), RATE)

    found = learn(tmp_path, optimizer=name, **PLAIN)["model"]
    assert_near(found, by_hand(make, **PLAIN))


def groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Matrices decay, vectors do not."""
    weights = list(model.parameters())
    return [
        {"params": [w for w in weights if w.dim() == 2], "weight_decay": decay},
        {"params": [w for w in weights if w.dim() == 1], "weight_decay": 0.0},
    ]


TOLD: dict[str, tuple[dict[str, Any], Callable[..., Optimizer]]] = {
    "SGD": (
        {
            "momentum": 0.9,
            "weight_decay": 0.1,
            "optimizer_options": {"nesterov": True},
        },
        lambda m: optim.SGD(groups(m, 0.1), RATE, momentum=0.9, nesterov=True),
    ),
    "AdamW": (
        {"weight_decay": 0.3, "optimizer_options": {"betas": [0.7, 0.9]}},
        lambda m: optim.AdamW(groups(m, 0.3), RATE, betas=(0.7, 0.9)),
    ),
    "adamw": (
        {"weight_decay": 0.0, "optimizer_options": {"amsgrad": True}},
        lambda m: optim.AdamW(m.parameters(), RATE, weight_decay=0, amsgrad=True),
    ),
    "RMSprop": (
        {"momentum": 0.5, "optimizer_options": {"alpha": 0.9, "centered": True}},
        lambda m: optim.RMSprop(
            m.parameters(), RATE, alpha=0.9, momentum=0.5, centered=True
        ),
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_it_is_told(name: str, tmp_path: Path) -> None:
    said, make = TOLD[name]
    found = learn(tmp_path, optimizer=name, **said, **PLAIN)["model"]
    assert_near(found, by_hand(make, **PLAIN))


def test_only_matrices_decay(tmp_path: Path) -> None:
    said = {**PLAIN, "epochs": 1, "batch_size": 100, "optimizer": "sgd"}
    plain = learn(tmp_path / "a", **said)["model"]
    decayed = learn(tmp_path / "b", weight_decay=0.5, **said)["model"]
    for name, value in plain.items():
        assert torch.equal(value, decayed[name]) == (value.dim() == 1), name


def test_the_first_step_width_is_that_of_the_family() -> None:
    def rate(name: str) -> float:
        return settings_of(
            optimizer=name, learning_rate=None, schedule="constant"
        ).learning_rate

    assert {rate(n) for n in "adam AdamW nadam radam adamax".split()} == {5e-3}
    assert {rate(n) for n in ("sgd", "asgd")} == {0.5}
    assert (rate("adadelta"), rate("rmsprop"), rate("rprop")) == (1.0, 0.01, 0.01)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"momentum": 0.9}, "momentum=0.9 does not fit optimizer='adam'"),
        (
            {"optimizer": "rprop", "schedule": "constant", "weight_decay": 0.1},
            "weight_decay=0.1 does not fit optimizer='rprop'",
        ),
        (
            {"optimizer_options": {"beta": 1}},
            r"optimizer_options={'beta': 1} .*did you mean 'betas'.*some of betas, eps",
        ),
        ({"optimizer_options": {"fused": True}}, "none of that name"),
        ({"optimizer_options": {"lr": 1.0}}, "none of that name"),
        ({"optimizer_options": {"betas": [0.9]}}, "of another kind.*such as"),
        ({"optimizer_options": {"amsgrad": 1}}, "of another kind.*such as False"),
        ({"optimizer_options": {"eps": "small"}}, "of another kind"),
        ({"optimizer_options": {"eps": float("nan")}}, "of another kind"),
        (
            {
                "optimizer": "adagrad",
                "dtype": "float32",
                "optimizer_options": {"initial_accumulator_value": 1e300},
            },
            "accumulator_value.*does not fit optimizer='adagrad'.*largest float32",
        ),
        ({"optimizer_options": {"betas": [0.9, 7]}}, "Invalid beta"),
        ({"optimizer_options": [1]}, "a value for each"),
        (
            {"optimizer": "sgd", "optimizer_options": {"nesterov": True}},
            "Nesterov momentum requires",
        ),
        (
            {"optimizer": "sgd", "learning_rate": 1e39, "dtype": "float32"},
            r"learning_rate=1e.39 .*'sgd' \(its steps are beyond 3\.4e.38.*float32",
        ),
        (
            {"optimizer": "sgd", "weight_decay": 1e39, "dtype": "float32"},
            "weight_decay=1e.39 does not fit optimizer='sgd'.*beyond",
        ),
        ({"weight_decay": -0.1}, "weight_decay=-0.1, expected a finite number"),
        ({"optimizer": None}, "optimizer=None is not known"),
        ({"schedule_factor": 0.5}, "schedule_factor=0.5.*schedule='cosine'"),
        ({"schedule": "exponential", "schedule_epochs": 2}, "schedule_epochs=2"),
        ({"schedule": "step", "schedule_factor": 1.5}, "from 0 to 1"),
        ({"schedule": "step", "schedule_epochs": 0}, "schedule_epochs=0"),
        ({"warmup": -1}, "warmup=-1"),
        ({"clip_value": -1.0}, "clip_value=-1.0"),
        ({"accumulate": 0}, "accumulate=0"),
        ({"average": "mean"}, "average='mean' is not known"),
        ({"ema_decay": 0.9}, "ema_decay=0.9.*expected none for weights as they are"),
        ({"average": "ema", "swa_start": 0.5}, "swa_start=0.5.*average='ema'"),
        ({"average": "ema", "ema_decay": 1.1}, "from 0 to below 1"),
        ({"init": "xavier"}, "init='xavier' is not known"),
        ({"chrono_steps": 9}, "chrono_steps=9.*init='default'"),
        ({"init": "chrono", "chrono_steps": 1}, "chrono_steps=1.*at least 2"),
        ({"forget_bias": float("inf")}, "forget_bias=inf, expected a finite number"),
        ({"drop_connect": None}, "drop_connect=None"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(said: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        settings_of(**said)


@pytest.mark.parametrize(
    "said",
    [
        {"optimizer": "rprop"},
        {"optimizer": "rprop", "schedule": "constant", "warmup": 3},
        {"schedule": "onecycle", "warmup": 3},
        {"schedule": "OneCycleLR", "warmup": 3},
    ],
)
def test_what_another_setting_leaves_without_effect(said: dict[str, Any]) -> None:
    with pytest.raises(Pointless, match="has nothing to act on with"):
        settings_of(**said)


def test_older_runs_lack_what_is_newer() -> None:
    settings = settings_of()
    stored = settings.to_json()
    del stored["k_winners"], stored["schedule_options"], stored["activity_l1"]
    del stored["l1"], stored["l2"], stored["flow_penalty"]
    assert Settings.from_json(stored) == settings


def test_what_is_not_said_is_none_where_it_does_nothing() -> None:
    settings = settings_of()
    assert settings.schedule_factor is settings.ema_decay is settings.swa_start is None
    assert settings.schedule_options is None
    assert settings_of(schedule="step").schedule_epochs == 5
    assert settings_of(average="swa").swa_start == 0.75
    assert settings_of(init="chrono").chrono_steps == 7  # the longest to learn from


@pytest.mark.parametrize(
    ("said", "steps"),
    [
        ({"steps": 20}, 20),
        ({"tbptt": "5:12"}, 12),
        ({"tbptt": "auto"}, 100),
        ({"tbptt": "random:8", "chrono_steps": 50}, 50),
    ],
)
def test_memories_last_as_long_as_error_flows(said: dict[str, Any], steps: int) -> None:
    text = text_dataset(SENTENCE * 20, "text")
    assert settings_of(text, init="chrono", **said).chrono_steps == steps


def test_where_error_flows_without_end_a_memory_must_be_said() -> None:
    text = text_dataset(SENTENCE * 20, "text")
    with pytest.raises(NumberOutOfRange, match=r"chrono_steps=None.*no longest"):
        settings_of(text, init="chrono", tbptt="random:8")
