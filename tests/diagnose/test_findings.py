"""Verdicts: what numbers lead to which sentence and remedy."""

from dataclasses import replace
from typing import Any

import pytest

from throughtime.diagnose import Course, Diagnosis, find
from throughtime.diagnose.diagnosis import (
    Dead,
    Horizon,
    Lags,
    LagsOfLayer,
    Memory,
    Saturation,
)

LEARNED = Course(
    cell="Elman",
    forgets=False,
    loss=0.2,
    constant=0.7,
    low=0.4,
    losses=[0.6, 0.3, 0.2],
    validation=[0.6, 0.35, 0.3],
    largest_gradient=2.0,
    clip=1.0,
    clip_rate=0.5,
    learning_rate=5e-3,
    usual_rate=5e-3,
    init="default",
    window_option="--tbptt",
    stopped="epochs",
    epochs=3,
    best_epoch=3,
)
STUCK = replace(LEARNED, loss=0.699, low=-0.01, losses=[0.7] * 3, validation=[0.7] * 3)


def measured(
    norms: list[float] | None = None,
    horizon: float | None = None,
    saturated: float = 0.0,
    dead: int = 0,
    **more: Any,
) -> Diagnosis:
    lags = norms or [1.0] * 101
    memory = Memory(
        [Horizon(0, 0, "h", horizon, 0.01)],
        more.pop("needed", 10),
        [],
        0.5,
        "cut",
        more.pop("window", None),
        more.pop("verdict", "enough"),
    )
    return Diagnosis(
        data={},
        seconds={},
        lags=Lags([-1], list(range(len(lags))), [LagsOfLayer(0, 0, "h", lags, [lags])]),
        saturation=[Saturation(0, 0, "i", "sigmoid", saturated, [saturated])],
        dead=[Dead(0, 0, "h", 10, dead)],
        memory=memory,
        **more,
    )


def test_no_alarm() -> None:
    (found,) = find(measured(), LEARNED)
    assert (found.kind, found.severity, found.remedy) == ("no alarm", "good", None)
    assert "71%" in found.sentence


@pytest.mark.parametrize(
    ("forgets", "init", "remedy"),
    [
        (False, "default", "--init orthogonal"),
        (False, "orthogonal", "--cell lstm"),
        (True, "default", "--init chrono"),
        (True, "chrono", "--flossing 100"),
    ],
)
def test_vanishing(forgets: bool, init: str, remedy: str) -> None:
    course = replace(STUCK, forgets=forgets, init=init)
    first, second = find(measured(horizon=9.0), course)
    assert (first.kind, first.severity) == ("vanishing", "alarm")
    assert first.remedy == remedy
    assert "9 steps" in first.sentence
    assert "of 100 steps" in first.sentence
    assert (second.kind, second.severity) == ("did not learn", "note")
    assert second.remedy is None


def test_a_short_horizon_alone_is_no_alarm() -> None:
    assert find(measured(horizon=9.0), LEARNED)[0].kind == "no alarm"
    assert find(measured(horizon=60.0), STUCK)[0].kind == "did not learn"


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        ({"largest_gradient": 1e6, "clip": 0.0}, "--clip 1"),
        ({"stopped": "diverged"}, "--learning-rate 0.0005"),
        ({"stopped": "diverged", "clip": 0.0, "best_epoch": 0}, "--clip 1"),
    ],
)
def test_exploding(more: dict[str, Any], remedy: str) -> None:
    first, *later = find(measured(horizon=9.0, dead=9), replace(STUCK, **more))
    assert (first.kind, first.severity, first.remedy) == ("exploding", "alarm", remedy)
    assert {one.severity for one in later} == {"note"}


def test_error_that_grows_is_exploding() -> None:
    growing = measured(norms=[1.1**k for k in range(101)])
    first = find(growing, replace(STUCK, clip=0.0))[0]
    assert first.kind == "exploding"
    assert first.where == "recurrent weights"


def test_what_was_clipped_is_not_to_blame() -> None:
    course = replace(STUCK, largest_gradient=1e6, learning_rate=0.5)
    assert find(measured(saturated=0.9), course)[0].kind == "saturated"


def test_what_clipping_holds_is_a_note() -> None:
    first, second = find(measured(), replace(LEARNED, largest_gradient=1e6))
    assert first.kind == "no alarm"
    assert (second.kind, second.severity) == ("clipped", "note")


def test_saturated() -> None:
    fast = replace(STUCK, learning_rate=0.5)
    first = find(measured(saturated=0.9, horizon=9.0), fast)[0]
    assert (first.kind, first.severity) == ("saturated", "alarm")
    assert first.remedy == "--learning-rate 0.005"
    good, note = find(measured(saturated=0.9), LEARNED)
    assert good.kind == "no alarm"
    assert (note.kind, note.severity) == ("saturated", "note")
    assert note.remedy is None


def test_dead_units() -> None:
    first = find(measured(dead=6), STUCK)[0]
    assert (first.kind, first.remedy) == ("dead", "--learning-rate 0.0005")
    assert "6 of 10 units of layer 0, h" in first.sentence


@pytest.mark.parametrize("verdict", ["plateau", "saddle"])
def test_flat_surfaces(verdict: str) -> None:
    first = find(measured(surface={"verdict": verdict}), STUCK)[0]
    assert (first.kind, first.remedy) == ("plateau", "--restarts 5")
    calm = find(measured(surface={"verdict": verdict}), LEARNED)[0]
    assert calm.kind == "no alarm"


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        ({}, "--epochs 9"),
        ({"learning_rate": 1e-6}, "--learning-rate 0.005"),
        ({"best_epoch": 2}, "--restarts 5"),
        ({"best_epoch": 0, "epochs": 0}, None),
    ],
)
def test_it_did_not_learn(more: dict[str, Any], remedy: str | None) -> None:
    first = find(measured(), replace(STUCK, **more))[0]
    assert (first.kind, first.severity) == ("did not learn", "alarm")
    assert first.remedy == remedy


@pytest.mark.parametrize(
    ("verdict", "needed", "option", "remedy"),
    [
        ("too short", None, "--tbptt", "--tbptt 32:64"),
        ("too short", 31, "--steps", "--steps 64"),
        ("wasteful", 4, "--tbptt", "--tbptt 16"),
        ("wasteful", 20, "--steps", "--steps 42"),
    ],
)
def test_windows(verdict: str, needed: int | None, option: str, remedy: str) -> None:
    seen = measured(window=32, needed=needed, verdict=verdict)
    good, note = find(seen, replace(LEARNED, window_option=option))
    assert good.severity == "good"
    assert (note.kind, note.remedy) == (f"window {verdict}", remedy)


def test_overfitting_is_a_note() -> None:
    course = replace(LEARNED, validation=[0.6, 0.3, 0.4], best_epoch=2)
    _, note = find(measured(), course)
    assert (note.kind, note.severity) == ("overfits", "note")
    assert "0.3 to 0.4" in note.sentence
