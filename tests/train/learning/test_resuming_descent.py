"""Whatever changes the weights, a training that was cut off ends in the same bits."""

from pathlib import Path
from typing import Any

import pytest

from tests.train.conftest import SENTENCE
from tests.train.learning.training import (
    SIGNS,
    StoppedWhileValidated,
    assert_same,
    cut_and_resumed,
    learn,
)
from throughtime.cells import GRU
from throughtime.data import text_dataset
from throughtime.errors import ResumesOther
from throughtime.train import fit
from throughtime.train.descent.optimizers import OPTIMIZERS, PENALISING
from throughtime.train.descent.schedules import SCHEDULES

# Of 5 batches an epoch; with 3 to an update the last has 2.
WAYS: dict[str, dict[str, Any]] = {
    "accumulate": {"accumulate": 3},
    "accumulate with momentum": {
        "accumulate": 3,
        "optimizer": "sgd",
        "momentum": 0.9,
    },
    "ema": {"average": "ema", "ema_decay": 0.8},
    "swa": {"average": "swa", "swa_start": 0.3},
    "ema of accumulated": {"average": "ema", "accumulate": 2},
    "decay and clipping": {"weight_decay": 0.1, "clip": 0.1, "clip_value": 0.01},
    "masks": {"zoneout": 0.2, "drop_connect": 0.2, "variational_dropout": 0.2},
    "winners": {"k_winners": 0.5},
    "flow": {"flow_penalty": 0.5, "variational_dropout": 0.2, "accumulate": 3},
    "activity": {"activity_l1": 0.1, "num_layers": 2, "accumulate": 3},
    "watched": {"watch": "gradients", "accumulate": 2},
    "plateau": {"schedule": "plateau", "schedule_epochs": 1, "learning_rate": 0.5},
}


def check(folder: Path, after: int = 7, **said: Any) -> None:
    whole = learn(folder / "whole", **said)
    assert_same(cut_and_resumed(folder / "cut", after, **said), whole)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(name: str, tmp_path: Path) -> None:
    decay = None if name == "rprop" or name in PENALISING else 0.01
    check(tmp_path, optimizer=name, schedule="constant", weight_decay=decay)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule(name: str, tmp_path: Path) -> None:
    warmup = 0 if name == "onecycle" else 9
    check(tmp_path, schedule=name, warmup=warmup)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("multisteplr", {"milestones": 1}),
        ("cycliclr", {"base_lr": 0.001, "step_size_up": 3}),
        ("reducelronplateau", {"patience": 0, "threshold": 0.9}),
    ],
)
def test_schedules_of_torch(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    check(tmp_path, schedule=name, schedule_options=options, warmup=3, epochs=3)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("after", [1, 7])
def test_every_way_at_any_moment(way: str, after: int, tmp_path: Path) -> None:
    check(tmp_path, after, **WAYS[way])


@pytest.mark.parametrize("way", ["accumulate", "ema"])
def test_a_text_with_its_state(way: str, tmp_path: Path) -> None:
    text = text_dataset(SENTENCE * 10, "text")
    said = {**WAYS[way], "dataset": text, "steps": 20, "batch_size": 3}
    check(tmp_path, 5, **said, epochs=2, embedding=4)


@pytest.mark.parametrize("way", ["accumulate", "ema", "swa", "plateau"])
def test_an_epoch_that_was_learned_and_not_validated_is_not_learned_again(
    way: str, tmp_path: Path
) -> None:
    whole = learn(tmp_path / "whole", **WAYS[way])
    stopped = learn(tmp_path / "cut", kind=StoppedWhileValidated, **WAYS[way])
    assert (stopped["epoch"]["number"], stopped["epoch"]["complete"]) == (2, True)
    assert_same(learn(tmp_path / "cut", **WAYS[way]), whole)


def test_an_epoch_of_which_all_but_its_end_was_saved(tmp_path: Path) -> None:
    whole = learn(tmp_path / "whole", accumulate=3)
    assert_same(cut_and_resumed(tmp_path / "cut", 5, again=5, accumulate=3), whole)


@pytest.mark.parametrize(
    ("said", "free"),
    [
        ({"schedule": "constant"}, True),
        ({"schedule": "plateau"}, True),
        ({"schedule": "constant", "average": "ema"}, True),
        ({"schedule": "StepLR", "schedule_options": {"step_size": 1}}, True),
        ({"schedule": "cosine"}, False),
        ({"schedule": "onecycle"}, False),
        ({"schedule": "onecyclelr"}, False),
        ({"schedule": "constant", "average": "swa"}, False),
    ],
)
def test_epochs_may_be_added_where_nothing_is_spread_over_them(
    said: dict[str, Any], free: bool, tmp_path: Path
) -> None:
    quick: dict[str, Any] = {"hidden_size": 4, "batch_size": 8, "threads": 1, **said}
    fit(GRU(), SIGNS, out=tmp_path / "cut", epochs=1, **quick)
    if not free:
        with pytest.raises(ResumesOther, match="epochs=2 differs"):
            fit(GRU(), SIGNS, out=tmp_path / "cut", epochs=2, resume=True, **quick)
        return
    fit(GRU(), SIGNS, out=tmp_path / "cut", epochs=2, resume=True, **quick)
    fit(GRU(), SIGNS, out=tmp_path / "whole", epochs=2, **quick)
    files = [tmp_path / name / "model.safetensors" for name in ("cut", "whole")]
    assert files[0].read_bytes() == files[1].read_bytes()
