"""What a person sees while a training goes on: how long it lasts, and TensorBoard."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.train.conftest import make_sequences
from throughtime.cells import Elman
from throughtime.data import SequenceDataset
from throughtime.errors import ExtraMissing
from throughtime.train import fit
from throughtime.train.showing.progress import Live, Moment, TimeLeft, lasting

SMALL: dict[str, Any] = {"hidden_size": 4, "threads": 1, "batch_size": 8}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (59.5, "60 s"),
        (61, "2 min"),
        (3599, "1 h 0 min"),
        (4800, "1 h 20 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_time_left_is_what_the_rest_takes_at_the_pace_so_far() -> None:
    left = TimeLeft()
    assert str(left) == ""
    left.at(0.1, now=50)
    assert str(left) == ""
    left.at(0.2, now=80)
    assert str(left) == "4 min left"
    left.at(1, now=320)
    assert str(left) == ""


def test_time_left_knows_that_a_training_went_on() -> None:
    left = TimeLeft()
    # All before 0.5 took place in another process, at whatever pace.
    left.at(0.5, now=1000)
    left.at(0.75, now=1010)
    assert str(left) == "10 s left"


def test_an_epoch_that_was_cut_into_more_pieces_leaves_no_time_below_zero() -> None:
    left = TimeLeft()
    left.at(0.5, now=0)
    left.at(1.01, now=10)
    assert str(left) == ""


def test_lines_per_epoch_say_how_long_is_left(
    signs: SequenceDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(Elman(), signs, out=tmp_path / "a", epochs=3, quiet=False, **SMALL)
    lines = [one for one in capsys.readouterr().err.splitlines() if "epoch" in one]
    assert ["left at most" in line for line in lines] == [True, True, False]


def test_a_bar_says_it_too_and_stands_in_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    live = Live(100, "bits_per_character", "characters")
    with live:
        live.batch(Moment(99, 1, 10, 981, 12.3456, 1.0, 0.1, 123_456.0))
        live.batch(Moment(99, 2, 10, 982, 12.3456, 1.0, 0.1, 123_456.0))
    printed = re.sub(r"\x1b\[[?\d;]*\w", "", capsys.readouterr().err)
    bar = re.findall("epoch[^\r\n]*", printed)[-1]
    assert bar.startswith("epoch  99/100 ━")
    assert bar.rstrip().endswith(" s left  loss 12.3456  123,456 characters/s")


def test_without_the_package_an_error_names_the_extra(
    signs: SequenceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ExtraMissing, match=r'pip install "throughtime\[tensorboard\]"'):
        fit(Elman(), signs, out=tmp_path / "a", tensorboard=True, **SMALL)
    assert not (tmp_path / "a").exists()


def read(run: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows: for each curve its steps and values."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(one.step, one.value) for one in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_tensorboard_shows_updates_and_epochs(tmp_path: Path) -> None:
    settings = {**SMALL, "epochs": 2, "num_layers": 2}
    run = fit(
        Elman("relu"),
        make_sequences(),
        out=tmp_path / "a",
        tensorboard=True,
        **settings,
    )
    curves, rows = read(run.path), run.metrics
    ends = [rows[0]["updates"], rows[0]["updates"] + rows[1]["updates"]]
    every = list(range(1, ends[1] + 1))
    for name in ("loss", "gradient_norm", "step_width"):
        assert [step for step, _ in curves[f"update/{name}"]] == every
    assert curves["update/step_width"][0][1] == pytest.approx(5e-3)
    expected = {
        "loss/training": "loss",
        "loss/validation": "validation_loss",
        "accuracy/training": "accuracy",
        "accuracy/validation": "validation_accuracy",
        "epoch/clip_rate": "clip_rate",
        "epoch/steps_per_second": "steps_per_second",
        "epoch/sequences_per_second": "sequences_per_second",
        "epoch/epoch": "epoch",
    }
    for tag, name in expected.items():
        assert [step for step, _ in curves[tag]] == ends
        values = [value for _, value in curves[tag]]
        assert values == pytest.approx([row[name] for row in rows], rel=1e-6)
    for layer in range(2):
        values = [value for _, value in curves[f"zero_fraction/layer_{layer}"]]
        assert values == pytest.approx([row["zero_fraction"][layer] for row in rows])


def test_updates_of_several_batches_are_shown_once(tmp_path: Path) -> None:
    settings = {**SMALL, "epochs": 2, "accumulate": 2, "tensorboard": True}
    run = fit(Elman(), make_sequences(), out=tmp_path / "a", **settings)
    curves = read(run.path)
    steps = [step for step, _ in curves["update/gradient_norm"]]
    assert steps == [1, 2, 3, 4, 5, 6]  # of 5 batches an epoch, its end included
    assert [step for step, _ in curves["loss/validation"]] == [3, 6]
    values = [value for _, value in curves["update/gradient_norm"]]
    assert all(value > 0 for value in values)


def test_a_training_that_goes_on_is_one_curve(tmp_path: Path) -> None:
    settings = {**SMALL, "schedule": "constant", "tensorboard": True}
    signs = make_sequences()
    whole = fit(Elman(), signs, out=tmp_path / "whole", epochs=4, **settings)
    fit(Elman(), signs, out=tmp_path / "parts", epochs=2, **settings)
    early = (tmp_path / "parts/checkpoint.pt").read_bytes()
    fit(Elman(), signs, out=tmp_path / "parts", epochs=3, resume=True, **settings)
    # As if it had been killed before it could write another checkpoint.
    (tmp_path / "parts/checkpoint.pt").write_bytes(early)
    parts = fit(
        Elman(), signs, out=tmp_path / "parts", epochs=4, resume=True, **settings
    )
    first, second = read(whole.path), read(parts.path)
    for tag in first:
        if "per_second" not in tag:
            assert first[tag] == second[tag], tag
